//! Where Envoy's admin interface is, and how it is asked: a Unix socket that only one user can open, or an address.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// Where Envoy's admin interface is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminAddress {
    /// An address and a port, which any process of the machine can reach.
    Tcp(SocketAddr),
    /// A Unix socket.
    Socket(PathBuf),
}

/// A status and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

impl FromStr for AdminAddress {
    type Err = Infallible;

    /// What is no address and port is a socket's path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Socket(text.into()), Self::Tcp))
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

impl AdminAddress {
    /// The answer to one request without a body. It may take as long as Envoy does: the caller limits it.
    pub async fn ask(&self, method: Method, path: &str) -> io::Result<Answer> {
        match self {
            Self::Tcp(address) => ask(TcpStream::connect(reachable(*address)).await?, method, path).await,
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

/// Listening everywhere includes here.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let here = if address.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) };
        address.set_ip(here);
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["127.0.0.1:10001", "[::1]:10001", "/run/weir/admin.sock"] {
            let Ok(address) = text.parse::<AdminAddress>();
            assert_eq!(address.to_string(), text);
            assert_eq!(matches!(address, AdminAddress::Socket(_)), text.starts_with('/'), "{text}");
        }
    }
}
