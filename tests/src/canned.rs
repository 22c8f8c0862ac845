//! An upstream of a few bytes: what the simulator, as a well-behaved server, cannot say.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::background;
use crate::upstream::Provider;

/// An upstream that answers every request with the same bytes, and then closes.
#[derive(Debug)]
pub struct Canned(SocketAddr);

impl Canned {
    /// Starts on a free port.
    pub async fn answering(bytes: &'static str) -> Self {
        Self(background::run(serve(bytes)).await)
    }

    /// As a provider called `name`.
    pub fn called(&self, name: &str) -> Provider {
        Provider::at(name, &format!("http://{}/v1", self.0))
    }
}

async fn serve(bytes: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !is_whole(&request) {
                    if !matches!(tcp.read_buf(&mut request).await, Ok(1..)) {
                        return;
                    }
                }
                let _ = tcp.write_all(bytes.as_bytes()).await;
                let _ = tcp.shutdown().await;
            });
        }
    });
    address
}

/// Whether a request with a content-length has come to its end.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0)
}
