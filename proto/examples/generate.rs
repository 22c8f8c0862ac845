//! Writes the code of every service under `weir/` into `src/`. With `--check` it writes nothing, and fails when what is
//! checked in is stale. No `protoc` is needed: protox reads the sources.

use std::path::Path;
use std::process::ExitCode;

#[path = "generate/build.rs"]
mod build;

fn main() -> ExitCode {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let outcome = if std::env::args().any(|argument| argument == "--check") {
        build::check(here)
    } else {
        build::write(here, &here.join("src"))
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
