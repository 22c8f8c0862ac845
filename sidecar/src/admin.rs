//! Health and metrics over plain HTTP, for probes and Prometheus.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::TcpListener;

use crate::Sidecar;
use crate::accept::rested;
use crate::models::State;

/// Serves until it is dropped.
pub async fn serve(sidecar: Arc<Sidecar>, listener: TcpListener) {
    loop {
        // A failure concerns one connection, or too many open files, which passes.
        let Ok((connection, _)) = rested(listener.accept().await).await else { continue };
        let sidecar = Arc::clone(&sidecar);
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let reply = answer(&sidecar, &request);
                async move { Ok::<_, Infallible>(reply) }
            });
            let http = hyper::server::conn::http1::Builder::new().timer(TokioTimer::new()).clone();
            // If a probe's connection fails, the probe notices it.
            let _ = http.serve_connection(TokioIo::new(connection), answer).await;
        });
    }
}

fn answer(sidecar: &Sidecar, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    match request.uri().path() {
        "/healthz" => reply(StatusCode::OK, "text/plain", "ok\n".to_owned()),
        "/readyz" => ready(sidecar),
        "/metrics" => match sidecar.metrics.text(sidecar.budget.used()) {
            Ok(text) => reply(StatusCode::OK, "text/plain; version=0.0.4", text),
            Err(error) => reply(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
        },
        _ => reply(StatusCode::NOT_FOUND, "text/plain", "/healthz, /readyz and /metrics are served here\n".to_owned()),
    }
}

fn ready(sidecar: &Sidecar) -> Response<Full<Bytes>> {
    let models: Vec<_> = sidecar
        .models
        .all()
        .iter()
        .map(|entry| {
            let state = match entry.state {
                State::Loading => "loading",
                State::Ready(_) => "ready",
                State::Failed(_) => "failed",
            };
            match &entry.failure {
                Some(failure) => json!({"name": entry.name, "state": state, "error": failure.error}),
                None => json!({"name": entry.name, "state": state}),
            }
        })
        .collect();
    let ready = sidecar.ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({"ready": ready, "draining": sidecar.draining(), "models": models});
    reply(status, "application/json", format!("{body}\n"))
}

fn reply(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    reply
}
