//! What a test sends: a plain HTTP client. Each request has a connection of its own, unless it is sent on a
//! [`Connection`].

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

use crate::answer::Answer;
use crate::connection::{Connection, Sent};
use crate::stream::Stream;
use crate::{PATIENCE, logs};

/// One request, to be sent by awaiting it, or by [`open`](Self::open) to read the answer bit by bit.
#[must_use = "it is sent by awaiting it"]
#[derive(Clone, Debug)]
pub struct Ask {
    address: SocketAddr,
    log: PathBuf,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    trailers: HeaderMap,
    body: Body,
    length: Length,
    version: Version,
    window: Option<usize>,
}

#[derive(Clone, Debug)]
enum Body {
    None,
    Json(Value),
    Raw(Bytes),
}

/// How the body's end is told.
#[derive(Clone, Copy, Debug)]
enum Length {
    Told,
    Chunked,
}

#[derive(Clone, Copy, Debug)]
enum Version {
    Http1,
    Http2,
}

impl Ask {
    pub(crate) fn new(address: SocketAddr, log: PathBuf, key: &str, method: Method, path: &str) -> Self {
        Self {
            address,
            log,
            method,
            path: path.to_owned(),
            headers: vec![("authorization".to_owned(), format!("Bearer {key}"))],
            trailers: HeaderMap::new(),
            body: Body::None,
            length: Length::Told,
            version: Version::Http1,
            window: None,
        }
    }

    /// With this body.
    pub fn json(mut self, body: Value) -> Self {
        self.body = Body::Json(body);
        self.header("content-type", "application/json")
    }

    /// With these fields in the body as well.
    pub fn with(mut self, more: Value) -> Self {
        if let (Body::Json(Value::Object(body)), Value::Object(more)) = (&mut self.body, more) {
            body.extend(more);
        }
        self
    }

    /// With these bytes as the body.
    pub fn raw(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Body::Raw(body.into());
        self
    }

    /// Streamed.
    pub fn streamed(self) -> Self {
        self.with(json!({ "stream": true }))
    }

    /// Streamed, with the usage at its end.
    pub fn streamed_with_usage(self) -> Self {
        self.with(json!({ "stream": true, "stream_options": { "include_usage": true } }))
    }

    /// With the body in chunks, its length untold.
    pub fn chunked(mut self) -> Self {
        self.length = Length::Chunked;
        self
    }

    /// With this header behind the body, which is then sent in chunks.
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        self.trailers.append(name, HeaderValue::from_str(value).expect("a value"));
        self.chunked()
    }

    /// By HTTP/2.
    pub fn by_http2(mut self) -> Self {
        self.version = Version::Http2;
        self
    }

    /// From a caller that takes only a few kilobytes before it reads.
    pub fn slowly_read(mut self) -> Self {
        self.window = Some(4096);
        self
    }

    /// With another key.
    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// Without a key.
    pub fn without_key(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "authorization");
        self
    }

    /// With this header, in place of any other of that name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends it and returns once the answer's headers are there. An error: the connection broke before.
    pub async fn try_open(self) -> hyper::Result<Stream> {
        logs::show_on_failure(&self.log);
        let opened = async { self.send(self.connect().await.expect("the gateway listens")).await };
        tokio::time::timeout(PATIENCE, opened).await.expect("waited in vain for an answer")
    }

    /// Sends it and returns the whole answer; none if nobody listens there, or the connection breaks before the answer's headers.
    pub async fn if_answered(self) -> Option<Answer> {
        logs::show_on_failure(&self.log);
        let opened = async { self.send(self.connect().await.ok()?).await.ok() };
        let stream = tokio::time::timeout(PATIENCE, opened).await.expect("waited in vain for an answer")?;
        Some(stream.rest().await)
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(window) = self.window {
            SockRef::from(&socket).set_recv_buffer_size(window).expect("a smaller buffer");
        }
        let tcp = socket.connect(self.address).await?;
        let _ = tcp.set_nodelay(true);
        Ok(tcp)
    }

    async fn send(&self, tcp: TcpStream) -> hyper::Result<Stream> {
        match self.version {
            Version::Http1 => Connection::over(tcp).await?.send(self.request("")).await,
            Version::Http2 => {
                let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tcp)).await?;
                let connection = tokio::spawn(async { drop(connection.await) });
                let origin = format!("http://{}", self.address);
                let response = sender.send_request(self.request(&origin)).await?;
                Ok(Stream::new(response, connection.abort_handle()))
            }
        }
    }

    /// Sends it on this connection and returns once the answer's headers are there. An error: the connection broke before.
    pub async fn on(self, connection: &mut Connection) -> hyper::Result<Stream> {
        logs::show_on_failure(&self.log);
        connection.send(self.request("")).await
    }

    /// Sends it and returns once the answer's headers are there.
    pub async fn open(self) -> Stream {
        self.try_open().await.expect("an answer")
    }

    fn request(&self, origin: &str) -> Request<Sent> {
        let bytes = match &self.body {
            Body::None => Bytes::new(),
            Body::Json(value) => Bytes::from(value.to_string()),
            Body::Raw(bytes) => bytes.clone(),
        };
        let mut request = Request::builder().method(&self.method).uri(format!("{origin}{}", self.path));
        if origin.is_empty() {
            request = request.header("host", self.address.to_string());
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let body = match self.length {
            Length::Told => Full::new(bytes).boxed(),
            Length::Chunked => {
                let chunks: Vec<Bytes> = bytes.chunks(16 << 10).map(Bytes::copy_from_slice).collect();
                let trailers = (!self.trailers.is_empty()).then(|| Ok(Frame::trailers(self.trailers.clone())));
                let frames: Vec<_> = chunks.into_iter().map(|chunk| Ok(Frame::data(chunk))).chain(trailers).collect();
                StreamBody::new(tokio_stream::iter(frames)).boxed()
            }
        };
        request.body(body).expect("a request")
    }
}

impl IntoFuture for Ask {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { self.open().await.rest().await })
    }
}
