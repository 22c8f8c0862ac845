//! The simulated provider: when it runs, and how it is started.

use std::net::SocketAddr;

use weir_control::Loaded;

use crate::child::{Program, Spec};
use crate::folders::Folders;
use crate::options::Options;
use crate::programs::own;

/// The simulator as a child that listens here.
pub(crate) fn spec(folders: &Folders, listen: SocketAddr) -> Spec {
    let listen = listen.to_string();
    own(Program::Sim, folders, ["sim".into(), "--keyless".into(), "--listen".into(), listen.into()])
}

/// The address at which it must listen, if the configuration names that address as a provider's.
pub(crate) fn address(loaded: &Loaded, options: &Options) -> Option<SocketAddr> {
    options.sim.filter(|address| is_named(loaded, *address))
}

fn is_named(loaded: &Loaded, sim: SocketAddr) -> bool {
    let same_host = |host: &str| host == sim.ip().to_string() || (host == "localhost" && sim.ip().is_loopback());
    let mut urls = loaded.gateway.providers().filter_map(|entry| entry.url.as_ref());
    urls.any(|url| url.port == sim.port() && same_host(&url.host))
}
