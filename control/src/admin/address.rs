//! Where Envoy's admin interface is: a Unix socket that only one user can open, or an address.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde_json::Value;

/// Where Envoy's admin interface is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminAddress {
    /// An address and a port, which any process of the machine can reach.
    Tcp(SocketAddr),
    /// A Unix socket.
    Socket(PathBuf),
}

impl AdminAddress {
    /// The address in `bootstrap`, which an Envoy was started with. `None` if the bootstrap cannot be read or names none.
    ///
    /// It is found so without the configuration, which may need credentials that are not set here.
    pub fn in_bootstrap(bootstrap: &[u8]) -> Option<Self> {
        let bootstrap: Value = serde_json::from_slice(bootstrap).ok()?;
        let at = bootstrap.pointer("/admin/address")?;
        if let Some(path) = at.pointer("/pipe/path").and_then(Value::as_str) {
            return Some(Self::Socket(path.into()));
        }
        let at = at.get("socket_address")?;
        let (host, port) = (at.get("address")?.as_str()?, at.get("port_value")?.as_u64()?);
        Some(Self::Tcp(SocketAddr::new(host.parse().ok()?, u16::try_from(port).ok()?)))
    }
}

impl FromStr for AdminAddress {
    type Err = Infallible;

    /// A text that is no address with a port is the path of a socket.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Socket(text.into()), Self::Tcp))
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

/// An interface that listens on every address is reached on this machine's own.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let here = if address.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) };
        address.set_ip(here);
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["127.0.0.1:10001", "[::1]:10001", "/run/weir/admin.sock"] {
            let Ok(address) = text.parse::<AdminAddress>();
            assert_eq!(address.to_string(), text);
            assert_eq!(matches!(address, AdminAddress::Socket(_)), text.starts_with('/'), "{text}");
        }
    }

    #[test]
    fn an_address_is_found_in_what_envoy_was_started_with() {
        let tcp = br#"{"admin":{"address":{"socket_address":{"address":"::1","port_value":10001}}}}"#;
        assert_eq!(AdminAddress::in_bootstrap(tcp), Some(AdminAddress::Tcp("[::1]:10001".parse().unwrap())));
        let pipe = br#"{"admin":{"address":{"pipe":{"path":"/run/admin.sock"}}}}"#;
        assert_eq!(AdminAddress::in_bootstrap(pipe), Some(AdminAddress::Socket("/run/admin.sock".into())));
        for none in
            [&b"{}"[..], b"", br#"{"admin":{"address":{"socket_address":{"address":"::1","port_value":70000}}}}"#]
        {
            assert_eq!(AdminAddress::in_bootstrap(none), None);
        }
    }
}
