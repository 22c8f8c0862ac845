//! A collector of spans: OTLP over gRPC, as Envoy sends them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};
use weir_sim::Tls;

use crate::{background, eventually};

/// A running collector.
#[derive(Debug)]
pub struct Collector {
    /// Where it listens.
    url: String,
    spans: Spans,
}

/// One span.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// Its trace, in hex.
    pub trace: String,
    /// It, in hex.
    pub id: String,
    /// Its parent, in hex; empty at the root.
    pub parent: String,
    /// Whether it is a server's, a client's or another.
    pub kind: i32,
    /// Its attributes, written as text.
    pub attributes: BTreeMap<String, String>,
}

type Spans = Arc<Mutex<Vec<Span>>>;

impl Collector {
    /// Starts on a free port.
    pub async fn start() -> Self {
        Self::serve("http", Server::builder()).await
    }

    /// Starts on a free port and speaks TLS, with this certificate for `127.0.0.1`.
    pub async fn with_tls(tls: Tls) -> Self {
        let identity = ServerTlsConfig::new().identity(Identity::from_pem(tls.certificate, tls.key));
        Self::serve("https", Server::builder().tls_config(identity).expect("a certificate")).await
    }

    async fn serve(scheme: &str, mut server: Server) -> Self {
        let spans = Spans::default();
        let service = TraceServiceServer::new(Service(Arc::clone(&spans)));
        let address = background::run(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("an address");
            let incoming = TcpListenerStream::new(listener);
            tokio::spawn(async move { drop(server.add_service(service).serve_with_incoming(incoming).await) });
            address
        });
        Self { url: format!("{scheme}://{}", address.await), spans }
    }

    /// Where it listens, as a URL.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Waits until `count` spans of one trace have come, and returns them.
    pub async fn spans(&self, trace: &str, count: usize) -> Vec<Span> {
        let found = || {
            let spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
            let of_trace: Vec<Span> = spans.iter().filter(|span| span.trace == trace).cloned().collect();
            (of_trace.len() >= count).then_some(of_trace)
        };
        eventually("spans", found).await
    }
}

struct Service(Spans);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.into_inner().resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        let spans = scopes.flat_map(|scope| scope.spans).map(|span| Span {
            name: span.name,
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            kind: span.kind,
            attributes: attributes(span.attributes),
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Values by name. A name that is there twice has both values, so that neither hides the other.
fn attributes(all: Vec<KeyValue>) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::<String, String>::new();
    for attribute in all {
        let Some(value) = attribute.value.and_then(|value| value.value).map(text) else { continue };
        attributes.entry(attribute.key).and_modify(|first| first.extend([", ", &value])).or_insert(value);
    }
    attributes
}

fn text(value: Value) -> String {
    match value {
        Value::StringValue(text) => text,
        Value::BoolValue(value) => value.to_string(),
        Value::IntValue(value) => value.to_string(),
        Value::DoubleValue(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}
