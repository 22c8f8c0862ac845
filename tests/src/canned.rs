//! An upstream of a few bytes: what the simulator, as a well-behaved server, cannot say.

use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::background;
use crate::upstream::Provider;

/// An upstream that answers every request with the same bytes, and then closes.
#[derive(Debug)]
pub struct Canned(SocketAddr);

impl Canned {
    /// Starts on a free port.
    pub async fn answering(bytes: impl Into<Bytes>) -> Self {
        Self(background::run(serve(bytes.into())).await)
    }

    /// As a provider called `name`.
    pub fn called(&self, name: &str) -> Provider {
        Provider::at(name, &format!("http://{}/v1", self.0))
    }
}

async fn serve(bytes: Bytes) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let bytes = bytes.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !is_whole(&request) {
                    if !matches!(tcp.read_buf(&mut request).await, Ok(1..)) {
                        return;
                    }
                }
                let _ = tcp.write_all(&bytes).await;
                let _ = tcp.shutdown().await;
            });
        }
    });
    address
}

/// Whether a request with a content-length has come to its end.
fn is_whole(request: &[u8]) -> bool {
    let Some(head) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(&request[..head]);
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    request.len() - head - 4 >= length.and_then(|length| length.parse().ok()).unwrap_or(0)
}
