//! Spans over OTLP: one for the caller's request, one for each try.

use serde_json::{Value, json};
use weir_core::config::Gateway;
use weir_core::record::span;

use crate::render::names::{COLLECTOR, NODE};

/// The URL without its query, in which Gemini's clients can have their key. It replaces Envoy's own tag of this name, which has the
/// query.
const URL: (&str, &str) = ("http.url", "%REQ(:SCHEME)%://%REQ(:AUTHORITY)%%PATH(NQ:PATH)%");

/// The listener's `tracing`, `None` without a collector.
pub(super) fn tracing(gateway: &Gateway) -> Option<Value> {
    gateway.telemetry().otlp.as_ref()?;
    let tag = |tag: &str, value: &str| json!({ "tag": tag, "value": value });
    let attributes = span::ATTRIBUTES.iter();
    let tags = attributes.map(|own| tag(own.name, &format!("%FILTER_STATE({}:PLAIN)%", own.key)));
    let tags = tags.chain([tag(URL.0, URL.1)]);
    Some(json!({
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
                "service_name": NODE,
                "grpc_service": { "envoy_grpc": { "cluster_name": COLLECTOR } },
            },
        },
        "spawn_upstream_span": true,
        "custom_tags": tags.collect::<Vec<_>>(),
    }))
}
