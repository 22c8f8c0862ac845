//! The way to the sidecar: a provider cluster → an internal listener → `ext_proc` → the sidecar's Unix socket.
//!
//! To the routes it is one more provider. `ext_proc` may stand in a listener's chain only: in an upstream chain it
//! crashes Envoy when it answers at once.

use serde_json::{Value, json};

use super::Paths;
use super::clusters::breakers;

/// The internal listener's name.
pub(super) const LISTENER: &str = "weir-local";
const CLUSTER: &str = "weir-sidecar";

/// A cluster whose only endpoint is the internal listener.
pub(super) fn by_internal_listener(name: &str) -> Value {
    let address = json!({ "envoy_internal_address": { "server_listener_name": LISTENER, "endpoint_id": name } });
    let endpoint = json!({ "address": address, "hostname": "local" });
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [{ "endpoint": endpoint }] }] },
    })
}

/// The internal listener, by name.
pub(super) fn listener() -> (String, Value) {
    let unanswered = json!({
        "name": LISTENER,
        "domains": ["*"],
        // Reached only if the sidecar lets a request pass without answering it.
        "routes": [{ "match": { "prefix": "/" }, "direct_response": { "status": 503 } }],
    });
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": LISTENER,
        // The route of the caller's request carries the limits; one here would cut long answers.
        "stream_idle_timeout": "0s",
        // Its answers are the attempt role's to name.
        "server_header_transformation": "PASS_THROUGH",
        "generate_request_id": false,
        "route_config": { "name": LISTENER, "virtual_hosts": [unanswered] },
        "http_filters": [ext_proc(), super::listener::router()],
    });
    let filter = json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager });
    let listener = json!({
        "name": LISTENER,
        "internal_listener": {},
        // Its connections are the door's, counted there already.
        "ignore_global_conn_limit": true,
        "filter_chains": [{ "filters": [filter] }],
    });
    (LISTENER.to_owned(), listener)
}

fn ext_proc() -> Value {
    json!({
        "name": "envoy.filters.http.ext_proc",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
            "grpc_service": { "envoy_grpc": { "cluster_name": CLUSTER } },
            "processing_mode": {
                "request_header_mode": "SEND",
                "request_body_mode": "FULL_DUPLEX_STREAMED",
                "request_trailer_mode": "SEND",
                "response_header_mode": "SKIP",
                "response_body_mode": "NONE",
                "response_trailer_mode": "SKIP",
            },
            // All that the sidecar reads; each one costs on both sides.
            "forward_rules": { "allowed_headers": { "patterns": [
                { "exact": ":method" }, { "exact": ":path" }, { "exact": "x-request-id" },
                { "exact": "traceparent" }, { "exact": "tracestate" },
            ] } },
            "failure_mode_allow": false,
            // A sidecar that is down is a provider that is down: the next target is tried.
            "status_on_error": { "code": "ServiceUnavailable" },
            // Does not run in duplex mode; the routes' limits do.
            "message_timeout": "60s",
            "mutation_rules": { "allow_all_routing": true, "allow_envoy": true },
        },
    })
}

/// The sidecar itself, on its socket.
pub(super) fn upstream(paths: &Paths) -> Value {
    let endpoint = json!({ "address": { "pipe": { "path": paths.sidecar_socket } } });
    json!({
        "name": CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        // Its own queue says when it is full, with a 429 that names the reason.
        "circuit_breakers": breakers(1_000_000),
        "load_assignment": { "cluster_name": CLUSTER, "endpoints": [{ "lb_endpoints": [{ "endpoint": endpoint }] }] },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { "http2_protocol_options": {} },
            },
        },
    })
}
