//! One small HTTP request to a process of our own: health and Envoy's admin interface.

use std::io;
use std::time::Duration;

use hyper::Method;
use tokio::time::timeout;
use weir_control::AdminAddress;

/// What is on this machine answers at once, or something is wrong.
const LIMIT: Duration = Duration::from_secs(2);

/// A status and a body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// `GET path`.
pub(crate) async fn get(at: &AdminAddress, path: &str) -> io::Result<Answer> {
    ask(at, Method::GET, path).await
}

/// `POST path`, without a body.
pub(crate) async fn post(at: &AdminAddress, path: &str) -> io::Result<Answer> {
    ask(at, Method::POST, path).await
}

async fn ask(at: &AdminAddress, method: Method, path: &str) -> io::Result<Answer> {
    let answer = timeout(LIMIT, at.ask(method, path)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    Ok(Answer { status: answer.status, body: String::from_utf8_lossy(&answer.body).into_owned() })
}
