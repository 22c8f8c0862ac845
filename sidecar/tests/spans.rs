//! Spans continue the caller's trace, and hold no prompt. A test of its own: a process has one subscriber.

#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test may panic, and shares a module with others"
)]

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

#[path = "it/caller.rs"]
mod caller;

#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let spans = request.into_inner().resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        self.spans.lock().unwrap().extend(spans.flat_map(|scope| scope.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn attribute(span: &Span, key: &str) -> Option<Value> {
    span.attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_span_of_its_callers_trace() {
    let collector = Collector::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let serving = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(collector.clone()))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(serving);
    let telemetry = weir_sidecar::telemetry::init(Some(&endpoint)).unwrap();

    let sidecar = caller::Running::minilm("onnx").await;
    let mut stream = caller::Stream::open(&sidecar.channel).await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    stream.headers("POST", "/v1/embeddings", &[("traceparent", traceparent), ("x-request-id", "r-1")]).await;
    stream.body(json!({"model": "minilm", "input": "a secret"}).to_string().into_bytes(), true).await;
    assert_eq!(stream.reply().await.status, 200);
    sidecar.stop().await;
    tokio::task::spawn_blocking(|| telemetry.end()).await.unwrap();

    let spans = collector.spans.lock().unwrap();
    let named =
        |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:#?}"));
    let request = named("embeddings minilm");
    assert_eq!(request.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes());
    assert_eq!(request.parent_span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    assert_eq!(request.kind, 2, "a server span");
    let text = |text: &str| Some(Value::StringValue(text.to_owned()));
    assert_eq!(attribute(request, "gen_ai.operation.name"), text("embeddings"));
    assert_eq!(attribute(request, "gen_ai.request.model"), text("minilm"));
    assert_eq!(attribute(request, "gen_ai.usage.input_tokens"), Some(Value::IntValue(4)));
    assert_eq!(attribute(request, "http.response.status_code"), Some(Value::IntValue(200)));
    assert_eq!(attribute(request, "http.request.id"), text("r-1"));
    let (queue, inference) = (named("queue"), named("inference"));
    for child in [queue, inference] {
        assert_eq!((&child.trace_id, &child.parent_span_id), (&request.trace_id, &request.span_id));
    }
    assert!(queue.end_time_unix_nano <= inference.end_time_unix_nano);
    assert_eq!(attribute(inference, "batch.padded_tokens"), Some(Value::IntValue(4)));
    assert!(!format!("{spans:?}").contains("secret"));
}
