//! Envoy's admin interface, and the small HTTP client that asks it.
//!
//! Whatever else answers small requests on this machine, such as the sidecar's health, is asked in the same way.

mod address;
mod stat;

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

pub use address::AdminAddress;

/// How long an answer may take by default: a process on this machine answers at once, or something is wrong.
const LIMIT: Duration = Duration::from_secs(2);

/// A client of one admin interface. Each request has a connection of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    address: AdminAddress,
    limit: Duration,
}

/// A status and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

impl Admin {
    /// A client of the interface at `address`. An answer may take 2 s.
    pub fn at(address: AdminAddress) -> Self {
        Self { address, limit: LIMIT }
    }

    /// Lets an answer take as long as `limit`.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Where the interface is.
    pub fn address(&self) -> &AdminAddress {
        &self.address
    }

    /// The answer to `GET path`.
    pub async fn get(&self, path: &str) -> io::Result<Answer> {
        self.ask(Method::GET, path).await
    }

    /// The answer to `POST path` without a body.
    pub async fn post(&self, path: &str) -> io::Result<Answer> {
        self.ask(Method::POST, path).await
    }

    /// The answer to one request without a body. [`TimedOut`](io::ErrorKind::TimedOut) if there is none within the limit.
    pub async fn ask(&self, method: Method, path: &str) -> io::Result<Answer> {
        let asked = timeout(self.limit, self.address.ask(method, path)).await;
        asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Answer {
    /// Whether the request succeeded.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl AdminAddress {
    /// The answer to one request without a body. There is no limit in time: see [`Admin`].
    pub async fn ask(&self, method: Method, path: &str) -> io::Result<Answer> {
        match self {
            Self::Tcp(address) => ask(TcpStream::connect(address::reachable(*address)).await?, method, path).await,
            Self::Socket(socket) => ask(UnixStream::connect(socket).await?, method, path).await,
        }
    }
}

async fn ask<S>(stream: S, method: Method, path: &str) -> io::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = Request::builder().method(method).uri(path).header("host", "weir").body(Empty::<Bytes>::new());
    let request = request.map_err(io::Error::other)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let answer = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status().as_u16();
        Ok(Answer { status, body: answer.into_body().collect().await?.to_bytes() })
    };
    let answer = answer.await.map_err(|error: hyper::Error| io::Error::other(error));
    connection.abort();
    answer
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// What `served` answers on one connection. Nothing: it stays open and silent.
    async fn served(answer: &'static str) -> Admin {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let _ = tcp.read(&mut [0; 1024]).await.unwrap();
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
            tcp.write_all(answer.as_bytes()).await.unwrap();
        });
        Admin::at(AdminAddress::Tcp(address)).within(Duration::from_millis(100))
    }

    #[tokio::test]
    async fn an_answer_is_told_whatever_its_status() {
        let admin = served("HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 4\r\n\r\nPOST").await;
        let answer = admin.get("/quitquitquit").await.unwrap();
        assert_eq!((answer.status, answer.is_success(), answer.text().as_str()), (405, false, "POST"));
    }

    #[tokio::test]
    async fn who_stays_silent_is_not_waited_for() {
        let error = served("").await.post("/drain_listeners").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
