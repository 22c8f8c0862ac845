//! Reads one file of a model: as JSON, and never as what Git keeps in place of a large file.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use thiserror::Error;

/// Why a file of a model cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// It is missing or unreadable.
    #[error("{path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{path}: {error}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        error: serde_json::Error,
    },
    /// Git has not fetched it yet.
    #[error("{path}: this is a pointer of Git LFS and not the file; run `git lfs pull` where it was cloned")]
    Pointer {
        /// The file.
        path: PathBuf,
    },
}

/// How the small files begin that Git has in place of large ones. <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Whether a file is only a pointer to where Git keeps the real one.
pub fn is_pointer(path: &Path) -> bool {
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map(|file| file.take(POINTER.len() as u64));
    file.and_then(|mut file| file.read_to_end(&mut head)).is_ok() && head == POINTER
}

/// Refuses a file that is only a pointer.
pub fn fetched(path: &Path) -> Result<(), FileError> {
    if is_pointer(path) { Err(FileError::Pointer { path: path.into() }) } else { Ok(()) }
}

/// Reads a JSON file that must be there.
pub fn json<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let bytes = std::fs::read(path).map_err(|error| FileError::Unreadable { path: path.into(), error })?;
    fetched(path)?;
    serde_json::from_slice(&bytes).map_err(|error| FileError::Malformed { path: path.into(), error })
}

/// Reads a JSON file; `None` where there is none.
pub fn optional_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    match json(path) {
        Ok(value) => Ok(Some(value)),
        Err(FileError::Unreadable { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
