//! Where a configuration has its access log.

use std::path::{Path, PathBuf};

use weir_core::config::{AccessLog, Gateway};

/// The log is no file, so nobody can follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("telemetry.access_log is stdout, which cannot be followed; name a file, or leave it out")]
pub struct NoFile;

/// The log of a configuration. `usual` is where it is if the configuration names none.
pub fn place(gateway: &Gateway, usual: &Path) -> Result<PathBuf, NoFile> {
    match &gateway.telemetry().access_log {
        None => Ok(usual.to_owned()),
        Some(AccessLog::File(file)) => Ok(PathBuf::from(file)),
        Some(AccessLog::Stdout) => Err(NoFile),
    }
}
