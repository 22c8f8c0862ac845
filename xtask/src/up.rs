//! `weir up`, from a clone: everything that it needs, then itself.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::run::{cargo, line, run, target};
use crate::say::{self, Outcome};
use crate::{fetch, wasm};

/// Everything that `weir up` needs, then `weir up` in place of this process, so that it gets the signals.
pub(crate) fn up(arguments: &[&str]) -> Outcome {
    say::step("the filter, as a wasm module", wasm::build)?;
    say::step("Envoy, ONNX Runtime and a model", fetch::all)?;
    let both = ["build", "--release", "--package", "weir", "--package", "weir-filter"];
    say::step("the weir binary, and the filter as a dynamic module", || run(&mut cargo(&both)))?;
    let mut weir = Command::new(target().join("release/weir"));
    weir.arg("up").args(arguments);
    let line = line(&weir);
    Err(format!("cannot run `{line}`: {}", weir.exec()))
}
