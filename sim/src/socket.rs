//! A TCP connection that can be reset from above whatever wraps it.

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

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
};

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

    /// Waits until it is thrown.
    pub(crate) async fn thrown(&self) {
        self.0.told.notified().await;
    }
}

/// A TCP stream that can be closed with a reset from above whatever wraps it.
pub(crate) struct Socket {
    pub(crate) tcp: TcpStream,
    pub(crate) switch: Switch,
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
