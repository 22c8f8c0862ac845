//! How callers' requests come in: at a port of Weir's own, or from an Envoy that serves others too.

use serde_json::{Value, json};

use super::{clusters, filters, local_reply};

/// How callers' requests come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// At a port, in an Envoy that runs nothing else: as `weir up` has it.
    #[default]
    Port,
    /// By a route of the operator's that leads to the cluster `weir`, whose only host is an internal listener. All that Weir
    /// needs of a connection manager it has in that listener.
    Internal,
    /// In a connection manager of the operator's. This is its route configuration, in which the routes that lead to the cluster
    /// `weir` are where Weir's shall be.
    Chain(Value),
}

/// The name of the internal listener, and of the cluster that leads to it.
pub(super) const NAME: &str = "weir";

/// What every route of ours is called in front, among the operator's.
pub(super) const MARK: &str = "weir-";

/// What an operator's Envoy has to be started with, of what one of ours is.
pub(super) fn part(bootstrap: &mut Value) {
    let ours = ["bootstrap_extensions", "static_resources", "dynamic_resources"];
    if let Some(bootstrap) = bootstrap.as_object_mut() {
        bootstrap.retain(|field, _| ours.contains(&field.as_str()));
    }
}

/// The cluster by which the operator's routes lead to the internal listener.
///
/// It speaks HTTP/1.1: there each request has a connection of its own. In HTTP/2 all callers of a worker would share one, and
/// those who read slowly, or hang up often, could stop or end it for the others.
pub(super) fn cluster() -> Value {
    let address = json!({ "envoy_internal_address": { "server_listener_name": NAME, "endpoint_id": NAME } });
    let raw = json!({
        "name": "envoy.transport_sockets.raw_buffer",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer" },
    });
    json!({
        "name": NAME,
        "type": "STATIC",
        "connect_timeout": "1s",
        // The requests to each provider are limited where they go there.
        "circuit_breakers": clusters::breakers(1_000_000),
        "load_assignment": {
            "cluster_name": NAME,
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

/// Makes the listener at a port one that is reached from within.
pub(super) fn make_internal(listener: &mut Value) {
    let Some(fields) = listener.as_object_mut() else { return };
    fields.remove("address");
    fields.insert("name".to_owned(), json!(NAME));
    fields.insert("internal_listener".to_owned(), json!({}));
    // Its connections are those of the operator's listener, and counted there.
    fields.insert("ignore_global_conn_limit".to_owned(), json!(true));
    let manager = listener.pointer_mut("/filter_chains/0/filters/0/typed_config").and_then(Value::as_object_mut);
    if let Some(manager) = manager {
        // A broken stream ends soon. Not at once: a refusal that comes before the whole body was sent would be lost.
        manager.insert("delayed_close_timeout".to_owned(), json!("0.100s"));
    }
}

/// What a connection manager of the operator's needs of `manager`, ours; the rest is the operator's to decide.
pub(super) fn fields(manager: &Value) -> Value {
    let mut manager = manager.clone();
    if let Some(logs) = manager.get_mut("access_log").and_then(Value::as_array_mut) {
        for log in logs.iter_mut().filter_map(Value::as_object_mut) {
            log.insert("filter".to_owned(), on_a_route_of_ours());
        }
    }
    for filter in manager.get_mut("http_filters").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(filter) = filter.as_object_mut()
            && filter.get("name").and_then(Value::as_str) == Some(filters::EDGE)
        {
            // The routes that are ours turn it on.
            filter.insert("disabled".to_owned(), json!(true));
        }
    }
    let needed = [
        "http_filters",
        "rds",
        "local_reply_config",
        "access_log",
        "tracing",
        "request_timeout",
        "always_set_request_id_in_response",
        "stream_error_on_invalid_http_message",
    ];
    if let Some(manager) = manager.as_object_mut() {
        manager.retain(|field, _| needed.contains(&field.as_str()));
    }
    manager
}

/// A filter of access logs and local replies: what is on a route of Weir's.
pub(super) fn on_a_route_of_ours() -> Value {
    local_reply::cel(&format!("xds.route_name.startsWith('{MARK}')"))
}
