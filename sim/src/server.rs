//! Connections: accepting them, and breaking them where a fault says so.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_rustls::TlsAcceptor;

use crate::{Fault, service, state::State, tasks::Tasks};

/// Serves every connection that comes, until its task is ended.
pub(crate) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>, tasks: Tasks) {
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: some will come free.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // Small writes are what a stream is made of. A socket that refuses this is about to fail anyway.
        let _ = tcp.set_nodelay(true);
        let switch = Switch::default();
        let socket = Socket { tcp, switch: switch.clone() };
        if state.faults.everywhere() == Some(Fault::Refuse) {
            state.faults.take_everywhere();
            state.log.count_refused();
            switch.reset();
            drop(socket);
            continue;
        }
        let (state, executor, tls) = (Arc::clone(&state), tasks.clone(), tls.clone());
        tasks.spawn(async move {
            let served = async {
                match tls {
                    None => serve(socket, &switch, state, executor).await,
                    Some(tls) => {
                        // A peer that rejects the certificate is its own business; tests of it look at the peer.
                        if let Ok(stream) = tls.accept(socket).await {
                            serve(stream, &switch, state, executor).await;
                        }
                    }
                }
            };
            // Dropping the connection closes its socket, with a reset where the switch was thrown.
            tokio::select! {
                () = served => {}
                () = switch.thrown() => {}
            }
        });
    }
}

async fn serve<S>(stream: S, switch: &Switch, state: Arc<State>, executor: Tasks)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(executor);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).half_close(false);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(4096);
    let service = hyper::service::service_fn(|request| service::serve(Arc::clone(&state), switch.clone(), request));
    // An error here is the peer's hang-up or our own fault injection: the log of requests already says which.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// Resets the TCP connection it belongs to. Clones are the same switch.
#[derive(Clone, Default)]
pub(crate) struct Switch(Arc<Thrown>);

#[derive(Default)]
struct Thrown {
    reset: AtomicBool,
    told: Notify,
}

impl Switch {
    /// Closes the connection with RST instead of FIN, now.
    pub(crate) fn reset(&self) {
        self.0.reset.store(true, Ordering::Release);
        self.0.told.notify_one();
    }

    async fn thrown(&self) {
        self.0.told.notified().await;
    }
}

/// A TCP stream that can be closed with a reset from above whatever wraps it.
struct Socket {
    tcp: TcpStream,
    switch: Switch,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.switch.0.reset.load(Ordering::Acquire) {
            // Closing with a linger of zero is what sends RST.
            let _ = SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }
}
