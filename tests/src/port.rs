//! Ports that are held until something listens on them.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port on loopback, reserved as long as this lives.
///
/// Bound, but not listening: connections to it are refused, and the system gives it to nobody else. A listener that
/// shares its port, as Envoy's do, can still open on it, and then it alone is connected to.
#[derive(Debug)]
pub struct Port {
    _socket: Socket,
    address: SocketAddr,
}

impl Port {
    /// Reserves a port.
    pub fn reserve() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_reuse_port(true).expect("SO_REUSEPORT");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
        let address = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("an address");
        Self { _socket: socket, address }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
