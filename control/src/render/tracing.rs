//! Spans over OTLP: one for the caller's request, one for each try.

use serde_json::{Value, json};
use weir_core::config::Gateway;
use weir_core::span;
use weir_core::upstream::Url;

use super::{Paths, RenderError, clusters, tls};

/// The collector's cluster.
pub(super) const CLUSTER: &str = "weir-otlp";

/// What was asked for, without its query: Gemini's clients can have their key there. Envoy's own tag of this name has all of it,
/// and this one takes its place.
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
                "service_name": super::NODE,
                "grpc_service": { "envoy_grpc": { "cluster_name": CLUSTER } },
            },
        },
        "spawn_upstream_span": true,
        "custom_tags": tags.collect::<Vec<_>>(),
    }))
}

/// The collector at `otlp`.
pub(super) fn cluster(otlp: &Url, paths: &Paths) -> Result<Value, RenderError> {
    let mut cluster = clusters::network(CLUSTER, otlp);
    let socket = tls::socket(otlp, None, CLUSTER, paths)?;
    if let Some(cluster) = cluster.as_object_mut() {
        if let Some(socket) = socket {
            cluster.insert("transport_socket".to_owned(), socket);
        }
        let options = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { "http2_protocol_options": {} },
            },
        });
        cluster.insert("typed_extension_protocol_options".to_owned(), options);
    }
    Ok(cluster)
}
