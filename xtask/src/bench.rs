//! The benchmark: all modules, then Weir against bare Envoy, the no-op filter and the direct call in one run.

use crate::run::{cargo, run};
use crate::say::{self, Outcome};
use crate::{fetch, wasm};

/// Runs it; `arguments` go to the benchmark itself (`--quick` for two rounds).
pub(crate) fn all(arguments: &[&str]) -> Outcome {
    say::step("fetching what runs beside the filter", fetch::all)?;
    say::step("building the filter", wasm::build)?;
    say::step("building the no-op filter", wasm::build_noop)?;
    let both = ["build", "--release", "--package", "weir", "--package", "weir-filter"];
    say::step("building weir and the filter as a dynamic module (release)", || run(&mut cargo(&both)))?;
    let mut bench = cargo(&["run", "--release", "--package", "weir-bench", "--"]);
    say::step("measuring", || run(bench.args(arguments)))
}
