//! Free ports on loopback, for a node and for what tests and benchmarks start.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// The first port given. The system takes ports for outgoing connections, and for port 0, from a higher range
/// (`/proc/sys/net/ipv4/ip_local_port_range`), so that only a program that names one of these ports can take it.
const FIRST: u16 = 11_000;
/// How many there are.
const SPAN: u16 = 20_000;

/// A free port. A process gets each port only once, and another process begins elsewhere in the range.
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

/// `wanted` if nobody listens there, else another free port.
pub fn free_or(wanted: SocketAddr) -> SocketAddr {
    if TcpListener::bind(wanted).is_ok() { wanted } else { free() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn another_is_given_only_if_the_wanted_one_is_taken() {
        let wanted = super::free();
        assert_eq!(super::free_or(wanted), wanted);
        let _taken = std::net::TcpListener::bind(wanted).unwrap();
        assert_ne!(super::free_or(wanted), wanted);
    }

    #[test]
    fn none_is_given_twice() {
        let given: Vec<_> = (0..200).map(|_| super::free()).collect();
        let ports: BTreeSet<_> = given.iter().collect();
        assert_eq!(ports.len(), given.len());
    }
}
