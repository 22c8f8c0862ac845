//! One small HTTP request to a process of our own on loopback: health and Envoy's admin interface.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Loopback answers at once, or something is wrong.
const LIMIT: Duration = Duration::from_secs(2);
/// No answer we ask for comes near this.
const LARGEST: u64 = 4 << 20;

/// A status and a body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// `GET path`.
pub(crate) async fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    ask(address, "GET", path).await
}

/// `POST path`, without a body.
pub(crate) async fn post(address: SocketAddr, path: &str) -> io::Result<Answer> {
    ask(address, "POST", path).await
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> io::Result<Answer> {
    timeout(LIMIT, async {
        let mut stream = TcpStream::connect(address).await?;
        // The answer ends with the connection. Envoy may chunk it: what is read here are whole lines, which a chunk of
        // so few bytes does not cut.
        let head = format!("{method} {path} HTTP/1.1\r\nhost: weir\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.take(LARGEST).read_to_end(&mut bytes).await?;
        read(&String::from_utf8_lossy(&bytes)).ok_or_else(|| io::Error::other("no HTTP answer"))
    })
    .await
    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn read(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ").or_else(|| head.strip_prefix("HTTP/1.0 "))?.get(..3)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_status_and_a_body() {
        let answer = read("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nwait").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (503, "wait"));
        assert!(read("SSH-2.0-OpenSSH").is_none());
    }
}
