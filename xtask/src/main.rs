//! Build automation, as `cargo xtask <task>`. Each task is a module; this file only chooses one.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic"))]

mod bench;
mod cuda;
mod fetch;
mod generated;
mod onnx;
mod pairs;
mod run;
mod say;
mod structure;
mod test;
mod up;
mod wasm;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask TASK

  up [ARG …]        wasm, fetch, build `weir` (release), then `weir up ARG …`
  wasm              the filter as a wasm module, gates included
  fetch             Envoy, ONNX Runtime and the MiniLM model, into the cache outside the clone
  check             formatting, structure, lints and generated files; what a commit should pass
  structure         which crate depends on which, and no circle between the folders of a crate
  test              all that `check` does, then every test; what CI runs
  agents            the real Claude Code and Codex, from npm, on every provider of config/examples/coding-agents.yaml,
                    with the simulator in the providers' place
  soak              a million requests, after which neither filter nor Envoy may have more memory than after a tenth
  bench [--quick]   Weir against bare Envoy, a no-op filter and the direct call; writes target/bench/summary.json
  cuda              weir with CUDA, at target/cuda/weir; fetches NVIDIA's compiler where there is none
  pairs [--check | --bless]
                    instructions of each translation pair, by callgrind; compared with tests/pairs/blessed.json, or blessed
  bless             rewrite generated files and expected outputs, to be read with `git diff`
  fuzz [SECONDS]    every fuzz target for so long (default 60)
  schema [--check]  config/schema.json, from the configuration's types
  proto [--check]   the code of proto/
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["up", rest @ ..] => up::up(rest),
        ["wasm"] => wasm::build().map(drop),
        ["fetch"] => fetch::all(),
        ["check"] => test::check(),
        ["structure"] => structure::check(),
        ["agents"] => test::agents(),
        ["test"] => test::all(),
        ["soak"] => test::soak(),
        ["bench", rest @ ..] => bench::all(rest),
        ["pairs"] => pairs::count(pairs::Then::Nothing),
        ["pairs", "--check"] => pairs::count(pairs::Then::Check),
        ["pairs", "--bless"] => pairs::count(pairs::Then::Bless),
        ["cuda"] => cuda::build(),
        ["bless"] => generated::bless(),
        ["fuzz"] => test::fuzz("60"),
        ["fuzz", seconds] => test::fuzz(seconds),
        ["schema"] => generated::schema(generated::Mode::Write),
        ["schema", "--check"] => generated::schema(generated::Mode::Check),
        ["proto"] => generated::proto(generated::Mode::Write),
        ["proto", "--check"] => generated::proto(generated::Mode::Check),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("\n{}: {problem}", say::red("failed"));
            ExitCode::FAILURE
        }
    }
}
