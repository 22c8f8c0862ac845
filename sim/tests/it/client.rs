//! A client that keeps what it got before a connection broke.

use std::io::Read;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use weir_sim::{Options, Sim};

/// What came back.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) end: Ended,
}

/// How the answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Cleanly,
    Broken,
}

impl Got {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The events of a stream: name (empty where there is none) and data.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        let field = |event: &str, name: &str| {
            event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
        };
        self.text()
            .replace("\r\n", "\n")
            .split("\n\n")
            .filter(|event| !event.is_empty())
            .map(|event| (field(event, "event:"), field(event, "data:")))
            .collect()
    }

    /// The data of each event that is JSON.
    pub(crate) fn data(&self) -> Vec<Value> {
        self.events().iter().filter_map(|(_, data)| serde_json::from_str(data).ok()).collect()
    }

    /// The body out of its gzip.
    pub(crate) fn unzipped(&self) -> String {
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(self.body.as_slice()).read_to_string(&mut text).unwrap();
        text
    }
}

/// A simulator on a free port.
pub(crate) async fn sim() -> Sim {
    Sim::start(Options::default()).await.unwrap()
}

/// The headers of a caller of either API.
pub(crate) const HEADERS: [(&str, &str); 4] = [
    ("content-type", "application/json"),
    ("authorization", "Bearer sk-test"),
    ("x-api-key", "sk-ant-test"),
    ("anthropic-version", "2023-06-01"),
];

/// Posts JSON with good headers.
pub(crate) async fn post(sim: &Sim, path: &str, body: &Value) -> Got {
    send(sim, "POST", path, &HEADERS, body.to_string()).await.unwrap()
}

/// Asks for a chat completion.
pub(crate) async fn chat(sim: &Sim, model: &str, more: Value) -> Got {
    try_chat(sim, model, more).await.unwrap()
}

pub(crate) async fn try_chat(sim: &Sim, model: &str, more: Value) -> hyper::Result<Got> {
    let body = with(json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]}), more);
    send(sim, "POST", "/v1/chat/completions", &HEADERS, body.to_string()).await
}

/// Asks for a message.
pub(crate) async fn message(sim: &Sim, model: &str, more: Value) -> Got {
    let base = json!({"model": model, "max_tokens": 4096, "messages": [{"role": "user", "content": "Hi"}]});
    post(sim, "/v1/messages", &with(base, more)).await
}

/// `base` with the fields of `more`.
pub(crate) fn with(mut base: Value, more: Value) -> Value {
    if let Value::Object(more) = more {
        base.as_object_mut().unwrap().extend(more);
    }
    base
}

/// Sends a request on a connection of its own. An error means that there were not even headers.
pub(crate) async fn send(
    sim: &Sim,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> hyper::Result<Got> {
    collect(open(sim, method, path, headers, body).await?).await
}

/// Sends a request and returns once headers are there.
pub(crate) async fn open(
    sim: &Sim,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> hyper::Result<hyper::Response<Incoming>> {
    let stream = TcpStream::connect(sim.address()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request(path, method, headers, body.into())).await
}

/// The same by HTTP/2 without TLS.
pub(crate) async fn send_h2(sim: &Sim, path: &str, body: &Value) -> hyper::Result<Got> {
    let stream = TcpStream::connect(sim.address()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let uri = format!("http://{}{path}", sim.address());
    collect(sender.send_request(request(&uri, "POST", &HEADERS, body.to_string().into())).await?).await
}

pub(crate) fn request(uri: &str, method: &str, headers: &[(&str, &str)], body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(uri);
    if uri.starts_with('/') {
        request = request.header("host", "sim.test");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body)).unwrap()
}

/// Reads an answer to its end, clean or not.
pub(crate) async fn collect(response: hyper::Response<Incoming>) -> hyper::Result<Got> {
    let (head, mut incoming) = response.into_parts();
    let mut got = Got { status: head.status.as_u16(), headers: head.headers, body: Vec::new(), end: Ended::Cleanly };
    while let Some(frame) = incoming.frame().await {
        let Ok(frame) = frame else {
            got.end = Ended::Broken;
            break;
        };
        got.body.extend_from_slice(&frame.into_data().unwrap_or_default());
    }
    Ok(got)
}

/// Reads until what has come satisfies `enough`, then hangs up.
pub(crate) async fn read_until(response: hyper::Response<Incoming>, enough: impl Fn(&str) -> bool) -> String {
    let mut incoming = response.into_body();
    let mut text = String::new();
    while !enough(&text) {
        let frame = incoming.frame().await.expect("the answer goes on").unwrap();
        text.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap()));
    }
    text
}

/// One part of a form: its name, the file's name where it is one, and what it holds.
pub(crate) type Part<'a> = (&'a str, Option<&'a str>, &'a [u8]);

/// Posts a form with good headers.
pub(crate) async fn upload(sim: &Sim, path: &str, parts: &[Part<'_>]) -> Got {
    try_upload(sim, path, parts).await.unwrap()
}

pub(crate) async fn try_upload(sim: &Sim, path: &str, parts: &[Part<'_>]) -> hyper::Result<Got> {
    let mut body = Vec::new();
    for (name, file, bytes) in parts {
        let file = file.map_or(String::new(), |file| format!("; filename=\"{file}\""));
        body.extend(format!("--b0undary\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b0undary--\r\n");
    let headers = [("content-type", "multipart/form-data; boundary=b0undary"), HEADERS[1]];
    send(sim, "POST", path, &headers, body).await
}
