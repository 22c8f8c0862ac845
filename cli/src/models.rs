//! `weir models`.

use weir_node::models::{Target, Wanted, listed, load_by_hand, unload_by_hand};
use weir_node::{EngineChoice, Outcome, say};

use crate::args::{self, ModelsCommand};

/// Lists what a running sidecar serves, or changes it.
pub(crate) fn run(args: args::Models) -> Outcome {
    match args.command {
        None => listed(&target(args.sidecar))?.iter().try_for_each(|line| say::result(line)),
        Some(ModelsCommand::Load { name, sidecar, path, engine, max_waiting, threads }) => {
            let engine = engine.map(|engine| match engine.as_str() {
                "onnx" => EngineChoice::Onnx,
                _ => EngineChoice::Candle,
            });
            say::result(&load_by_hand(&target(sidecar), Wanted { name, path, engine, max_waiting, threads })?)
        }
        Some(ModelsCommand::Unload { name, sidecar }) => {
            unload_by_hand(&target(sidecar), &name)?;
            say::line(&format!("local model {name} is unloaded"));
            Ok(())
        }
    }
}

fn target(args: args::Sidecar) -> Target {
    Target { file: args.file, run: args.run, socket: args.socket }
}
