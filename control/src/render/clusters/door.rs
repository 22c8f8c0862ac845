//! The cluster by which an operator's routes lead to Weir.

use serde_json::{Value, json};

use super::breakers::breakers;
use crate::render::names::DOOR;

/// The cluster by which the operator's routes lead to the internal listener.
///
/// It speaks HTTP/1.1: there each request has a connection of its own. In HTTP/2 all callers of a worker would share one, and
/// those who read slowly, or hang up often, could stop or end it for the others.
pub(crate) fn door() -> Value {
    let address = json!({ "envoy_internal_address": { "server_listener_name": DOOR, "endpoint_id": DOOR } });
    let raw = json!({
        "name": "envoy.transport_sockets.raw_buffer",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer" },
    });
    json!({
        "name": DOOR,
        "type": "STATIC",
        "connect_timeout": "1s",
        // The requests to each provider are limited where they go there.
        "circuit_breakers": breakers(1_000_000),
        "load_assignment": {
            "cluster_name": DOOR,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                // Sooner than the listener ends them: it would else end one that a request is just given.
                "common_http_protocol_options": { "idle_timeout": "30s" },
                "explicit_http_config": { "http_protocol_options": {} },
            },
        },
        // Filter state that is shared with the upstream goes with the connection: what the operator has verified of a caller.
        "transport_socket": {
            "name": "envoy.transport_sockets.internal_upstream",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport",
                "transport_socket": raw,
            },
        },
    })
}
