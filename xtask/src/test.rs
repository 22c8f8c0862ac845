//! Everything that must hold: `check` is quick, `test` is all of it, and both say how long each step took.

use crate::generated::{self, Mode};
use crate::run::{cargo, root, run};
use crate::say::{Outcome, note, step};
use crate::{fetch, wasm};

/// Formatting, lints, generated files.
pub(crate) fn check() -> Outcome {
    step("formatting", || {
        run(&mut cargo(&["fmt", "--all", "--check"])).map_err(|problem| format!("{problem}; `make fmt` formats"))
    })?;
    step("lints", || {
        // The filter's exports clash natively with nothing, so it is linted like the rest.
        run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    step("generated files", || {
        let stale = |problem| format!("{problem}; `make bless` writes them anew");
        generated::schema(Mode::Check).map_err(stale)?;
        generated::proto(Mode::Check).map_err(stale)
    })?;
    deny()
}

/// What CI runs.
pub(crate) fn all() -> Outcome {
    step("Envoy, ONNX Runtime and a model", fetch::all)?;
    step("the filter, as a wasm module, and its gates", wasm::build)?;
    check()?;
    step("tests", || {
        run(&mut cargo(&["test", "--workspace", "--exclude", "weir-filter"]))
            .map_err(|problem| format!("{problem}; the failing test is named above"))
    })
}

/// Every fuzz target, each for so many seconds.
pub(crate) fn fuzz(seconds: &str) -> Outcome {
    if seconds.parse::<u32>().is_err() {
        return Err(format!("`{seconds}` is no number of seconds"));
    }
    let listed = crate::run::ask(cargo(&["+nightly", "fuzz", "list"]).current_dir(root()));
    let Some(targets) = listed else {
        return Err(
            "fuzzing needs nightly Rust and cargo-fuzz: `rustup toolchain install nightly` and `cargo install \
                    cargo-fuzz`"
                .to_owned(),
        );
    };
    for target in targets.lines() {
        step(&format!("fuzzing {target} for {seconds} s"), || {
            let limit = format!("-max_total_time={seconds}");
            run(&mut cargo(&["+nightly", "fuzz", "run", target, "--", &limit]))
        })?;
    }
    Ok(())
}

/// Licenses, advisories and duplicates, where the tool is installed; CI installs it.
fn deny() -> Outcome {
    if crate::run::ask(&mut cargo(&["deny", "--version"])).is_none() {
        note("cargo-deny is not installed; `cargo install cargo-deny` to check licenses and advisories too");
        return Ok(());
    }
    step("licenses and duplicates", || {
        run(&mut cargo(&["deny", "--log-level", "error", "check", "bans", "licenses", "sources"]))
    })
}
