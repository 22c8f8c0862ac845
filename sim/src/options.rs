//! What a simulator is told before it starts.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
};

use crate::{Fault, Pace};

/// How a simulator listens and answers. The defaults suit a test: a free port, any `sk-…` key, no waiting.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The keys it accepts. None: any that begins with `sk-`, and of each provider what begins as its own do.
    pub keys: Vec<String>,
    /// What requests to Bedrock must be signed with. None: any signature of the right form will do.
    pub aws: Option<AwsKey>,
    /// Whether a request without any key is answered all the same.
    pub keyless: Keyless,
    /// The models it lists under `/v1/models`.
    pub models: Vec<String>,
    /// Whether a model that is not listed answers all the same.
    pub unknown_models: UnknownModels,
    /// Faults in force from the start, each for a model (`*`: for any), as [`Sim::set_fault`](crate::Sim::set_fault) sets them.
    pub faults: Vec<(String, Fault)>,
    /// How fast tokens come.
    pub pace: Pace,
    /// How many tokens an answer has. None: as many as its sentence needs.
    pub tokens: Option<u32>,
    /// When answers are gzipped.
    pub compression: Compression,
    /// How many requests are kept for [`Sim::requests`](crate::Sim::requests).
    pub keep: Keep,
    /// What `GET /_sim/requests` must bear, as `authorization: Bearer …`. None: it shows them to nobody. Prompts stand in them, and any
    /// process of the machine can ask.
    pub token: Option<String>,
    /// How much is done for each request.
    pub effort: Effort,
    /// The certificate, where it is to speak TLS.
    pub tls: Option<Tls>,
    /// The folder with `<provider>/<case>/3-answer.*`, for replays.
    pub fixtures: Option<PathBuf>,
    /// Cuts replayed answers into chunks of this many bytes, each written on its own.
    pub chunk: Option<NonZeroUsize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            keys: Vec::new(),
            aws: None,
            keyless: Keyless::Refuse,
            models: ["gpt-4o", "gpt-4o-mini", "text-embedding-3-small", "claude-sonnet-4-5", "claude-haiku-4-5"]
                .map(str::to_owned)
                .to_vec(),
            unknown_models: UnknownModels::Answer,
            faults: Vec::new(),
            pace: Pace::default(),
            tokens: None,
            compression: Compression::WhenAccepted,
            keep: Keep::default(),
            token: None,
            effort: Effort::Read,
            tls: None,
            fixtures: None,
            chunk: None,
        }
    }
}

/// What happens to a request for a model that is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownModels {
    /// It is answered as any other.
    Answer,
    /// It is a 404, as at a real provider; `fault-…` and `replay-…` names still work.
    Refuse,
}

/// What happens to a request without a key. A wrong one is refused either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyless {
    /// It is a 401, as at a real provider.
    Refuse,
    /// It is answered: for a first start, where no credential is set anywhere.
    Admit,
}

/// When answers are gzipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As real providers do: where `accept-encoding` names gzip.
    WhenAccepted,
    /// Even where the caller did not accept it.
    Always,
    /// Never.
    Never,
}

/// How much is done for each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Requests are parsed, checked and answered one by one.
    Read,
    /// Chat requests get one of a few answers rendered at the start, in one write: for benchmarks, where the
    /// simulator must not be what is measured. Only the path, the key, `stream` and `include_usage` are looked at;
    /// pace, model names and faults of a single model are not.
    Prerendered,
}

/// Bounds on the requests that are kept; beyond either, the oldest goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// The most requests.
    pub requests: usize,
    /// The most bytes of bodies.
    pub bytes: usize,
}

impl Keep {
    /// Keeps nothing, for benchmarks.
    pub const NOTHING: Self = Self { requests: 0, bytes: 0 };
}

impl Default for Keep {
    fn default() -> Self {
        Self { requests: 4096, bytes: 64 << 20 }
    }
}

/// A key pair of AWS.
#[derive(Clone, PartialEq, Eq)]
pub struct AwsKey {
    /// The id of the access key.
    pub access: String,
    /// The secret access key.
    pub secret: String,
}

impl std::fmt::Debug for AwsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsKey").field("access", &self.access).finish_non_exhaustive()
    }
}

/// A certificate chain and its key, both as PEM text.
#[derive(Clone)]
pub struct Tls {
    /// The chain, leaf first.
    pub certificate: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls { … }")
    }
}

/// Why a simulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {listen}: {source}; choose another address, or port 0 for a free one")]
    Bind {
        /// The address asked for.
        listen: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The PEM text holds no certificate or no key.
    #[error("the certificate or its key cannot be read: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// The certificate and the key do not serve together.
    #[error("the certificate cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}
