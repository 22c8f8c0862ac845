//! The filter as a wasm module: built with whichever toolchain can, then held to its gates.
//!
//! The result is always at `target/wasm32-unknown-unknown/wasm/weir_filter.wasm`.

mod gates;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{run, target};
use crate::say::{self, Outcome};
use toolchain::Toolchain;

/// The target the filter is built for.
const TARGET: &str = "wasm32-unknown-unknown";

/// Builds the filter, checks it and says where it is.
pub(crate) fn build() -> Outcome<PathBuf> {
    module("weir-filter")
}

/// Builds the benchmark's no-op filter in the same way.
pub(crate) fn build_noop() -> Outcome<PathBuf> {
    module("weir-noop")
}

fn module(package: &str) -> Outcome<PathBuf> {
    let toolchain = Toolchain::find()?;
    say::note(&format!("toolchain: {toolchain}"));
    // Its own target folder, so that it neither waits for nor invalidates what is built natively.
    let folder = target().join("wasm");
    let mut cargo = toolchain.cargo();
    cargo.args(["--package", package, "--profile", "wasm", "--target", TARGET, "--target-dir"]);
    run(cargo.arg(&folder)).map_err(|problem| toolchain.explain(&problem))?;

    let built = Path::new(TARGET).join(format!("wasm/{}.wasm", package.replace('-', "_")));
    let module =
        fs::read(folder.join(&built)).map_err(|error| format!("{}: {error}", folder.join(&built).display()))?;
    let imports = gates::check(&module)?;
    let place = target().join(&built);
    put(&place, &module)?;
    say::note(&format!("{}: {} bytes, {imports} imports, all of them proxy-wasm's", place.display(), module.len()));
    Ok(place)
}

/// Writes beside and renames, and leaves a file that is already right alone: whoever loads it never sees half of it.
fn put(place: &Path, module: &[u8]) -> Outcome {
    if fs::read(place).is_ok_and(|old| old == module) {
        return Ok(());
    }
    let fresh = place.with_extension(format!("{}.tmp", std::process::id()));
    place
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&fresh, module))
        .and_then(|()| fs::rename(&fresh, place))
        .map_err(|error| format!("{}: {error}", place.display()))
}
