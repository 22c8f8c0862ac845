//! A client of control's API, for the command line and for tests.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use weir_core::lease::{Grants, PATH, Report};

pub use super::serve::api::{Credit, Shown};
use super::tls;
use crate::render::ControlAddress;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client. Each request has a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    /// Where control listens.
    pub address: ControlAddress,
    /// Its token, if it has one.
    pub token: Option<String>,
    /// The file of the authorities that have signed its certificate, in PEM. `None`: the system's.
    pub ca: Option<PathBuf>,
}

impl Client {
    /// All accounts.
    pub async fn limits(&self) -> Result<Vec<Shown>, String> {
        self.json(Method::GET, "/v1/limits", Vec::new()).await
    }

    /// Adds to a budget.
    pub async fn credit(&self, credit: &Credit) -> Result<Credit, String> {
        let body = serde_json::to_vec(credit).map_err(|error| error.to_string())?;
        self.json(Method::POST, "/v1/limits/credit", body).await
    }

    /// Has control read its configuration, and returns when its limits are in force.
    pub async fn reload(&self) -> Result<(), String> {
        self.ask(Method::POST, "/v1/reload", Vec::new()).await.map(drop)
    }

    /// Whether it answers.
    pub async fn is_there(&self) -> bool {
        self.ask(Method::GET, "/healthz", Vec::new()).await.is_ok()
    }

    /// What a steward does.
    pub async fn exchange(&self, report: &Report) -> Result<Grants, String> {
        let body = self.ask(Method::POST, PATH, report.encode()).await?;
        Grants::decode(&body).map_err(|malformed| malformed.to_string())
    }

    async fn json<T: DeserializeOwned>(&self, method: Method, path: &str, body: Vec<u8>) -> Result<T, String> {
        let body = self.ask(method, path, body).await?;
        serde_json::from_slice(&body).map_err(|error| format!("control at {} answers oddly: {error}", self.address))
    }

    async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Bytes, String> {
        let answered = timeout(PATIENCE, self.send(method, path, body)).await;
        let answered = answered.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match answered.map_err(|error| format!("control at {}: {error}; does `weir control` run?", self.address))? {
            (200, body) => Ok(body),
            (_, body) => Err(String::from_utf8_lossy(&body).trim_end().to_owned()),
        }
    }

    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> io::Result<(u16, Bytes)> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, "weir");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(io::Error::other)?;
        match &self.address {
            ControlAddress::Host(host, port) => send(TcpStream::connect((&**host, *port)).await?, request).await,
            ControlAddress::Tls(host, port) => send(self.secured(host, *port).await?, request).await,
            ControlAddress::Socket(path) => send(UnixStream::connect(path).await?, request).await,
        }
    }

    async fn secured(&self, host: &str, port: u16) -> io::Result<TlsStream<TcpStream>> {
        let authorities = self.ca.as_deref().map(std::fs::read).transpose()?;
        let config = tls::client(authorities.as_deref()).map_err(io::Error::other)?;
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect((host, port)).await?).await
    }
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> io::Result<(u16, Bytes)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    connection.abort();
    Ok((status, body))
}
