//! The way to the sidecar: a provider cluster → an internal listener → `ext_proc` → the sidecar's Unix socket.
//!
//! To the routes it is one more provider. `ext_proc` may stand in a listener's chain only: in an upstream chain it
//! crashes Envoy when it answers at once.

use serde_json::{Value, json};

use super::router::router;
use crate::render::names::{LOCAL_LISTENER, SIDECAR};

/// The internal listener, by name.
pub(crate) fn local() -> (String, Value) {
    let unanswered = json!({
        "name": LOCAL_LISTENER,
        "domains": ["*"],
        // Reached only if the sidecar lets a request pass without answering it.
        "routes": [{ "match": { "prefix": "/" }, "direct_response": { "status": 503 } }],
    });
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": LOCAL_LISTENER,
        // The route of the caller's request carries the limits; one here would cut long answers.
        "stream_idle_timeout": "0s",
        // Its answers are the attempt role's to name.
        "server_header_transformation": "PASS_THROUGH",
        "generate_request_id": false,
        "route_config": { "name": LOCAL_LISTENER, "virtual_hosts": [unanswered] },
        "http_filters": [ext_proc(), router()],
    });
    let filter = json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager });
    let listener = json!({
        "name": LOCAL_LISTENER,
        "internal_listener": {},
        // Its connections are the door's, counted there already.
        "ignore_global_conn_limit": true,
        "filter_chains": [{ "filters": [filter] }],
    });
    (LOCAL_LISTENER.to_owned(), listener)
}

fn ext_proc() -> Value {
    json!({
        "name": "envoy.filters.http.ext_proc",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
            "grpc_service": { "envoy_grpc": { "cluster_name": SIDECAR } },
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
