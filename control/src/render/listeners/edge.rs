//! The door: the listener that clients connect to.

use serde_json::{Value, json};
use weir_core::config::Gateway;

use super::manager::manager;
use super::own;
use crate::render::message::address;
use crate::render::names::{DOOR, EDGE_LISTENER};
use crate::render::node::{Door, Node};

/// The listener, by name. Or in its place the fields that the operator's connection manager needs.
pub(crate) fn edge(gateway: &Gateway, node: &Node) -> (Option<(String, Value)>, Option<Value>) {
    let manager = manager(gateway, node);
    if matches!(node.door, Door::Chain(_)) {
        return (None, Some(own::fields(&manager)));
    }
    let filter = json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager });
    let mut listener = json!({
        "name": EDGE_LISTENER,
        "address": address(gateway.listen()),
        "filter_chains": [{ "filters": [filter] }],
    });
    if node.door == Door::Internal {
        make_internal(&mut listener);
        return (Some((DOOR.to_owned(), listener)), None);
    }
    (Some((EDGE_LISTENER.to_owned(), listener)), None)
}

/// Makes an internal listener of the listener at a port.
fn make_internal(listener: &mut Value) {
    let Some(fields) = listener.as_object_mut() else { return };
    fields.remove("address");
    fields.insert("name".to_owned(), json!(DOOR));
    fields.insert("internal_listener".to_owned(), json!({}));
    // The operator's listener has counted its connections already.
    fields.insert("ignore_global_conn_limit".to_owned(), json!(true));
    let manager = listener.pointer_mut("/filter_chains/0/filters/0/typed_config").and_then(Value::as_object_mut);
    if let Some(manager) = manager {
        // A broken stream ends soon, but not at once: otherwise a refusal would be lost while the body is still being sent.
        manager.insert("delayed_close_timeout".to_owned(), json!("0.100s"));
    }
}
