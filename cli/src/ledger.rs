//! `weir ledger`: fills the ledger from access logs, and removes what is old.

use std::path::{Path, PathBuf};

use weir_control::Environment;
use weir_control::environment::References;
use weir_control::ledger::follow::{Scope, place};
use weir_control::ledger::{self, Ages, Follower, Sqlite, Step, Store, StoreError};
use weir_node::folders::Folders;
use weir_node::ledger::{Keep, catch_up, counted_gaps, keep, node_of, now_ms};
use weir_node::places::Places;
use weir_node::problem::at;
use weir_node::{Outcome, Problem, admin, configuration, say};

use crate::args;

/// Runs one command.
pub(crate) fn run(command: args::Ledger) -> Outcome {
    match command {
        args::Ledger::Follow(args) => follow(&args),
        args::Ledger::Read { files, node, store } => read(&files, node.as_deref(), store),
        args::Ledger::Age { rows, hours, days, store } => {
            let mut store = open(store)?;
            let (mut rows_gone, mut sums_gone) = (0, 0);
            loop {
                let ages = Ages { rows: Some(rows), hours: Some(hours), days };
                let gone = store.age(ages, now_ms()).map_err(|error| failed(&error))?;
                (rows_gone, sums_gone) = (rows_gone + gone.rows, sums_gone + gone.sums);
                if !gone.more {
                    return say::result(&format!("removed {rows_gone} rows and {sums_gone} sums"));
                }
            }
        }
    }
}

/// The ledger's file: the one that is named, else the usual one.
pub(crate) fn path(named: Option<PathBuf>) -> Outcome<PathBuf> {
    if let Some(path) = named {
        return Ok(path);
    }
    let places = Places::here().map_err(|error| Problem::Failed(error.to_string()))?;
    Ok(places.state.join(ledger::FILE))
}

/// Opens the ledger to read it.
pub(crate) fn open_to_read(named: Option<PathBuf>) -> Outcome<Sqlite> {
    Sqlite::open_to_read(&path(named)?).map_err(|error| failed(&error))
}

/// What a failure of the store tells a person.
pub(crate) fn failed(error: &StoreError) -> Problem {
    let what_to_do = match error {
        StoreError::Missing(_) => {
            "; `weir ledger follow` fills one from the access log, and `weir ledger read FILE` from logs that were kept"
        }
        _ => "",
    };
    Problem::Failed(format!("{error}{what_to_do}"))
}

fn open(named: Option<PathBuf>) -> Outcome<Sqlite> {
    Sqlite::open(&path(named)?).map_err(|error| failed(&error))
}

fn follow(args: &args::Follow) -> Outcome {
    let followed = match &args.log {
        Some(log) => {
            let log = std::path::absolute(log).map_err(at(log))?;
            Followed { log, ages: Ages::default(), folders: None }
        }
        None => log_of(args)?,
    };
    let Followed { log, ages, folders } = followed;
    let named = args.admin.clone();
    let admin = Box::new(move || named.clone().or_else(|| folders.as_ref().map(admin::address)));
    let node = args.node.clone().unwrap_or_else(|| node_of(&log));
    let what = Keep { log: log.clone(), node, store: path(args.store.clone())?, ages, admin };
    if args.once { say::result(&told(&log, catch_up(what)?)) } else { keep(what) }
}

fn read(files: &[PathBuf], node: Option<&str>, store: Option<PathBuf>) -> Outcome {
    let mut store = open(store)?;
    for file in files {
        let log = std::path::absolute(file).map_err(at(file))?;
        let packed = [".gz", ".xz", ".zst", ".bz2"].iter().any(|ending| log.to_string_lossy().ends_with(ending));
        if packed {
            return Err(Problem::Usage(format!("{}: unpack it first", file.display())));
        }
        let usual = node_of(&log);
        let mut follower = Follower::new(node.unwrap_or(&usual), &log, Scope::File);
        let step = follower.catch_up(&mut store, now_ms()).map_err(|error| Problem::Failed(error.to_string()))?;
        say::result(&told(file, step))?;
    }
    Ok(())
}

/// A log, how long what it tells is kept, and the folders of the Envoy that writes it.
struct Followed {
    log: PathBuf,
    ages: Ages,
    folders: Option<Folders>,
}

/// The log of a configuration.
fn log_of(args: &args::Follow) -> Outcome<Followed> {
    let folders = Folders::find(args.file.as_deref(), args.run.as_deref())?;
    let usual = folders.logs.join("access.log");
    // With --run, the configuration need not be there.
    let file = match (configuration::find(args.file.as_deref()), &args.run) {
        (Err(_), Some(_)) => return Ok(Followed { log: usual, ages: Ages::default(), folders: Some(folders) }),
        (found, _) => found?,
    };
    // Only the log's place is wanted, so no credential needs to be set.
    let environment = Environment { references: References::Elsewhere { base: None }, ..Environment::of_process() };
    let loaded = weir_control::load(&file, &environment)?;
    let log = place(&loaded.gateway, &usual).map_err(|error| Problem::Failed(error.to_string()))?;
    Ok(Followed { log, ages: loaded.gateway.ledger().into(), folders: Some(folders) })
}

fn told(file: &Path, step: Step) -> String {
    let mut text = format!("{}: {} new requests", file.display(), step.rows);
    if step.gaps > 0 {
        text.push_str(", ");
        text.push_str(&counted_gaps(step));
    }
    text
}
