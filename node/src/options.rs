//! What a node is told besides the configuration: the flags of `weir up`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use weir_core::config::units::duration;

use crate::filter::Wanted;

/// What a node is told besides the configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration. `None` looks where a clone and a usual installation have it.
    pub file: Option<PathBuf>,
    /// The folder with Envoy, ONNX Runtime and models, instead of the usual one.
    pub cache: Option<PathBuf>,
    /// The folder for sockets, rendered files and logs, instead of one for each configuration.
    pub run: Option<PathBuf>,
    /// Envoy's name, instead of one of this machine and these folders.
    pub node: Option<String>,
    /// The filter, if one is named.
    pub filter: Option<Wanted>,
    /// How long requests may take to end after a signal.
    pub drain: Duration,
    /// How long everything may take to get ready.
    pub wait: Duration,
    /// If a provider's endpoint is this address, the simulated provider is started there. `None` never starts it.
    pub sim: Option<SocketAddr>,
    /// Where the sidecar serves health and metrics. `None` takes the usual port, or a free one.
    pub sidecar_admin: Option<SocketAddr>,
    /// Envoy's worker threads. `None` is one for each core.
    pub concurrency: Option<u32>,
    /// Envoy's log level.
    pub log_level: String,
    /// Log levels of single components of Envoy.
    pub component_log_level: Option<String>,
    /// A file that is written once everything is ready.
    pub ready_file: Option<PathBuf>,
}
