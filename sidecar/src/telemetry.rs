//! Logs and spans. They never hold a prompt, an input or an embedding. [`init`] sets them up, once a process. The span of a request
//! continues its caller's trace.

use std::panic::PanicHookInfo;
use std::time::Duration;

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use thiserror::Error;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// How long sending the last spans may take at the end.
const FLUSH: Duration = Duration::from_secs(5);

/// Why logs and spans could not be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The process has set up logs already.
    #[error("logs are set up already: {0}; call this once")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Keeps spans flowing; [`Telemetry::end`] sends the last.
#[derive(Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Sets up logs on standard error as JSON, filtered by `RUST_LOG` (default `info`), and spans to `otlp` where it is given.
/// Call it once per process, inside a tokio runtime. If spans cannot be sent, that is logged and the sidecar serves.
pub fn init(otlp: Option<&str>) -> Result<Telemetry, TelemetryError> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,ort=warn"));
    let logs = tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr).with_filter(filter);
    let (provider, problem) = match otlp.map(provider).transpose() {
        Ok(provider) => (provider, None),
        Err(error) => (None, Some(error)),
    };
    let spans = provider.as_ref().map(|provider| {
        // Only our own spans. Those of libraries would double the cost and say little.
        let own = tracing_subscriber::filter::Targets::new().with_target("weir_sidecar", tracing::Level::INFO);
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("weir-sidecar"))
            .with_location(false)
            .with_tracked_inactivity(false)
            .with_filter(own)
    });
    tracing_subscriber::registry().with(logs).with(spans).try_init()?;
    std::panic::set_hook(Box::new(log_panic));
    if let Some(error) = problem {
        tracing::error!(%error, "no spans are sent; give \"otlp\" an address such as http://127.0.0.1:4317");
    }
    Ok(Telemetry { provider })
}

impl Telemetry {
    /// Sends what has not been sent yet. Blocks for a few seconds at most.
    pub fn end(self) {
        if let Some(provider) = self.provider {
            // The process ends. If the collector is down, nothing can be done about it any more.
            let _ = provider.shutdown_with_timeout(FLUSH);
        }
    }
}

/// Logs the place of a panic and not its message, which may quote an input.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "a panic");
}

fn provider(endpoint: &str) -> Result<SdkTracerProvider, ExporterBuildError> {
    let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
    if endpoint.starts_with("https:") {
        // By default the exporter trusts no certificate. Use the certificates of the system, as Envoy does.
        exporter = exporter.with_tls_config(ClientTlsConfig::new().with_native_roots());
    }
    let exporter = exporter.build()?;
    let resource = Resource::builder().with_service_name("weir-sidecar").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// A count as a signed number. OpenTelemetry would write an unsigned one as text.
pub fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The span of one request, a child of the span that its headers name. Fields that are empty here are recorded later.
pub fn request_span(operation: &'static str, headers: &dyn Extractor) -> Span {
    let span = tracing::info_span!(
        "request",
        otel.name = operation,
        otel.kind = "server",
        otel.status_code = Empty,
        gen_ai.operation.name = operation,
        gen_ai.provider.name = "weir",
        gen_ai.request.model = Empty,
        gen_ai.response.model = Empty,
        gen_ai.usage.input_tokens = Empty,
        http.response.status_code = Empty,
        http.request.id = headers.get("x-request-id"),
    );
    if !span.is_disabled() {
        // It fails if no layer takes spans; then there is nothing to continue.
        let _ = span.set_parent(TraceContextPropagator::new().extract(headers));
    }
    span
}
