//! Connections: accepted, and broken where a fault says so.

use std::{sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Fault, service,
    socket::{Socket, Switch},
    state::State,
    tasks::Tasks,
};

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
