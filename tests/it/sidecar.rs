//! A sidecar that is killed after the first byte of its answer: the rest comes from the next target, or not at all.

use std::path::Path;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Asked;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Answered;
use envoy_types::pb::envoy::service::ext_proc::v3::streamed_immediate_response::Response as Piece;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpHeaders, ProcessingRequest, ProcessingResponse, StreamedBodyResponse, StreamedImmediateResponse,
};
use tokio::net::UnixListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{Request, Response, Status, Streaming};
use weir_tests::{Answer, Gateway, Upstream};

/// A whole answer; only its first half is sent.
const ANSWER: &str = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-0.5]}],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}}"#;

/// Answers with the first half, and then with nothing. To Envoy it looks like a process of its own.
struct HalfASidecar {
    runtime: Option<Runtime>,
}

struct Service;

impl HalfASidecar {
    fn on(socket: &Path) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = {
            let _inside = runtime.enter();
            UnixListener::bind(socket).unwrap()
        };
        let service = ExternalProcessorServer::new(Service);
        let serving = tonic::transport::Server::builder().add_service(service);
        runtime.spawn(serving.serve_with_incoming(UnixListenerStream::new(listener)));
        Self { runtime: Some(runtime) }
    }

    /// Every connection closes at once, as the kernel does it with those of a process that is killed.
    fn kill(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for HalfASidecar {
    fn drop(&mut self) {
        // Dropped in a test's own runtime it may not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

type Message = Result<ProcessingResponse, Status>;

#[tonic::async_trait]
impl ExternalProcessor for Service {
    type ProcessStream = ReceiverStream<Message>;

    async fn process(
        &self,
        asked: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let (answers, stream) = mpsc::channel(4);
        let mut asked = asked.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(message)) = asked.message().await {
                let ended = matches!(message.request, Some(Asked::RequestBody(body)) if body.end_of_stream);
                if !ended {
                    continue;
                }
                let header = |key: &str, value: &str| HeaderValue {
                    key: key.to_owned(),
                    raw_value: value.as_bytes().to_vec(),
                    ..HeaderValue::default()
                };
                let headers = vec![header(":status", "200"), header("content-type", "application/json")];
                let head = HttpHeaders { headers: Some(HeaderMap { headers }), ..HttpHeaders::default() };
                let half = ANSWER.as_bytes()[..ANSWER.len() / 2].to_vec();
                let body = StreamedBodyResponse { body: half, ..StreamedBodyResponse::default() };
                for piece in [Piece::HeadersResponse(head), Piece::BodyResponse(body)] {
                    let streamed = StreamedImmediateResponse { response: Some(piece) };
                    let response = Some(Answered::StreamedImmediateResponse(streamed));
                    let _ = answers.send(Ok(ProcessingResponse { response, ..ProcessingResponse::default() })).await;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// What a caller of `model` gets, where the sidecar is killed when Envoy has the first half of its answer.
async fn asked(model: &str) -> (Answer, Vec<String>) {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .local("m")
        .limit("whole", "1s")
        .model("embed", ["local/m", "sim/text-embedding-3-small"])
        .model("only-local", ["local/m"])
        .start()
        .await;
    let mut sidecar = HalfASidecar::on(&gateway.sidecar_socket());
    let asking = tokio::spawn(gateway.embed(model, "Hi").into_future());
    // Headers, and a piece of the body.
    gateway.until_stat("http.weir-local.ext_proc.stream_msgs_received", 2).await;
    sidecar.kill();
    let answer = asking.await.unwrap();
    let record = gateway.record(answer.id()).await;
    (answer, record.tries())
}

#[tokio::test]
async fn one_that_is_killed_after_its_first_byte_is_made_good_by_the_next_target() {
    let (answer, tries) = asked("embed").await;
    assert_eq!((answer.status(), answer.header("x-weir-provider")), (200, "sim"), "{}", answer.text());
    assert_eq!(answer.json()["data"][0]["object"], "embedding");
    assert_eq!(tries, ["local/m timeout", "sim/text-embedding-3-small ok"]);
}

#[tokio::test]
async fn without_a_next_target_nothing_of_it_is_told() {
    let (answer, tries) = asked("only-local").await;
    assert_eq!((answer.status(), answer.code().as_str()), (504, "upstream_timeout"), "{}", answer.text());
    assert!(!answer.text().contains("embedding"), "{}", answer.text());
    assert_eq!(tries, ["local/m timeout"]);
}
