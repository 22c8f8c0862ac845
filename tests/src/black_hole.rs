//! Connections that wait for ever.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

use crate::provider::Provider;

/// A place where a connection is neither made nor refused: its accept queue is full, so the kernel drops what comes.
#[derive(Debug)]
pub struct BlackHole {
    /// The listener, and those that wait for it.
    _queue: (Socket, Vec<Socket>),
    address: SocketAddr,
}

impl BlackHole {
    /// Opens on a free port.
    pub fn open() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
        listener.listen(0).expect("a queue");
        let address = listener.local_addr().ok().and_then(|address| address.as_socket()).expect("an address");
        let queue = (0..4).map(|_| {
            let waits = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            waits.set_nonblocking(true).expect("a socket that does not wait");
            let _ = waits.connect(&address.into());
            waits
        });
        let queue = queue.collect();
        Self { _queue: (listener, queue), address }
    }

    /// As a provider called `name`.
    pub fn called(&self, name: &str) -> Provider {
        Provider::at(name, &format!("http://{}/v1", self.address))
    }
}
