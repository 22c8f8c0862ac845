//! A configuration that holds, as Envoy's resources: pure, stable to the byte, and without a secret.
//!
//! [`Resources`] keeps them by name, so that [`publish`](crate::publish) can join the old and the new; its `files` are
//! what Envoy watches. [`Resources::in_one`] puts everything into one bootstrap, for checks and for reading.

mod access_log;
mod clusters;
mod cors;
mod door;
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

use crate::AdminAddress;
pub use door::Door;
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
    /// The Unix socket of Envoy's admin interface, where the configuration names no address.
    pub admin_socket: PathBuf,
    /// The access log, where the configuration names none.
    pub access_log: PathBuf,
    /// The system's CA bundle, for providers that name none of their own; see
    /// [`Environment::ca_bundle`](crate::Environment::ca_bundle).
    pub ca_bundle: Option<PathBuf>,
    /// The most connections that clients may have at once; see [`connections`].
    pub connections: u32,
    /// How callers' requests come in.
    pub door: Door,
}

/// The most connections that clients ever have at once.
pub const MOST_CONNECTIONS: u32 = 50_000;

/// How many connections clients may have at once where Envoy may have so many files open. Each of them may need another one, to
/// a provider, and some are for listeners, logs and the admin interface. An Envoy that has no more shuts everybody out, and
/// cannot even say so.
pub fn connections(files: u64) -> u32 {
    let own = (files / 4).min(1024);
    let connections = files.saturating_sub(own) / 2;
    u32::try_from(connections).unwrap_or(u32::MAX).clamp(1, MOST_CONNECTIONS)
}

/// Where the admin interface of an Envoy that runs `gateway` is.
pub fn admin(gateway: &Gateway, paths: &Paths) -> AdminAddress {
    let address = gateway.admin().and_then(|address| address.parse().ok()).map(AdminAddress::Tcp);
    address.unwrap_or_else(|| AdminAddress::Socket(paths.admin_socket.clone()))
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
    /// The operator's routes cannot take Weir's in.
    #[error("the routes that lead to the cluster \"weir\": {0}")]
    OwnRoutes(String),
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
    let (listener, manager) = listener::edge(gateway, paths);
    let listeners = listener.into_iter().chain([sidecar::listener()]);
    Ok(Resources {
        bootstrap: bootstrap(gateway, paths),
        listeners: listeners.collect(),
        manager,
        clusters,
        routes: routes::Routes::of(gateway).at(&paths.door)?,
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
    let mut clusters = vec![sidecar::upstream(paths), routes::without_hosts()];
    if paths.door == Door::Internal {
        clusters.push(door::cluster());
    }
    let mut bootstrap = json!({
        // File SDS needs both.
        "node": { "id": NODE, "cluster": NODE },
        "admin": { "address": admin_address(&admin(gateway, paths)), "ignore_global_conn_limit": true },
        "bootstrap_extensions": extensions,
        "layered_runtime": { "layers": [{ "name": "admin", "admin_layer": {} }] },
        // Beyond it a connection is closed at once, which is better than a process without a file to open.
        "overload_manager": {
            "resource_monitors": [{
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": paths.connections,
                },
            }],
        },
        "static_resources": { "clusters": clusters },
        "dynamic_resources": {
            "cds_config": source(&paths.folder, File::Clusters.name()),
            "lds_config": source(&paths.folder, File::Listeners.name()),
        },
    });
    if paths.door != Door::Port {
        door::part(&mut bootstrap);
    }
    bootstrap
}

/// One of the watched files as a config source.
fn source(folder: &Path, file: &str) -> Value {
    json!({
        "path_config_source": { "path": folder.join(file) },
        "resource_api_version": "V3",
    })
}

/// An address, or a socket that nobody else can open, whatever the process's umask is.
fn admin_address(at: &AdminAddress) -> Value {
    match at {
        AdminAddress::Tcp(at) => socket(&at.ip().to_string(), at.port()),
        AdminAddress::Socket(path) => json!({ "pipe": { "path": path, "mode": 0o600 } }),
    }
}

/// An `address:port` that has been checked.
fn address(text: &str) -> Value {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    socket(host.trim_start_matches('[').trim_end_matches(']'), port.parse().unwrap_or_default())
}

fn socket(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_have_less_than_half_of_the_files() {
        assert_eq!([64, 1024, 20_000, 1 << 20].map(connections), [24, 384, 9_488, MOST_CONNECTIONS]);
        assert_eq!([0, 1, u64::MAX].map(connections), [1, 1, MOST_CONNECTIONS]);
    }
}
