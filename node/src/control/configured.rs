//! The configuration that control follows: its limits, and where its access log is.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use weir_control::Environment;
use weir_control::state::limits::Limits;

use super::filling::Filling;
use crate::problem::Outcome;

/// A configuration, which may change.
pub(super) struct Configured {
    file: PathBuf,
    environment: Environment,
    /// What fills the ledger, if anything does.
    filling: Option<Arc<Filling>>,
    seen: Mutex<Seen>,
}

/// The files, as they were when they were read.
#[derive(Default)]
struct Seen {
    files: Vec<PathBuf>,
    stamps: Vec<Stamp>,
}

type Stamp = Option<(SystemTime, u64)>;

impl Configured {
    /// The configuration in this file. Nothing is read yet.
    pub(super) fn new(file: PathBuf, environment: Environment, filling: Option<Arc<Filling>>) -> Self {
        Self { file, environment, filling, seen: Mutex::default() }
    }

    /// Reads it. What fills the ledger follows the log that it names now.
    pub(super) fn read(&self) -> Outcome<Limits> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // A change that comes while it is read is another change.
        seen.stamps = stamps(&seen.files);
        let loaded = weir_control::load(&self.file, &self.environment)?;
        if loaded.files != seen.files {
            seen.stamps = stamps(&loaded.files);
            seen.files = loaded.files;
        }
        if let Some(filling) = &self.filling {
            filling.follow(&loaded.gateway);
        }
        Ok(Limits::of(loaded.gateway.routing().quotas.all()))
    }

    /// Whether a file is not as it was when it was read.
    pub(super) fn has_changed(&self) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        stamps(&seen.files) != seen.stamps
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len()))
    };
    files.iter().map(|path| stamp(path)).collect()
}
