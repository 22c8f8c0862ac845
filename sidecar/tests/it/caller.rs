//! A sidecar on a socket of its own, and a client that speaks `ext_proc` as Envoy does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Asked;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Answer;
use envoy_types::pb::envoy::service::ext_proc::v3::streamed_immediate_response::Response as Piece;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};
use weir_sidecar::{Server, Settings, StartError};

/// How long anything here may take before the test is told that it hangs.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Where models and libraries for tests are. They are fetched once, for all checkouts.
pub fn cache() -> PathBuf {
    let named = std::env::var_os("WEIR_CACHE").map(PathBuf::from);
    let cache = named.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/weir"));
    for needed in ["models/all-minilm-l6-v2/model.onnx", "onnxruntime/libonnxruntime.so"] {
        assert!(cache.join(needed).exists(), "{}: missing; run `make fetch`", cache.join(needed).display());
    }
    cache
}

/// The folder of the model that tests run.
pub fn minilm() -> PathBuf {
    cache().join("models/all-minilm-l6-v2")
}

pub struct Running {
    pub folder: tempfile::TempDir,
    pub admin: SocketAddr,
    pub channel: Channel,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), StartError>>,
}

/// Settings of a sidecar in `folder` that serves `models`, with `changes` merged in.
pub fn settings(folder: &Path, models: &Value, changes: &Value) -> Settings {
    let mut settings = json!({
        "socket": folder.join("sidecar.sock"),
        "admin": "127.0.0.1:0",
        "onnxruntime": cache().join("onnxruntime/libonnxruntime.so"),
        "models": models,
    });
    for (key, value) in changes.as_object().into_iter().flatten() {
        settings[key] = value.clone();
    }
    serde_json::from_value(settings).unwrap()
}

impl Running {
    /// A sidecar that serves `MiniLM` as "minilm" with the given engine, and has loaded it.
    pub async fn minilm(engine: &str) -> Self {
        Self::with(engine, json!({})).await
    }

    pub async fn with(engine: &str, changes: Value) -> Self {
        let models = json!([{"name": "minilm", "path": minilm(), "engine": engine}]);
        let running = Self::start(models, changes).await;
        running.until_ready().await;
        running
    }

    pub async fn start(models: Value, changes: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), &models, &changes);
        let socket = settings.socket.clone();
        let server = Server::bind(settings).await.unwrap();
        let admin = server.admin().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(async { drop(stopped.await) }));
        let channel = connect(&socket).await;
        Self { folder, admin, channel, stop, task }
    }

    /// Asks until every model is ready. Between two tries the loading thread runs, not this one.
    pub async fn until_ready(&self) {
        let ready = async {
            while self.admin("/readyz").await.0 != 200 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.expect("the models were not ready in time");
    }

    pub async fn admin(&self, path: &str) -> (u16, String) {
        admin(self.admin, path).await
    }

    pub async fn embed(&self, body: &Value) -> Reply {
        self.post("/v1/embeddings", serde_json::to_vec(body).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: Vec<u8>) -> Reply {
        self.ask("POST", path, vec![body]).await
    }

    pub async fn ask(&self, method: &str, path: &str, body: Vec<Vec<u8>>) -> Reply {
        let mut stream = Stream::open(&self.channel).await;
        stream.headers(method, path, &[]).await;
        let last = body.len().saturating_sub(1);
        for (index, part) in body.into_iter().enumerate() {
            stream.body(part, index == last).await;
        }
        tokio::time::timeout(PATIENCE, stream.reply()).await.expect("no answer in time")
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        drop(self.channel);
        tokio::time::timeout(PATIENCE, self.task).await.expect("it did not stop").unwrap().unwrap();
        assert!(!self.folder.path().join("sidecar.sock").exists(), "the socket was left behind");
    }

    /// Asks it to stop while the connection stays open.
    pub fn stopping(self) -> (oneshot::Sender<()>, JoinHandle<Result<(), StartError>>, tempfile::TempDir, Channel) {
        (self.stop, self.task, self.folder, self.channel)
    }
}

/// Asks for health or metrics.
pub async fn admin(address: SocketAddr, path: &str) -> (u16, String) {
    use http_body_util::{BodyExt, Empty};
    let connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(connection)).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::get(path).header("host", "admin").body(Empty::<bytes::Bytes>::new()).unwrap();
    let reply = sender.send_request(request).await.unwrap();
    let status = reply.status().as_u16();
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

pub async fn connect(socket: &Path) -> Channel {
    let socket = socket.to_owned();
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://sidecar").connect_with_connector(connector).await.unwrap()
}

/// One `ext_proc` stream.
pub struct Stream {
    asked: Option<mpsc::Sender<ProcessingRequest>>,
    answers: Streaming<ProcessingResponse>,
}

pub struct Reply {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub pieces: usize,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Status, type, param and code of an error.
    pub fn error(&self) -> (u16, String, Value, String) {
        let error = &self.json()["error"];
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        (self.status, text("type"), error["param"].clone(), text("code"))
    }

    pub fn embeddings(&self) -> Vec<Vec<f32>> {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        let json = self.json();
        assert_eq!((&json["object"], &json["data"][0]["object"]), (&json!("list"), &json!("embedding")));
        let items = json["data"].as_array().unwrap();
        for (index, item) in items.iter().enumerate() {
            assert_eq!(item["index"], index);
        }
        items.iter().map(|item| serde_json::from_value(item["embedding"].clone()).unwrap()).collect()
    }
}

impl Stream {
    pub async fn open(channel: &Channel) -> Self {
        let (asked, requests) = mpsc::channel(64);
        let mut client = ExternalProcessorClient::new(channel.clone()).max_decoding_message_size(64 << 20);
        // The server answers the call when it sees it, before any message.
        let answers = client.process(ReceiverStream::new(requests)).await.unwrap().into_inner();
        Self { asked: Some(asked), answers }
    }

    pub async fn headers(&mut self, method: &str, path: &str, more: &[(&str, &str)]) {
        let usual =
            [(":method", method), (":path", path), (":authority", "local"), ("content-type", "application/json")];
        let headers = usual.iter().chain(more).map(|(key, value)| HeaderValue {
            key: (*key).to_owned(),
            raw_value: value.as_bytes().to_vec(),
            ..HeaderValue::default()
        });
        let headers = Some(HeaderMap { headers: headers.collect() });
        let end_of_stream = method == "GET";
        self.send(Asked::RequestHeaders(HttpHeaders { headers, end_of_stream, ..HttpHeaders::default() })).await;
    }

    pub async fn body(&mut self, body: Vec<u8>, end_of_stream: bool) {
        self.send(Asked::RequestBody(HttpBody { body, end_of_stream, ..HttpBody::default() })).await;
    }

    async fn send(&mut self, request: Asked) {
        let message = ProcessingRequest { request: Some(request), ..ProcessingRequest::default() };
        if let Some(asked) = &self.asked {
            // The sidecar may have answered and closed already, as with a body that is too long.
            let _ = asked.send(message).await;
        }
    }

    /// Says that nothing more will come, as Envoy does when its caller has left; the answer could still be read.
    pub fn end(&mut self) {
        self.asked = None;
    }

    /// Waits until the sidecar has nothing more to say, and returns how many messages that were.
    pub async fn silence(&mut self) -> usize {
        let mut messages = 0;
        while let Ok(Some(_)) = self.answers.message().await {
            messages += 1;
        }
        messages
    }

    /// Reads the whole answer, holding it to the protocol: headers first, then body, the end said once.
    pub async fn reply(&mut self) -> Reply {
        let mut reply = Reply { status: 0, headers: BTreeMap::new(), body: Vec::new(), pieces: 0 };
        let mut ended = false;
        while let Some(message) = self.answers.message().await.unwrap() {
            let Some(Answer::StreamedImmediateResponse(streamed)) = message.response else {
                panic!("not a streamed answer: {message:?}");
            };
            assert!(!ended, "something came after the end");
            match streamed.response.unwrap() {
                Piece::HeadersResponse(head) => {
                    assert_eq!(reply.status, 0, "headers came twice");
                    for header in head.headers.unwrap().headers {
                        reply.headers.insert(header.key, String::from_utf8(header.raw_value).unwrap());
                    }
                    reply.status = reply.headers[":status"].parse().unwrap();
                }
                Piece::BodyResponse(part) => {
                    assert_ne!(reply.status, 0, "a body came before headers");
                    reply.body.extend(part.body);
                    reply.pieces += 1;
                    ended = part.end_of_stream;
                }
                Piece::TrailersResponse(_) => panic!("trailers"),
            }
        }
        assert!(ended, "the answer was not ended");
        reply
    }
}
