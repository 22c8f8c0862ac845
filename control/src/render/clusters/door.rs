//! The cluster by which an operator's routes lead to Weir.

use serde_json::{Value, json};

use super::breakers::breakers;
use crate::render::names::DOOR;

/// The cluster by which the operator's routes lead to the internal listener.
///
/// It speaks HTTP/1.1, where each request has a connection of its own. In HTTP/2 all callers of a worker would share a connection:
/// a caller who reads slowly could stop it for the others, and callers who hang up often could end it.
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
        // Each provider's cluster limits the requests to that provider.
        "circuit_breakers": breakers(1_000_000),
        "load_assignment": {
            "cluster_name": DOOR,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                // Shorter than the listener's: otherwise the listener could end a connection just as a request gets it.
                "common_http_protocol_options": { "idle_timeout": "30s" },
                "explicit_http_config": { "http_protocol_options": {} },
            },
        },
        // Shared filter state travels with the connection: it holds what the operator has verified about the caller.
        "transport_socket": {
            "name": "envoy.transport_sockets.internal_upstream",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport",
                "transport_socket": raw,
            },
        },
    })
}
