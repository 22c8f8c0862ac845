//! `weir ledger`: fills the ledger from access logs, and removes what is old.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use weir_control::Environment;
use weir_control::environment::References;
use weir_control::ledger::follow::{Scope, place};
use weir_control::ledger::{self, Ages, Follower, Sqlite, Step, Store, StoreError};
use weir_node::folders::Folders;
use weir_node::places::Places;
use weir_node::problem::{at, counted};
use weir_node::{Outcome, Problem, configuration, say};

use crate::args;

/// How long the log is left alone when there is nothing new in it.
const PAUSE: Duration = Duration::from_millis(200);

/// How long it is left alone after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Runs one command.
pub(crate) fn run(command: args::Ledger) -> Outcome {
    match command {
        args::Ledger::Follow(args) => follow(&args),
        args::Ledger::Read { files, node, store } => read(&files, node.as_deref(), store),
        args::Ledger::Age { rows, hours, days, store } => {
            let mut store = open(store)?;
            let gone = store
                .age(Ages { rows: Some(rows), hours: Some(hours), days }, now_ms())
                .map_err(|error| failed(&error))?;
            say::result(&format!("removed {} rows and {} sums", gone.rows, gone.sums))
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

/// The time, in milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn open(named: Option<PathBuf>) -> Outcome<Sqlite> {
    Sqlite::open(&path(named)?).map_err(|error| failed(&error))
}

fn follow(args: &args::Follow) -> Outcome {
    let (log, usual_node) = match &args.log {
        Some(log) => (std::path::absolute(log).map_err(at(log))?, node_of(log)),
        None => log_of(args)?,
    };
    let mut store = open(args.store.clone())?;
    let node = args.node.as_deref().unwrap_or(&usual_node);
    let mut follower = Follower::new(node, &log, Scope::Family);
    if args.once {
        let step = follower.catch_up(&mut store, now_ms()).map_err(|error| Problem::Failed(error.to_string()))?;
        return say::result(&told(&log, step));
    }
    say::line(&format!("following {} into {}", log.display(), path(args.store.clone())?.display()));
    loop {
        match follower.step(&mut store, now_ms()) {
            Ok(step) => {
                if step.gaps > 0 {
                    say::line(&format!("{}: {}; `weir usage` shows them", log.display(), counted_gaps(step)));
                }
                if !step.more {
                    sleep(PAUSE);
                }
            }
            // A full disk, or a log that may not be read: nothing is lost while it is tried again.
            Err(error) => {
                say::line(&format!("weir: {error}; trying again"));
                sleep(AFTER_FAILURE);
            }
        }
    }
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

/// The log of a configuration, and the node's name.
fn log_of(args: &args::Follow) -> Outcome<(PathBuf, String)> {
    let folders = Folders::find(args.file.as_deref(), args.run.as_deref())?;
    let usual = folders.logs.join("access.log");
    let node = node_of(&usual);
    // With --run, the configuration need not be there.
    let file = match (configuration::find(args.file.as_deref()), &args.run) {
        (Err(_), Some(_)) => return Ok((usual, node)),
        (found, _) => found?,
    };
    // Only the log's place is wanted, so no credential needs to be set.
    let environment = Environment { references: References::Elsewhere { base: None }, ..Environment::of_process() };
    let loaded = weir_control::load(&file, &environment)?;
    let log = place(&loaded.gateway, &usual).map_err(|error| Problem::Failed(error.to_string()))?;
    Ok((log, node))
}

/// The name of the node that writes a log: the name of its folder, which `weir up` gives each configuration.
fn node_of(log: &Path) -> String {
    let folder = log.parent().and_then(Path::file_name).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}

fn told(file: &Path, step: Step) -> String {
    let mut text = format!("{}: {} new requests", file.display(), step.rows);
    if step.gaps > 0 {
        text.push_str(", ");
        text.push_str(&counted_gaps(step));
    }
    text
}

fn counted_gaps(step: Step) -> String {
    let gaps = counted(usize::try_from(step.gaps).unwrap_or(usize::MAX), "gap");
    if step.unreadable == 0 { gaps } else { format!("{gaps} ({} unreadable lines)", step.unreadable) }
}
