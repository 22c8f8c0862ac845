//! A connection to the gateway.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use crate::stream::Stream;

/// The body of a request.
pub(crate) type Sent = BoxBody<Bytes, Infallible>;

/// A connection by HTTP/1.1 that its caller keeps for more than one request.
#[derive(Debug)]
pub struct Connection {
    sender: http1::SendRequest<Sent>,
    task: AbortHandle,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.expect("the gateway listens");
        Self::over(tcp).await.expect("a connection")
    }

    pub(crate) async fn over(tcp: TcpStream) -> hyper::Result<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(tcp)).await?;
        Ok(Self { sender, task: tokio::spawn(async { drop(connection.await) }).abort_handle() })
    }

    /// Waits until another request can be sent. False: it is closed.
    pub async fn is_ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    pub(crate) async fn send(&mut self, request: Request<Sent>) -> hyper::Result<Stream> {
        Ok(Stream::new(self.sender.send_request(request).await?, self.task.clone()))
    }
}
