//! What others could reach or read. It can be intended, so it is a warning and no error.

use std::net::{IpAddr, SocketAddr};

use weir_core::config::{Gateway, ProviderEntry};
use weir_core::upstream::Scheme;

/// Something that is exposed.
pub(super) struct Exposed {
    pub(super) path: String,
    pub(super) problem: String,
    pub(super) hint: &'static str,
}

/// Everything in `gateway` that is exposed.
pub(super) fn exposed(gateway: &Gateway) -> Vec<Exposed> {
    let mut found = Vec::new();
    let parsed = |address: &str| address.parse::<SocketAddr>().ok();
    if let Some(listen) = parsed(gateway.listen()).filter(|listen| listen.ip().to_canonical().is_unspecified()) {
        found.push(Exposed {
            path: "listen".to_owned(),
            problem: format!("{listen} listens on every network of this machine, and keys cross them in plain text"),
            hint: "name the one address that callers use, and put something that speaks TLS in front of it",
        });
    }
    if let Some(admin) = gateway.admin().and_then(parsed).filter(|admin| !is_here(admin.ip())) {
        found.push(Exposed {
            path: "admin".to_owned(),
            problem: format!("whoever reaches {admin} can read everything in Envoy and stop it, without a key"),
            hint: "remove it: `weir admin` finds the socket that takes its place; or use 127.0.0.1",
        });
    }
    found.extend(gateway.providers().filter_map(in_plain_text));
    found
}

fn in_plain_text(provider: &ProviderEntry) -> Option<Exposed> {
    let url = provider.url.as_ref()?;
    let here = url.host == "localhost" || url.host.parse().is_ok_and(is_here);
    (url.scheme == Scheme::Http && !here && provider.credential.is_some()).then(|| Exposed {
        path: format!("providers.{}.endpoint", provider.name),
        problem: format!("the credential goes to {} in plain text, with every prompt", url.host),
        hint: "use https://, or an address of this machine",
    })
}

fn is_here(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}
