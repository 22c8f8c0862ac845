//! What `weir up` is told besides the configuration.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use weir_core::config::units::duration;

use crate::filter::Wanted;

/// What `weir up` is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration; none is looked for where a clone and a usual installation have it.
    pub file: Option<PathBuf>,
    /// The folder with Envoy, ONNX Runtime and models, if it is not the usual one.
    pub cache: Option<PathBuf>,
    /// The folder for sockets, rendered files and logs, if it is not the configuration's own.
    pub run: Option<PathBuf>,
    /// The filter, if one is named.
    pub filter: Option<Wanted>,
    /// How long requests may take to end after a signal.
    pub drain: Duration,
    /// How long everything may take to get ready.
    pub wait: Duration,
    /// The address at which a provider is simulated; `None` simulates none.
    pub sim: Option<SocketAddr>,
    /// Where the sidecar serves health and metrics, if that is named.
    pub sidecar_admin: Option<SocketAddr>,
    /// Envoy's worker threads; one for each core unless given.
    pub concurrency: Option<u32>,
    /// Envoy's log level.
    pub log_level: String,
    /// Log levels of single components of Envoy.
    pub component_log_level: Option<String>,
    /// The file that is written once everything is ready.
    pub ready_file: Option<PathBuf>,
}
