//! An upstream that sends fixed bytes, for what the simulator, a well-behaved server, cannot send.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::port::Port;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;

use crate::background;
use crate::provider::Provider;

/// An upstream that answers every request with the same bytes.
#[derive(Debug)]
pub struct Canned {
    address: SocketAddr,
    /// Of one that stays: lets one answer go on.
    go_on: Arc<Semaphore>,
}

/// What an upstream does when it has answered.
#[derive(Clone)]
enum Then {
    Closes,
    /// Sends these, each after its pause.
    GoesOn(Vec<(Duration, Bytes)>),
    /// Says this when it may go on, and then nothing more.
    Stays(Bytes, Arc<Semaphore>),
}

impl Canned {
    /// Starts one on a free port that closes after its answer.
    pub async fn answering(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::at(background::run(async { serve_on(free().await, bytes, Then::Closes) }).await)
    }

    /// Starts one on a port that was reserved.
    pub async fn answering_at(port: &Port, bytes: impl Into<Bytes>) -> Self {
        let (port, bytes) = (reserved(port), bytes.into());
        let serve = async { serve_on(port.listen(64).expect("a listener"), bytes, Then::Closes) };
        Self::at(background::run(serve).await)
    }

    /// Starts one on a port that was reserved, which takes connections and never says anything.
    pub async fn silent_at(port: &Port) -> Self {
        let (port, go_on) = (reserved(port), Arc::new(Semaphore::new(0)));
        let then = Then::Stays(Bytes::new(), Arc::clone(&go_on));
        let serve = async { serve_on(port.listen(64).expect("a listener"), Bytes::new(), then) };
        Self { address: background::run(serve).await, go_on }
    }

    /// Starts one on a free port whose answer stops after its beginning until [`go_on`](Self::go_on), and after its rest stays open
    /// until its caller closes.
    pub async fn staying(beginning: impl Into<Bytes>, rest: impl Into<Bytes>) -> Self {
        let (beginning, go_on) = (beginning.into(), Arc::new(Semaphore::new(0)));
        let then = Then::Stays(rest.into(), Arc::clone(&go_on));
        let address = background::run(async { serve_on(free().await, beginning, then) }).await;
        Self { address, go_on }
    }

    /// Starts one on a free port that sends these pieces too, each after its pause, and then closes.
    pub async fn going_on(beginning: impl Into<Bytes>, more: Vec<(Duration, Bytes)>) -> Self {
        let beginning = beginning.into();
        Self::at(background::run(async { serve_on(free().await, beginning, Then::GoesOn(more)) }).await)
    }

    fn at(address: SocketAddr) -> Self {
        Self { address, go_on: Arc::new(Semaphore::new(0)) }
    }

    /// Lets one answer go on.
    pub fn go_on(&self) {
        self.go_on.add_permits(1);
    }

    /// As a provider called `name`.
    pub fn called(&self, name: &str) -> Provider {
        Provider::at(name, &format!("http://{}/v1", self.address))
    }
}

fn reserved(port: &Port) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseport(true).expect("SO_REUSEPORT");
    socket.bind(port.address()).expect("the port");
    socket
}

async fn free() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}

fn serve_on(listener: TcpListener, bytes: Bytes, then: Then) -> SocketAddr {
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let (bytes, then) = (bytes.clone(), then.clone());
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !is_whole(&request) {
                    if !matches!(tcp.read_buf(&mut request).await, Ok(1..)) {
                        return;
                    }
                }
                let _ = tcp.write_all(&bytes).await;
                match then {
                    Then::Closes => {}
                    Then::GoesOn(more) => {
                        for (after, bytes) in more {
                            tokio::time::sleep(after).await;
                            let _ = tcp.write_all(&bytes).await;
                        }
                    }
                    Then::Stays(rest, go_on) => {
                        go_on.acquire().await.expect("never closed").forget();
                        let _ = tcp.write_all(&rest).await;
                        let _ = tcp.read(&mut [0]).await;
                    }
                }
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
