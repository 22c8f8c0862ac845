//! The generator itself, shared by the example that writes and the test that checks.

use std::fs;
use std::path::Path;

/// Every source, relative to the crate. A new file is a new line here.
const SOURCES: [&str; 2] = ["weir/control/v1/exchange.proto", "weir/sidecar/v1/models.proto"];

/// Generates the code of the sources under `here` into `out`.
pub(crate) fn write(here: &Path, out: &Path) -> Result<(), String> {
    let sources = SOURCES.map(|source| here.join(source));
    let descriptors = protox::compile(sources, [here]).map_err(|error| format!("{error}"))?;
    tonic_prost_build::configure()
        .out_dir(out)
        .compile_fds(descriptors)
        .map_err(|error| format!("{}: {error}", out.display()))
}

/// Says whether what is checked in is what the sources give.
pub(crate) fn check(here: &Path) -> Result<(), String> {
    let fresh = tempfile::tempdir().map_err(|error| error.to_string())?;
    write(here, fresh.path())?;
    for entry in fs::read_dir(fresh.path()).map_err(|error| error.to_string())? {
        let name = entry.map_err(|error| error.to_string())?.file_name();
        let kept = here.join("src").join(&name);
        let generated = fs::read(fresh.path().join(&name)).map_err(|error| error.to_string())?;
        if fs::read(&kept).ok().as_deref() != Some(generated.as_slice()) {
            return Err(format!("{}: stale; run `cargo run -p weir-proto --example generate`", kept.display()));
        }
    }
    Ok(())
}
