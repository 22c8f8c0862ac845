//! What is said once a node is ready: all that a person needs for a first request, ready to paste.

mod example;
mod models;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use weir_control::AdminAddress;

use crate::keys;
use crate::plan::Plan;
use crate::say::bold;

/// The key that a caller is told to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// The first key, which is kept on this machine.
    Known(String),
    /// A key that only its owner has.
    Unknown,
}

/// The banner.
pub(crate) fn text(plan: &Plan, key: &Key) -> String {
    let url = format!("http://{}/v1", reachable(plan.listen));
    let routing = plan.loaded.gateway.routing();
    let names: Vec<&str> = routing.models.keys().map(String::as_str).collect();
    let shown = match key {
        Key::Known(key) => key.clone(),
        Key::Unknown => format!("one of yours; `{}` makes another", keys::how(&plan.places, &plan.loaded.keys_file)),
    };
    let mut lines = vec![String::new(), bold("Weir is up."), String::new()];
    let mut row = |name: &str, value: &str| lines.push(format!("  {name:<9} {value}"));
    row("address", &url);
    row("key", &shown);
    row("models", &models::lines(&names, &url).join(&format!("\n{:12}", "")));
    row("config", &format!("{} (a change is live at once)", plan.file.display()));
    row("logs", &plan.folders.logs.display().to_string());
    row("admin", &admin(&plan.admin));
    if let Some(sidecar) = plan.sidecar {
        row("sidecar", &format!("http://{} (/metrics, /readyz)", reachable(sidecar)));
    }
    for left_out in plan.loaded.gateway.left_out() {
        row("left out", left_out);
    }
    let local: Vec<&str> =
        plan.loaded.gateway.providers().filter(|entry| entry.url.is_none()).map(|entry| entry.name.as_str()).collect();
    lines.extend(example::lines(routing, &local, &url, key));
    lines.extend([String::new(), "Ctrl-C ends it.".to_owned()]);
    lines.join("\n")
}

/// How a person asks Envoy's admin interface.
fn admin(address: &AdminAddress) -> String {
    match address {
        AdminAddress::Tcp(address) => format!("http://{}", reachable(*address)),
        AdminAddress::Socket(socket) => format!("`weir admin` asks Envoy itself ({})", socket.display()),
    }
}

/// The address that a client on this machine connects to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        // Envoy listens on `[::]` for IPv6 only.
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_found_on_loopback_of_its_kind() {
        let check = |listens: &str, expect: &str| {
            assert_eq!(reachable(listens.parse().unwrap()), expect.parse().unwrap());
        };
        check("0.0.0.0:10000", "127.0.0.1:10000");
        check("[::]:10000", "[::1]:10000");
        check("10.0.0.7:10000", "10.0.0.7:10000");
    }
}
