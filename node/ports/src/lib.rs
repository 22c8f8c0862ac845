//! Free ports for what a test or a benchmark starts.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// The first port given. The system gives those of outgoing connections, and those asked for as port 0, from further up
/// (`/proc/sys/net/ipv4/ip_local_port_range`), so that none of these is taken by somebody who did not name it.
const FIRST: u16 = 11_000;
/// How many there are.
const SPAN: u16 = 20_000;

/// A port on loopback that is free, and that this process is given only once. Another process begins elsewhere.
pub fn free() -> SocketAddr {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let [low, high, ..] = process::id().wrapping_mul(37).to_le_bytes();
    let begin = u16::from_le_bytes([low, high]);
    loop {
        let port = FIRST + begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % SPAN;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// `wanted` if nobody listens there, else another port on loopback.
pub fn free_or(wanted: SocketAddr) -> SocketAddr {
    if TcpListener::bind(wanted).is_ok() { wanted } else { free() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn none_is_given_twice() {
        let given: Vec<_> = (0..200).map(|_| super::free()).collect();
        let ports: BTreeSet<_> = given.iter().collect();
        assert_eq!(ports.len(), given.len());
    }
}
