//! A configuration that holds, as Envoy's resources: pure, stable to the byte, and without a secret.
//!
//! [`Resources`] keeps them by name, so that [`publish`](crate::publish) can join the old and the new; its `files` are
//! what Envoy watches. [`Resources::in_one`] puts everything into one bootstrap, for checks and for reading.

mod access_log;
mod clusters;
mod filters;
mod listener;
mod local_reply;
mod resources;
mod routes;
mod secrets;
mod sidecar;
mod tls;
mod tracing;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use weir_core::config::Gateway;

pub use resources::{File, Resources};

/// Where things are, as the Envoy process sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The folder with the files that Envoy watches; see [`File`].
    pub folder: PathBuf,
    /// The filter's module.
    pub filter: Module,
    /// The sidecar's Unix socket.
    pub sidecar_socket: PathBuf,
    /// The access log, where the configuration names none.
    pub access_log: PathBuf,
    /// The system's CA bundle, for providers that name none of their own; see
    /// [`Environment::ca_bundle`](crate::Environment::ca_bundle).
    pub ca_bundle: Option<PathBuf>,
}

/// The filter, in one of its two shapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Module {
    /// A proxy-wasm module: in a sandbox, in any Envoy.
    Wasm(PathBuf),
    /// A dynamic module, a shared library: in Envoy's own process, for the Envoy that it was built for.
    Native(PathBuf),
}

impl Module {
    /// The module at `path`: native if it is a shared library by its name.
    pub fn at(path: PathBuf) -> Self {
        if path.extension().is_some_and(|extension| extension == "so") { Self::Native(path) } else { Self::Wasm(path) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        let (Self::Wasm(path) | Self::Native(path)) = self;
        path
    }
}

/// Why a configuration that holds cannot be rendered on this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// An https provider without a bundle to verify it against.
    #[error(
        "provider {0}: no CA bundle was found to verify it against; \
         install the system's ca-certificates, set SSL_CERT_FILE, or name one with `ca`"
    )]
    NoCaBundle(String),
}

/// What Envoy calls this process.
const NODE: &str = "weir";

/// Renders `gateway`.
pub fn render(gateway: &Gateway, paths: &Paths) -> Result<Resources, RenderError> {
    let mut clusters = std::collections::BTreeMap::new();
    let mut secrets = std::collections::BTreeMap::new();
    for entry in gateway.providers() {
        clusters.insert(entry.name.clone(), clusters::cluster(entry, paths)?);
        if let Some((name, secret)) = secrets::secret(entry) {
            secrets.insert(name, secret);
        }
    }
    if let Some(otlp) = &gateway.telemetry().otlp {
        clusters.insert(tracing::CLUSTER.to_owned(), tracing::cluster(otlp, paths)?);
    }
    let listeners = [listener::edge(gateway, paths), sidecar::listener()];
    Ok(Resources {
        bootstrap: bootstrap(gateway, paths),
        listeners: listeners.into_iter().collect(),
        clusters,
        routes: routes::Routes::of(gateway),
        edge: filters::edge(gateway.routing(), paths),
        secrets,
        folder: paths.folder.clone(),
    })
}

/// What Envoy starts with: everything that a reload cannot change.
fn bootstrap(gateway: &Gateway, paths: &Paths) -> Value {
    let mut extensions = vec![json!({
        "name": "envoy.bootstrap.internal_listener",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
        },
    })];
    extensions.extend(filters::steward(paths));
    json!({
        // File SDS needs both.
        "node": { "id": NODE, "cluster": NODE },
        "admin": { "address": address(gateway.admin()), "ignore_global_conn_limit": true },
        "bootstrap_extensions": extensions,
        "layered_runtime": { "layers": [{ "name": "admin", "admin_layer": {} }] },
        // Connections that wait in the kernel's queue are better than a process out of file descriptors.
        "overload_manager": {
            "resource_monitors": [{
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": 50_000,
                },
            }],
        },
        "static_resources": { "clusters": [sidecar::upstream(paths)] },
        "dynamic_resources": {
            "cds_config": source(&paths.folder, File::Clusters.name()),
            "lds_config": source(&paths.folder, File::Listeners.name()),
        },
    })
}

/// One of the watched files as a config source.
fn source(folder: &Path, file: &str) -> Value {
    json!({
        "path_config_source": { "path": folder.join(file) },
        "resource_api_version": "V3",
    })
}

/// An `address:port` that has been checked.
fn address(text: &str) -> Value {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    socket(host.trim_start_matches('[').trim_end_matches(']'), port.parse().unwrap_or_default())
}

fn socket(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}
