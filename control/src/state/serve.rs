//! The HTTP server: the exchange with stewards, and the API of `weir limits`.

pub mod api;
mod usage;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use weir_core::lease::{PATH, Report};
use weir_core::usage::PATH as PATH_OF_USAGE;

use super::listen::{Listener, Socket};
use super::now;
use super::pools::{Away, Pools};

/// The longest body: some ten thousand accounts.
const LONGEST: usize = 4 << 20;
/// The most connections at once. A steward needs one, and one for each worker that waits.
const CONNECTIONS: usize = 4096;
/// How long a caller may take to send a request, or to shake hands.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often all accounts are looked at.
const SWEEP: Duration = Duration::from_secs(5);

type Answer = Response<Full<Bytes>>;

/// Serves until `end` is ready.
pub async fn serve(listener: Listener, pools: Arc<Pools>, end: impl Future<Output = ()>) {
    let sweeper = tokio::spawn(sweep(Arc::clone(&pools)));
    tokio::select! {
        () = accept(listener, pools) => {}
        () = end => {}
    }
    sweeper.abort();
}

async fn sweep(pools: Arc<Pools>) {
    let mut told = None;
    loop {
        sleep(SWEEP).await;
        let away = pools.sweep(now()).await.err();
        if away != told {
            let text = away.as_ref().map_or("the store of leases is there again".to_owned(), ToString::to_string);
            pools.tell(&text);
            told = away;
        }
    }
}

async fn accept(listener: Listener, pools: Arc<Pools>) {
    let Listener { socket, tls, token, .. } = listener;
    let token: Option<Arc<str>> = token.map(Into::into);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let (pools, token, tls) = (Arc::clone(&pools), token.clone(), tls.clone());
        match &socket {
            Socket::Unix(listener) => {
                let Ok((stream, _)) = listener.accept().await else { continue };
                tokio::spawn(async move {
                    connection(stream, pools, token).await;
                    drop(place);
                });
            }
            Socket::Tcp(listener) => {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let _ = stream.set_nodelay(true);
                tokio::spawn(async move {
                    match tls {
                        None => connection(stream, pools, token).await,
                        Some(tls) => {
                            if let Ok(Ok(stream)) = timeout(PATIENCE, tls.accept(stream)).await {
                                connection(stream, pools, token).await;
                            }
                        }
                    }
                    drop(place);
                });
            }
        }
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    pools: Arc<Pools>,
    token: Option<Arc<str>>,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder.http2().timer(TokioTimer::new());
    let service = service_fn(|request| {
        let (pools, token) = (Arc::clone(&pools), token.clone());
        async move { Ok::<_, Infallible>(answer(request, &pools, token.as_deref()).await) }
    });
    // What goes wrong with a connection is its caller's to know.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, pools: &Arc<Pools>, token: Option<&str>) -> Answer {
    let (request, body) = request.into_parts();
    if !is_known(&request, token) {
        return problem(StatusCode::UNAUTHORIZED, "send control's token as `authorization: Bearer …`");
    }
    let (method, path) = (&request.method, request.uri.path());
    if path == PATH_OF_USAGE && matches!(*method, Method::GET | Method::HEAD) {
        return usage::answer(pools, &request).await;
    }
    let body = timeout(PATIENCE, Limited::new(body, LONGEST).collect()).await;
    let body = match body {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return problem(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 4 MiB, or broke off"),
        Err(_) => return problem(StatusCode::REQUEST_TIMEOUT, "the body did not come"),
    };
    match (method, path) {
        (&Method::POST, PATH) => exchange(pools, &body).await,
        (&Method::GET, "/v1/limits") => api::list(pools).await,
        (&Method::POST, "/v1/limits/credit") => api::credit(pools, &body).await,
        (&Method::POST, "/v1/reload") => reload(pools).await,
        (&Method::GET, "/healthz") => reply(StatusCode::OK, "text/plain", Bytes::from_static(b"ok\n")),
        (_, PATH | PATH_OF_USAGE | "/v1/limits" | "/v1/limits/credit" | "/v1/reload" | "/healthz") => {
            problem(StatusCode::METHOD_NOT_ALLOWED, "not by this method")
        }
        _ => problem(StatusCode::NOT_FOUND, "there is nothing here"),
    }
}

fn is_known(request: &Parts, token: Option<&str>) -> bool {
    let Some(token) = token else { return true };
    let sent = request.headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    sent.is_some_and(|sent| sent.ct_eq(token.as_bytes()).into())
}

async fn exchange(pools: &Pools, body: &[u8]) -> Answer {
    let report = match Report::decode(body) {
        Ok(report) => report,
        Err(malformed) => return problem(StatusCode::BAD_REQUEST, &malformed.to_string()),
    };
    match pools.exchange(&report, now()).await {
        Ok(grants) => reply(StatusCode::OK, "application/x-protobuf", grants.encode().into()),
        Err(away) => unavailable(&away),
    }
}

async fn reload(pools: &Pools) -> Answer {
    match pools.reload().await {
        Ok(()) => reply(StatusCode::OK, "text/plain", Bytes::from_static(b"ok\n")),
        Err(errors) => problem(StatusCode::BAD_REQUEST, &errors),
    }
}

fn unavailable(away: &Away) -> Answer {
    problem(StatusCode::SERVICE_UNAVAILABLE, &away.to_string())
}

fn problem(status: StatusCode, text: &str) -> Answer {
    reply(status, "text/plain; charset=utf-8", Bytes::from(format!("{text}\n")))
}

fn reply(status: StatusCode, kind: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    answer
}

#[cfg(test)]
mod tests;
