//! One Envoy: where its files and sockets are, which filter it loads, and how requests come in.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::Value;
use weir_core::config::Gateway;

use crate::AdminAddress;

/// One Envoy. Paths are as that Envoy sees them: it may run on another machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The folder with the files that Envoy watches; see [`Kind`].
    pub folder: PathBuf,
    /// The filter's module.
    pub filter: Module,
    /// The sidecar's Unix socket.
    pub sidecar_socket: PathBuf,
    /// The Unix socket of Envoy's admin interface, if the configuration names no address.
    pub admin_socket: PathBuf,
    /// The access log, if the configuration names none.
    pub access_log: PathBuf,
    /// The system's CA bundle, for providers that name none of their own; see
    /// [`Environment::ca_bundle`](crate::Environment::ca_bundle).
    pub ca_bundle: Option<PathBuf>,
    /// The most connections that clients may have at once; see [`connections`].
    pub connections: u32,
    /// Control, if this Envoy shares its limits with others.
    pub control: Option<Control>,
    /// How callers' requests come in.
    pub door: Door,
}

/// How an Envoy reaches the process that shares limits among several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Where it listens, as that Envoy sees it.
    pub at: ControlAddress,
    /// This Envoy's name. It stays the same when the process starts again, and no other Envoy has it.
    pub node: String,
    /// The file with the token that control wants to see, with nothing else in it, as that Envoy sees it.
    pub token: Option<PathBuf>,
    /// The file of the authorities that have signed control's certificate, in PEM. `None`: the system's.
    pub ca: Option<PathBuf>,
}

impl Control {
    /// Without a token, as on the same machine.
    pub fn at(at: ControlAddress, node: impl Into<String>) -> Self {
        Self { at, node: node.into(), token: None, ca: None }
    }
}

/// Where control listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlAddress {
    /// A Unix socket.
    Socket(PathBuf),
    /// A host, by name or IP address, and a port, without TLS.
    Host(String, u16),
    /// The same by TLS.
    Tls(String, u16),
}

impl FromStr for ControlAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| path.starts_with('/')) {
            return Ok(Self::Socket(path.into()));
        }
        let (text, is_tls) = text.strip_prefix("https://").map_or((text, false), |rest| (rest, true));
        let host = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let parts = text.rsplit_once(':').and_then(|(at, port)| Some((host(at), port.parse::<u16>().ok()?)));
        let is_host = |host: &str| !host.is_empty() && !host.contains(['/', '@']) && host != "unix";
        let found = parts
            .filter(|(host, port)| is_host(host) && *port > 0)
            .map(|(host, port)| if is_tls { Self::Tls(host, port) } else { Self::Host(host, port) });
        found.ok_or_else(|| {
            format!(
                "\"{text}\" is neither unix: with an absolute path nor a host with a port, nor https:// and such a host"
            )
        })
    }
}

impl fmt::Display for ControlAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bracket = |host: &str| if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        match self {
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
            Self::Host(host, port) => write!(f, "{}:{port}", bracket(host)),
            Self::Tls(host, port) => write!(f, "https://{}:{port}", bracket(host)),
        }
    }
}

/// The most connections that clients may have at once, however many files Envoy may open.
pub const MOST_CONNECTIONS: u32 = 50_000;

/// How many connections clients may have at once if Envoy may open this many files. Each connection may need another one to a
/// provider, and listeners, logs and the admin interface need some files too. An Envoy that can open no file serves nobody, and
/// cannot even answer with an error.
pub fn connections(files: u64) -> u32 {
    let own = (files / 4).min(1024);
    let connections = files.saturating_sub(own) / 2;
    u32::try_from(connections).unwrap_or(u32::MAX).clamp(1, MOST_CONNECTIONS)
}

/// Where the admin interface of an Envoy that runs `gateway` is.
pub fn admin(gateway: &Gateway, node: &Node) -> AdminAddress {
    let address = gateway.admin().and_then(|address| address.parse().ok()).map(AdminAddress::Tcp);
    address.unwrap_or_else(|| AdminAddress::Socket(node.admin_socket.clone()))
}

/// The filter's module, in one of its two forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Module {
    /// A proxy-wasm module. It runs in a sandbox, in any Envoy.
    Wasm(PathBuf),
    /// A dynamic module, which is a shared library. It runs in the process of the Envoy for which it was built.
    Native(PathBuf),
}

impl Module {
    /// The module at `path`. It is native if its name is that of a shared library.
    pub fn at(path: PathBuf) -> Self {
        if path.extension().is_some_and(|extension| extension == "so") { Self::Native(path) } else { Self::Wasm(path) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        let (Self::Wasm(path) | Self::Native(path)) = self;
        path
    }
}

/// How callers' requests come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// At a port, in an Envoy that runs nothing else. `weir up` uses this.
    #[default]
    Port,
    /// Through one of the operator's routes, which leads to the cluster `weir`. The only host of that cluster is an internal listener,
    /// whose connection manager has everything that Weir needs.
    Internal,
    /// In the operator's own connection manager. The value is its route configuration: Weir's routes take the place of the routes that
    /// lead to the cluster `weir`.
    Chain(Value),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_control_is_a_socket_or_a_host_with_a_port() {
        let host = |host: &str, port| Ok(ControlAddress::Host(host.to_owned(), port));
        for (text, expect) in [
            ("unix:/run/c.sock", Ok(ControlAddress::Socket("/run/c.sock".into()))),
            ("control.example:443", host("control.example", 443)),
            ("[::1]:7", host("::1", 7)),
            ("unix:c.sock", Err(())),
            ("unix:7", Err(())),
            ("control.example", Err(())),
            ("https://control.example:443", Ok(ControlAddress::Tls("control.example".to_owned(), 443))),
            ("https://[::1]:7", Ok(ControlAddress::Tls("::1".to_owned(), 7))),
            ("https://control.example", Err(())),
            ("http://control.example:443", Err(())),
            (":7", Err(())),
            ("h:0", Err(())),
        ] {
            let found: Result<ControlAddress, ()> = text.parse().map_err(|_: String| ());
            assert_eq!(found, expect, "{text}");
            assert!(found.is_err() || found.unwrap().to_string() == text, "{text} is written as it is read");
        }
    }

    #[test]
    fn clients_have_less_than_half_of_the_files() {
        assert_eq!([64, 1024, 20_000, 1 << 20].map(connections), [24, 384, 9_488, MOST_CONNECTIONS]);
        assert_eq!([0, 1, u64::MAX].map(connections), [1, 1, MOST_CONNECTIONS]);
    }
}
