//! Everything that must hold: `check` is quick, `test` is all of it, and both say how long each step took.

use std::fs;
use std::process::Command;

use crate::generated::{self, Mode};
use crate::pairs::{self, Then};
use crate::run::{ask, cargo, root, run, target};
use crate::say::{Outcome, note, step};
use crate::{fetch, structure, wasm};

/// Formatting, structure, lints, generated files.
pub(crate) fn check() -> Outcome {
    step("formatting", || {
        run(&mut cargo(&["fmt", "--all", "--check"])).map_err(|problem| format!("{problem}; `make fmt` formats"))
    })?;
    step("structure", structure::check)?;
    step("lints", || {
        // Both of the filter's shells: natively, clippy sees the wasm one too.
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
    step("the filter, as a dynamic module", || run(&mut cargo(&["build", "--package", "weir-filter"])))?;
    check()?;
    let named = |problem| format!("{problem}; the failing tests are named above");
    step("tests", || run(&mut cargo(&["test", "--no-fail-fast"])).map_err(named))?;
    step("what the wasm filter does in Envoy, with the native one", || {
        let mut again = cargo(&["test", "--no-fail-fast", "--test", "gateway"]);
        run(again.env("WEIR_FILTER", target().join("debug/libweir_filter.so"))).map_err(named)
    })?;
    if !pairs::can_count() {
        note("valgrind is not installed; `apt-get install valgrind` to hold translations to their instructions too");
        return Ok(());
    }
    step("instructions of each translation", || pairs::count(Then::Check))
}

/// The coding agents that people use, which are large downloads and change weekly: no part of [`all`].
pub(crate) fn agents() -> Outcome {
    step("Envoy", fetch::all)?;
    step("the filter", wasm::build)?;
    step("weir", || run(&mut cargo(&["build", "--package", "weir"])))?;
    step("agents", || run(&mut cargo(&["test", "--package", "weir-tests", "--test", "agents", "--", "--nocapture"])))
}

/// A million requests with each of the filters, for a quarter of an hour: no part of [`all`].
pub(crate) fn soak() -> Outcome {
    step("Envoy", fetch::all)?;
    step("the filter", wasm::build)?;
    step("the filter as a dynamic module", || run(&mut cargo(&["build", "--release", "--package", "weir-filter"])))?;
    let soak = || {
        let mut soak = cargo(&["test", "--release", "--package", "weir-tests", "--test", "soak", "--", "--nocapture"]);
        soak.env_remove("WEIR_FILTER");
        soak
    };
    step("soak, wasm", || run(&mut soak()))?;
    let native = target().join("release/libweir_filter.so");
    step("soak, native", || run(soak().env("WEIR_FILTER", native)))
}

/// Every fuzz target, each for this many seconds.
pub(crate) fn fuzz(seconds: &str) -> Outcome {
    if seconds.parse::<u32>().is_err() {
        return Err(format!("`{seconds}` is no number of seconds"));
    }
    // Through rustup: the cargo that runs this task is one toolchain's own, which knows no other.
    let nightly = |arguments: &[&str]| {
        let mut command = Command::new("rustup");
        command.args(["run", "nightly", "cargo"]).args(arguments).current_dir(root().join("fuzz"));
        command
    };
    if ask(&mut nightly(&["fuzz", "--version"])).is_none() {
        let how = "`rustup toolchain install nightly` and `cargo install cargo-fuzz`";
        return Err(format!("fuzzing needs nightly Rust and cargo-fuzz: {how}"));
    }
    // It prints the names of the targets; the library in `fuzz` has the only list.
    let targets = step("seeds from the corpus", || {
        let seeds = ask(&mut nightly(&["run", "--quiet", "--example", "seeds", "--", "target/seeds"]));
        seeds.ok_or_else(|| "the seeds were not written; run `cargo +nightly run --example seeds` in fuzz/".to_owned())
    })?;
    let limit = format!("-max_total_time={seconds}");
    // No input is large, so nothing that is done with one needs much memory or time.
    let limits = [&*limit, "-dict=target/seeds/words.dict", "-malloc_limit_mb=256", "-timeout=10"];
    for target in targets.lines() {
        let (found, failed) = (format!("corpus/{target}"), format!("artifacts/{target}/"));
        for folder in [&found, &failed] {
            fs::create_dir_all(root().join("fuzz").join(folder)).map_err(|error| format!("fuzz/{folder}: {error}"))?;
        }
        let (seeds, failed) = (format!("target/seeds/{target}"), format!("-artifact_prefix={failed}"));
        step(&format!("fuzzing {target} for {seconds} s"), || {
            let mut fuzz = nightly(&["fuzz", "run", "any", &found, &seeds, "--", &failed]);
            run(fuzz.args(limits).env("WEIR_FUZZ", target))
        })?;
    }
    Ok(())
}

/// Licenses, advisories and duplicates, where the tool is installed; CI installs it.
fn deny() -> Outcome {
    if ask(&mut cargo(&["deny", "--version"])).is_none() {
        note("cargo-deny is not installed; `cargo install cargo-deny` to check licenses and advisories too");
        return Ok(());
    }
    step("licenses and duplicates", || {
        run(&mut cargo(&["deny", "--log-level", "error", "check", "bans", "licenses", "sources"]))
    })
}
