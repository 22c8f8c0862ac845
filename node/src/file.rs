//! Writes a file as a whole.

use std::fs;
use std::path::Path;

use crate::problem::{Outcome, at};

/// Writes a new file and renames it to `path`: a reader sees the old text or the new one, even if the disk is full.
pub(crate) fn replace(path: &Path, text: &[u8]) -> Outcome {
    let fresh = path.with_extension("tmp");
    fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, path)).map_err(at(path))
}

/// The same, unless the file has that text already. Says whether it was written.
pub(crate) fn update(path: &Path, text: &[u8]) -> Outcome<bool> {
    if fs::read(path).is_ok_and(|held| held == text) {
        return Ok(false);
    }
    replace(path, text).map(|()| true)
}
