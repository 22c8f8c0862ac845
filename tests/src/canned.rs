//! An upstream of a few bytes: what the simulator, as a well-behaved server, cannot say.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

use crate::background;
use crate::port::Port;
use crate::upstream::Provider;

/// An upstream that answers every request with the same bytes, and then closes.
#[derive(Debug)]
pub struct Canned(SocketAddr);

impl Canned {
    /// Starts on a free port.
    pub async fn answering(bytes: impl Into<Bytes>) -> Self {
        Self(background::run(serve(bytes.into())).await)
    }

    /// Starts on a port that was reserved.
    pub async fn answering_at(port: &Port, bytes: impl Into<Bytes>) -> Self {
        let address = port.address();
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseport(true).expect("SO_REUSEPORT");
        socket.bind(address).expect("the port");
        let bytes = bytes.into();
        Self(background::run(async move { serve_on(socket.listen(64).expect("a listener"), bytes) }).await)
    }

    /// As a provider called `name`.
    pub fn called(&self, name: &str) -> Provider {
        Provider::at(name, &format!("http://{}/v1", self.0))
    }
}

/// Where no connection is ever made, nor refused: the queue of those that wait to be accepted is full, and the kernel drops what comes.
#[derive(Debug)]
pub struct BlackHole {
    /// The listener, and those that wait for it.
    _queue: (Socket, Vec<Socket>),
    address: SocketAddr,
}

impl BlackHole {
    /// Opens on a free port.
    pub fn open() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
        listener.listen(0).expect("a queue");
        let address = listener.local_addr().ok().and_then(|address| address.as_socket()).expect("an address");
        let queue = (0..4).map(|_| {
            let waits = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            waits.set_nonblocking(true).expect("a socket that does not wait");
            let _ = waits.connect(&address.into());
            waits
        });
        let queue = queue.collect();
        Self { _queue: (listener, queue), address }
    }

    /// As a provider called `name`.
    pub fn called(&self, name: &str) -> Provider {
        Provider::at(name, &format!("http://{}/v1", self.address))
    }
}

async fn serve(bytes: Bytes) -> SocketAddr {
    serve_on(TcpListener::bind("127.0.0.1:0").await.expect("a free port"), bytes)
}

fn serve_on(listener: TcpListener, bytes: Bytes) -> SocketAddr {
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
