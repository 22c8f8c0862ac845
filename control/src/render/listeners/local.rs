//! The way to the sidecar: a provider cluster → an internal listener → `ext_proc` → the sidecar's Unix socket.
//!
//! To the routes it is one more provider. `ext_proc` may be only in the chain of a listener: in an upstream chain it crashes Envoy
//! when it answers at once.

use serde_json::{Value, json};

use super::router::router;
use crate::render::names::{LOCAL_LISTENER, SIDECAR};

/// The internal listener, by name.
pub(crate) fn local() -> (String, Value) {
    let unanswered = json!({
        "name": LOCAL_LISTENER,
        "domains": ["*"],
        // A request comes here only if the sidecar does not answer it.
        "routes": [{ "match": { "prefix": "/" }, "direct_response": { "status": 503 } }],
    });
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": LOCAL_LISTENER,
        // The route of the caller's request has the limits. A limit here would cut long answers.
        "stream_idle_timeout": "0s",
        // The attempt role writes this header.
        "server_header_transformation": "PASS_THROUGH",
        "generate_request_id": false,
        "route_config": { "name": LOCAL_LISTENER, "virtual_hosts": [unanswered] },
        "http_filters": [ext_proc(), router()],
    });
    let filter = json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager });
    let listener = json!({
        "name": LOCAL_LISTENER,
        "internal_listener": {},
        // Its connections belong to requests that the door has counted already.
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
            // The headers that the sidecar reads. Each costs time on both sides.
            "forward_rules": { "allowed_headers": { "patterns": [
                { "exact": ":method" }, { "exact": ":path" }, { "exact": "x-request-id" },
                { "exact": "traceparent" }, { "exact": "tracestate" },
            ] } },
            "failure_mode_allow": false,
            // A sidecar that is down is like a provider that is down: the next target is tried.
            "status_on_error": { "code": "ServiceUnavailable" },
            // This timer does not run in duplex mode. The limits of the routes do.
            "message_timeout": "60s",
            "mutation_rules": { "allow_all_routing": true, "allow_envoy": true },
        },
    })
}
