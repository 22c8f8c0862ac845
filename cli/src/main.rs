//! `weir`: one binary for everything but the filter. [`args`] lists the commands; each is a module, and [`up`] is the one
//! that runs the others.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic"))]

mod admin;
mod args;
mod config;
mod http;
mod keys;
mod launch;
mod models;
mod problem;
mod render;
mod say;
mod serve;
mod up;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use problem::Outcome;

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
        Command::Check { file } => config::check(&file),
        Command::Render(args) => render::run(&args),
        Command::Explain { file, request, path, json } => {
            let form = if json { config::Form::Json } else { config::Form::Text };
            config::explain(&file, &request, path.as_deref(), form)
        }
        Command::Presets => config::presets(),
        Command::Keys { file, command } => keys::run(file, command),
        Command::Models(args) => models::run(&args),
        Command::Admin(args) => admin::run(&args),
        Command::Sidecar { config } => serve::sidecar(&config),
        Command::Sim(args) => serve::sim(args),
        Command::Fetch => serve::fetch(),
        Command::Schema { file, check } => config::schema(file.as_deref(), check),
        Command::Launch(args) => launch::run(&args),
    }
}
