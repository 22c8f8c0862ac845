//! `weir`: one binary for everything except the filter. [`args`] lists the commands. Each is a module that makes one call to
//! weir-node or weir-control and prints the result; [`up`] is the one that starts everything.

mod admin;
mod args;
mod check;
mod control;
mod explain;
mod fetch;
mod keys;
mod ledger;
mod limits;
mod models;
mod presets;
mod prices;
mod reconcile;
mod render;
mod schema;
mod sim;
mod up;
mod usage;

use std::process::ExitCode;

use clap::Parser;
use weir_node::{Outcome, launch, say, serve};

use args::{Arguments, Command};

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            say::line(&problem.to_string());
            problem.code()
        }
    }
}

fn run(command: Command) -> Outcome {
    match command {
        Command::Up(args) => up::run(args),
        Command::Check { file } => check::run(&file),
        Command::Render(args) => render::run(args),
        Command::Explain { file, request, path, json } => {
            let form = if json { explain::Form::Json } else { explain::Form::Text };
            explain::run(&file, &request, path.as_deref(), form)
        }
        Command::Presets => presets::run(),
        Command::Prices(args) => prices::run(args),
        Command::Keys { file, command } => keys::run(file, command),
        Command::Usage(args) => usage::run(args),
        Command::Reconcile(args) => reconcile::run(args),
        Command::Ledger { command } => ledger::run(command),
        Command::Models(args) => models::run(args),
        Command::Admin(args) => admin::run(&args),
        Command::Control(args) => control::run(args),
        Command::Limits(args) => limits::run(args),
        Command::Sidecar { config } => serve::sidecar(&config),
        Command::Sim(args) => sim::run(args),
        Command::Fetch => fetch::run(),
        Command::Schema { file, check } => schema::run(file.as_deref(), check),
        Command::Launch(args) => launch::run(args.parent, &args.command),
    }
}
