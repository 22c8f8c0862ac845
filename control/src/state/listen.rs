//! Where control listens. Beyond this machine it does so only with TLS and a token.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket, which only this user may open.
    Socket(PathBuf),
    /// An IP address and a port.
    Tcp(SocketAddr),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Socket(path.into()));
        }
        let wrong = |_| format!("\"{text}\" is neither unix:PATH nor an IP address with a port");
        text.parse().map(Self::Tcp).map_err(wrong)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// What protects a listener.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// The files of a certificate and its key, in PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// What each caller must send as a bearer token.
    pub token: Option<String>,
}

/// The shortest token that is long enough not to be guessed.
const SHORTEST: usize = 16;

/// Why control cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Others could read and change limits.
    #[error(
        "{0} can be reached from other machines; give a certificate, its key and a token, or listen on 127.0.0.1 or unix:PATH"
    )]
    Unguarded(SocketAddr),
    /// The token could be guessed.
    #[error("the token has fewer than 16 bytes; `openssl rand -hex 32` makes one")]
    ShortToken,
    /// The address cannot be used.
    #[error("cannot listen on {0}: {1}")]
    Address(String, io::Error),
    /// The certificate or its key cannot be used.
    #[error("{0}: {1}")]
    Certificate(String, String),
}

/// What accepts connections.
#[derive(Debug)]
pub(super) enum Socket {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// A listener, bound.
pub struct Listener {
    pub(super) socket: Socket,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) token: Option<String>,
    address: Address,
}

impl Listener {
    /// Binds.
    pub async fn bind(address: &Address, guard: Guard) -> Result<Self, ListenError> {
        if guard.token.as_ref().is_some_and(|token| token.len() < SHORTEST) {
            return Err(ListenError::ShortToken);
        }
        let tls = guard.tls.as_ref().map(|(chain, key)| acceptor(chain, key)).transpose()?;
        let (socket, address) = match address {
            Address::Socket(path) => {
                let at = |error| ListenError::Address(format!("unix:{}", path.display()), error);
                (Socket::Unix(unix(path).await.map_err(at)?), address.clone())
            }
            Address::Tcp(to) => {
                if !to.ip().is_loopback() && (tls.is_none() || guard.token.is_none()) {
                    return Err(ListenError::Unguarded(*to));
                }
                let at = |error| ListenError::Address(to.to_string(), error);
                let listener = TcpListener::bind(to).await.map_err(at)?;
                let bound = listener.local_addr().map_err(at)?;
                (Socket::Tcp(listener), Address::Tcp(bound))
            }
        };
        Ok(Self { socket, tls, token: guard.token, address })
    }

    /// Where it listens: with the port that was free, if any was asked for.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

/// A socket that only this user may open. One that a process left behind which has ended is replaced.
async fn unix(path: &Path) -> io::Result<UnixListener> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        if tokio::net::UnixStream::connect(path).await.is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn acceptor(chain: &Path, key: &Path) -> Result<TlsAcceptor, ListenError> {
    let wrong = |path: &Path, error: &dyn std::fmt::Display| {
        ListenError::Certificate(path.display().to_string(), error.to_string())
    };
    let certificates = CertificateDer::pem_file_iter(chain).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|error| wrong(chain, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, private));
    let mut config = config.map_err(|error| wrong(chain, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
