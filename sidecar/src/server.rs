//! The life of a sidecar: it binds its addresses, loads models, serves, and stops after running requests have ended. Start at
//! [`run`].

use std::fs::Permissions;
use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server as Transport;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::accept::rested;
use crate::engine::device;
use crate::models::{Origin, Wanted};
use crate::settings::{Settings, SettingsError};
use crate::sidecar::Sidecar;
use crate::{admin, api, ext_proc, service};

/// Streams of one connection at once. Envoy opens further connections beyond it.
const STREAMS: u32 = 1024;

/// How much one stream may send ahead: a usual body fits.
const STREAM_WINDOW: u32 = 1 << 20;

/// How much one connection may send ahead.
const CONNECTION_WINDOW: u32 = 16 << 20;

/// Why the sidecar could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Its settings make no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Another sidecar serves the socket.
    #[error("{0}: another sidecar is serving this socket; stop it, or set \"socket\" to another path")]
    SocketInUse(PathBuf),
    /// Something else is where the socket should be.
    #[error("{0}: there is a file that is not a socket; move it away, or set \"socket\" to another path")]
    NotASocket(PathBuf),
    /// The socket could not be made.
    #[error("{path}: {error}; the folder must exist and be writable")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The admin address could not be bound.
    #[error("admin: {address}: {error}; set \"admin\" to a free address")]
    Admin {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// Metrics could not be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The server ended by itself.
    #[error("serving failed: {0}")]
    Serve(#[from] tonic::transport::Error),
}

/// Runs the sidecar until `shutdown` completes and running requests have ended, or the limit for that has passed.
pub async fn run(settings: Settings, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
    Server::bind(settings).await?.serve(shutdown).await
}

/// A sidecar that has its addresses, and does not serve yet.
pub struct Server {
    sidecar: Arc<Sidecar>,
    settings: Settings,
    socket: Socket,
    listener: UnixListener,
    admin: TcpListener,
}

impl Server {
    /// Takes the socket and the admin address.
    pub async fn bind(settings: Settings) -> Result<Self, StartError> {
        settings.check()?;
        let admin = TcpListener::bind(settings.admin)
            .await
            .map_err(|error| StartError::Admin { address: settings.admin, error })?;
        clear(&settings.socket).await?;
        let listener = UnixListener::bind(&settings.socket)
            .map_err(|error| StartError::Socket { path: settings.socket.clone(), error })?;
        let socket = Socket { path: settings.socket.clone() };
        // Requests need no key there, so only this user may connect.
        std::fs::set_permissions(&settings.socket, Permissions::from_mode(0o600))
            .map_err(|error| StartError::Socket { path: settings.socket.clone(), error })?;
        let sidecar = Arc::new(Sidecar::new(&settings)?);
        Ok(Self { sidecar, settings, socket, listener, admin })
    }

    /// The admin address, with its port where 0 was asked for.
    pub fn admin(&self) -> std::io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Loads the models and serves, until `shutdown` completes and running requests have ended.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
        let Self { sidecar, settings, socket, listener, admin } = self;
        let limit = Duration::from_secs(settings.limits.shutdown_seconds);
        device::announce();
        for wanted in Wanted::all(&settings) {
            sidecar.models.load(wanted, Origin::Settings);
        }
        let (health, health_service) = tonic_health::server::health_reporter();
        let health_updates = tokio::spawn(report(Arc::clone(&sidecar), health));
        let admin = tokio::spawn(admin::serve(Arc::clone(&sidecar), admin));
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = Transport::builder()
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .add_service(ext_proc::service(Arc::clone(&sidecar), api::route))
            .add_service(service::service(Arc::clone(&sidecar)))
            .add_service(health_service)
            .serve_with_incoming_shutdown(UnixListenerStream::new(listener).then(rested), async {
                // Dropping the sender stops as well.
                let _ = stopped.await;
            });
        tracing::info!(socket = %socket.path.display(), "serving");
        let mut serving = std::pin::pin!(serving);
        let outcome = tokio::select! {
            ended = &mut serving => ended,
            () = shutdown => {
                tracing::info!("stopping; requests that run are finished");
                sidecar.drain();
                // Another sidecar may bind this path from now on, so the file must be removed now and not later.
                drop(socket);
                let _ = stop.send(());
                tokio::time::timeout(limit, serving).await.unwrap_or_else(|_| {
                    tracing::warn!(seconds = limit.as_secs(), "some requests did not end in time; they are cut off");
                    Ok(())
                })
            }
        };
        admin.abort();
        health_updates.abort();
        Ok(outcome?)
    }
}

/// Keeps the gRPC health service up to date, until it is aborted.
async fn report(sidecar: Arc<Sidecar>, health: HealthReporter) {
    let mut changes = sidecar.models.changes();
    loop {
        let status = if sidecar.ready() { ServingStatus::Serving } else { ServingStatus::NotServing };
        health.set_service_status("", status).await;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Removes the socket file when it goes.
struct Socket {
    path: PathBuf,
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Removes the socket of a sidecar that has died. Anything else at its path is an error.
async fn clear(path: &Path) -> Result<(), StartError> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(StartError::NotASocket(path.into()));
    }
    if UnixStream::connect(path).await.is_ok() {
        return Err(StartError::SocketInUse(path.into()));
    }
    std::fs::remove_file(path).map_err(|error| StartError::Socket { path: path.into(), error })
}
