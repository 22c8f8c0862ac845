//! The connection manager of the listener that clients connect to.

use serde_json::{Value, json};
use weir_core::config::Gateway;
use weir_core::edge::CALLERS_ID;

use super::{access_log, claims, local_reply, router, tracing};
use crate::render::kind::Kind;
use crate::render::message::source;
use crate::render::names::{EDGE_LISTENER, NODE};
use crate::render::node::{Door, Node};
use crate::render::{cors, filters, routes};

/// The connection manager of a listener of Weir's.
pub(super) fn manager(gateway: &Gateway, node: &Node) -> Value {
    let mut filters = vec![filters::edge_slot(node), router::router()];
    // Tokens are verified before the internal listener, and what they say comes with the connection.
    if let Some(jwt) = gateway.jwt().filter(|_| node.door != Door::Internal) {
        filters.insert(0, claims::filter(jwt));
    }
    if !gateway.cors().is_empty() {
        filters.insert(0, cors::filter());
    }
    let mut manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": EDGE_LISTENER,
        "rds": { "route_config_name": routes::name(&node.door), "config_source": source(&node.folder, Kind::Routes.file()) },
        "http_filters": filters,
        "local_reply_config": local_reply::config(&node.door),
        "access_log": access_log::access_logs(gateway, node),
        // The routes have limits. A limit here would cut an answer that is slow but within them.
        "stream_idle_timeout": "0s",
        "request_headers_timeout": "15s",
        // For a connection without a request: it needs no key, and takes one of few places. Envoy's default is an hour.
        "common_http_protocol_options": { "idle_timeout": "300s" },
        // How long Envoy keeps a connection that it breaks, after the last byte. A caller whose answer breaks off waits for this, so it
        // is shorter than Envoy's default of a second. A caller that is still sending its body needs the time to read a refusal.
        "delayed_close_timeout": "0.250s",
        // How long a request may take to arrive. Without a limit a client that stalls would hold its buffer forever.
        "request_timeout": "300s",
        "use_remote_address": true,
        // The edge role would remove the header again.
        "skip_xff_append": true,
        // No client is internal: none may set x-envoy-* headers.
        "internal_address_config": { "unix_sockets": false },
        "generate_request_id": true,
        "preserve_external_request_id": true,
        "always_set_request_id_in_response": true,
        "server_name": NODE,
        "server_header_transformation": "OVERWRITE",
        "http2_protocol_options": { "max_concurrent_streams": 1024 },
        // An invalid request ends alone. Other requests on its connection go on.
        "stream_error_on_invalid_http_message": true,
    });
    // If the operator's Envoy is the door, both logs have the id that it gave.
    if let (Some(manager), Door::Port) = (manager.as_object_mut(), &node.door) {
        manager.insert("early_header_mutation_extensions".to_owned(), json!([callers_id()]));
    }
    if let (Some(manager), Some(tracing)) = (manager.as_object_mut(), tracing::tracing(gateway)) {
        manager.insert("tracing".to_owned(), tracing);
    }
    manager
}

/// Moves the request id that a caller sends to another header, before Envoy gives the request its own: two callers may send the same id.
fn callers_id() -> Value {
    let header = json!({ "key": CALLERS_ID, "value": "%REQ(x-request-id)%" });
    json!({
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": [
                { "remove": CALLERS_ID },
                { "append": { "header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD" } },
                { "remove": "x-request-id" },
            ],
        },
    })
}
