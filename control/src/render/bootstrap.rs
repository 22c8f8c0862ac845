//! What Envoy starts with: everything that a reload cannot change.

use serde_json::{Value, json};
use weir_core::config::Gateway;

use super::error::RenderError;
use super::kind::Kind;
use super::message::{socket, source};
use super::names::NODE;
use super::node::{Door, Node, admin};
use super::{clusters, filters};
use crate::AdminAddress;

/// The bootstrap of an Envoy that runs `gateway`.
pub(super) fn bootstrap(gateway: &Gateway, node: &Node) -> Result<Value, RenderError> {
    let internal_listener = json!({
        "name": "envoy.bootstrap.internal_listener",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
        },
    });
    let mut clusters = vec![clusters::sidecar(node), clusters::no_plan()];
    if node.door == Door::Internal {
        clusters.push(clusters::door());
    }
    if let Some(control) = &node.control {
        clusters.push(clusters::control(control, node)?);
    }
    let mut bootstrap = json!({
        // File SDS needs both.
        "node": { "id": NODE, "cluster": NODE },
        "admin": { "address": admin_address(&admin(gateway, node)), "ignore_global_conn_limit": true },
        "bootstrap_extensions": [internal_listener, filters::steward(node)],
        "layered_runtime": { "layers": [{ "name": "admin", "admin_layer": {} }] },
        // Envoy closes a connection beyond the limit at once. That is better than to run out of files.
        "overload_manager": {
            "resource_monitors": [{
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": node.connections,
                },
            }],
        },
        "static_resources": { "clusters": clusters },
        "dynamic_resources": {
            "cds_config": source(&node.folder, Kind::Clusters.file()),
            "lds_config": source(&node.folder, Kind::Listeners.file()),
        },
    });
    if node.door != Door::Port {
        part(&mut bootstrap);
    }
    Ok(bootstrap)
}

/// An address, or a socket that only this user can open, whatever umask the process has.
fn admin_address(at: &AdminAddress) -> Value {
    match at {
        AdminAddress::Tcp(at) => socket(&at.ip().to_string(), at.port()),
        AdminAddress::Socket(path) => json!({ "pipe": { "path": path, "mode": 0o600 } }),
    }
}

/// Keeps the part of `bootstrap` that an operator's own Envoy must be started with.
fn part(bootstrap: &mut Value) {
    let ours = ["bootstrap_extensions", "static_resources", "dynamic_resources"];
    if let Some(bootstrap) = bootstrap.as_object_mut() {
        bootstrap.retain(|field, _| ours.contains(&field.as_str()));
    }
}
