//! The sidecar's cluster.

use serde_json::{Value, json};

use super::breakers::breakers;
use crate::render::names::SIDECAR;
use crate::render::node::Node;

/// The sidecar itself, on its socket.
pub(crate) fn sidecar(node: &Node) -> Value {
    let endpoint = json!({ "address": { "pipe": { "path": node.sidecar_socket } } });
    json!({
        "name": SIDECAR,
        "type": "STATIC",
        "connect_timeout": "1s",
        // The sidecar's own queue refuses when it is full, with a 429 that names the reason.
        "circuit_breakers": breakers(1_000_000),
        "load_assignment": { "cluster_name": SIDECAR, "endpoints": [{ "lb_endpoints": [{ "endpoint": endpoint }] }] },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { "http2_protocol_options": {} },
            },
        },
    })
}
