//! Turns a configuration without errors into the resources of one Envoy. It is pure, gives the same bytes each time, and writes no
//! secret.
//!
//! What is read first: [`Node`] says where that Envoy has its files and sockets, `names` and `message` are what resources have in
//! common, and each kind of resource has a file or folder. [`Resources`] keeps them by name, so that
//! [`rollout`](crate::rollout) can join old and new ones. [`Resources::in_one`] puts everything into one bootstrap, for checks
//! and for reading.

mod bootstrap;
mod clusters;
mod cors;
mod error;
mod filters;
mod kind;
mod listeners;
mod message;
mod names;
mod node;
mod resources;
mod routes;
mod secrets;
mod tls;

use weir_core::config::Gateway;

pub use error::RenderError;
pub use kind::Kind;
pub use node::{Control, ControlAddress, Door, MOST_CONNECTIONS, Module, Node, admin, connections};
pub use resources::Resources;

/// The resources of an Envoy at `node` that runs `gateway`.
pub fn render(gateway: &Gateway, node: &Node) -> Result<Resources, RenderError> {
    let mut clusters = std::collections::BTreeMap::new();
    let mut secrets = std::collections::BTreeMap::new();
    for entry in gateway.providers() {
        clusters.insert(entry.name.clone(), clusters::provider(entry, node)?);
        if let Some((name, secret)) = secrets::secret(entry) {
            secrets.insert(name, secret);
        }
    }
    if let Some((name, secret)) = node.control.as_ref().and_then(secrets::of_control) {
        secrets.insert(name, secret);
    }
    if let Some(otlp) = &gateway.telemetry().otlp {
        clusters.insert(names::COLLECTOR.to_owned(), clusters::collector(otlp, node)?);
    }
    let (listener, manager) = listeners::edge(gateway, node);
    let listeners = listener.into_iter().chain([listeners::local()]);
    Ok(Resources {
        bootstrap: bootstrap::bootstrap(gateway, node)?,
        listeners: listeners.collect(),
        manager,
        clusters,
        routes: routes::Routes::of(gateway).at(node)?,
        edge: filters::edge(gateway.routing(), node),
        secrets,
    })
}
