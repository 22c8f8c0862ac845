//! Fills the ledger from an access log, beside everything else that control does.
//!
//! It has a thread of its own, because it reads and writes files. What fails is tried again: neither leases nor requests wait
//! for it.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use weir_control::admin::Admin;
use weir_control::ledger::follow::place;
use weir_control::ledger::keeper::WRITE_FAILED;
use weir_control::ledger::{Ages, Keeper, Sqlite, Step};
use weir_core::config::Gateway;

use super::Follow;
use crate::ledger::now_ms;
use crate::problem::counted;
use crate::{runtime, say};

/// How long a log is left alone when there is nothing new in it.
const PAUSE: Duration = Duration::from_millis(100);
/// How long everything is left alone after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// How often Envoy is asked whether it could write all lines.
const ASKED: Duration = Duration::from_secs(5);

/// What fills one ledger from the logs of one Envoy.
pub(super) struct Filling {
    what: Follow,
    ledger: PathBuf,
    told: Mutex<Told>,
    wakes: Condvar,
}

/// What it was told.
#[derive(Default)]
struct Told {
    /// The logs. One that a configuration no longer names is read on: requests that began before the change end there.
    logs: Vec<(PathBuf, Ages)>,
    /// Whether the log is no file now.
    is_nowhere: bool,
    /// Whether to read what there is, and end.
    ends: bool,
}

impl Filling {
    /// Fills the ledger in this file from what an Envoy logs.
    pub(super) fn new(what: Follow, ledger: PathBuf) -> Self {
        Self { what, ledger, told: Mutex::default(), wakes: Condvar::new() }
    }

    /// Follows the log of this configuration from now on.
    pub(super) fn follow(&self, gateway: &Gateway) {
        let mut told = self.told();
        match place(gateway, &self.what.log) {
            Ok(log) => {
                told.is_nowhere = false;
                if told.logs.iter().all(|(known, _)| *known != log) {
                    told.logs.push((log, gateway.ledger().into()));
                }
            }
            Err(nowhere) => {
                if !std::mem::replace(&mut told.is_nowhere, true) {
                    say::line(&format!("the ledger is not filled: {nowhere}"));
                }
            }
        }
    }

    /// Fills until it is to [end](Self::end) and has read everything.
    pub(super) fn run(&self) {
        let (mut followers, mut store, mut failure) = (Vec::new(), None, None);
        let (runtime, mut asked) = (runtime::single().ok(), None);
        loop {
            let ends = {
                let told = self.told();
                for (log, ages) in told.logs.iter().skip(followers.len()) {
                    followers.push((log.clone(), Keeper::new(&self.what.node, log, *ages)));
                }
                told.ends
            };
            let stepped = self.step(&mut followers, &mut store);
            let failed = runtime.as_ref().and_then(|runtime| self.failed_lines(runtime, &mut asked));
            let noted = self.note_failed(&mut followers, &mut store, failed);
            let pause = match stepped.and_then(|more| noted.map(|()| more)) {
                Ok(more) => {
                    if failure.take().is_some() {
                        say::line("the ledger is filled again");
                    }
                    if more {
                        continue;
                    }
                    PAUSE
                }
                Err(problem) => {
                    // A full disk, or a log that may not be read: nothing is lost while it is tried again.
                    if failure.as_ref() != Some(&problem) {
                        say::line(&format!("the ledger is not filled: {problem}"));
                    }
                    failure = Some(problem);
                    AFTER_FAILURE
                }
            };
            if ends {
                return;
            }
            let told = self.told();
            if !told.ends {
                drop(self.wakes.wait_timeout(told, pause));
            }
        }
    }

    /// Has it read what there is, and end.
    pub(super) fn end(&self) {
        self.told().ends = true;
        self.wakes.notify_all();
    }

    /// Takes a step in each log. Whether there is more.
    fn step(&self, followers: &mut [(PathBuf, Keeper)], store: &mut Option<Sqlite>) -> Result<bool, String> {
        let store = self.opened(store)?;
        let mut more = false;
        for (log, keeper) in followers {
            let step = keeper.step(store, now_ms()).map_err(|error| error.to_string())?;
            tell(log, step);
            more |= step.more;
        }
        Ok(more)
    }

    fn opened<'s>(&self, store: &'s mut Option<Sqlite>) -> Result<&'s mut Sqlite, String> {
        match store {
            Some(store) => Ok(store),
            None => Ok(store.insert(Sqlite::open(&self.ledger).map_err(|error| error.to_string())?)),
        }
    }

    /// How many lines Envoy could not write, if it is time to ask, and it answers.
    fn failed_lines(&self, runtime: &Runtime, asked: &mut Option<Instant>) -> Option<u64> {
        let admin = self.what.admin.clone()?;
        if asked.is_some_and(|asked| asked.elapsed() < ASKED) {
            return None;
        }
        *asked = Some(Instant::now());
        runtime.block_on(Admin::at(admin).stat(WRITE_FAILED)).ok()
    }

    /// Notes that Envoy could not write lines. It does not say of which log.
    fn note_failed(
        &self,
        followers: &mut [(PathBuf, Keeper)],
        store: &mut Option<Sqlite>,
        count: Option<u64>,
    ) -> Result<(), String> {
        let (Some(count), Some((log, keeper))) = (count, followers.last_mut()) else { return Ok(()) };
        let noted = keeper.note_failed(self.opened(store)?, count, now_ms()).map_err(|error| error.to_string())?;
        if noted {
            say::line(&format!("{}: Envoy could not write all lines; `weir usage` shows it", log.display()));
        }
        Ok(())
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(log: &Path, step: Step) {
    if step.gaps > 0 {
        let gaps = counted(usize::try_from(step.gaps).unwrap_or(usize::MAX), "gap");
        say::line(&format!("{}: {gaps}; `weir usage` shows them", log.display()));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::thread;

    use weir_control::ledger::{Question, usage};

    use super::*;

    fn gateway(log: &str) -> Gateway {
        let source = serde_json::json!({
            "providers": { "p": { "dialect": "openai", "endpoint": "http://127.0.0.1:9" } },
            "models": { "m": { "targets": [{ "provider": "p" }] } },
            "telemetry": { "access_log": log },
        });
        Gateway::parse(&serde_json::from_value(source).unwrap(), &std::collections::BTreeSet::new()).unwrap()
    }

    #[test]
    fn at_the_end_all_that_is_in_any_log_is_in_the_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("state/ledger.sqlite");
        // No two logs are the same: one of them would be a copy.
        let line =
            |log: &str| format!("{{\"time\":\"2026-11-30T10:00:00.000Z\",\"status\":200,\"request_id\":\"{log}\"}}\n");
        let what = Follow { log: folder.path().join("usual.log"), node: "n".to_owned(), admin: None };
        let filling = Arc::new(Filling::new(what, ledger.clone()));
        let thread = thread::spawn({
            let filling = Arc::clone(&filling);
            move || filling.run()
        });
        for log in ["one.log", "stdout", "two.log", "one.log"] {
            let log = if log == "stdout" { log.to_owned() } else { folder.path().join(log).display().to_string() };
            filling.follow(&gateway(&log));
        }
        for (log, lines) in [("one.log", 3), ("two.log", 2), ("usual.log", 9)] {
            fs::write(folder.path().join(log), line(log).repeat(lines)).unwrap();
        }
        filling.end();
        thread.join().unwrap();
        let mut store = Sqlite::open_to_read(&ledger).unwrap();
        let asked = Question { by: Vec::new(), since_ms: 0, until_ms: i64::MAX / 2, only: Vec::new() };
        let csv = usage::ask(&mut store, asked).unwrap().csv();
        assert!(csv.lines().nth(1).is_some_and(|line| line.starts_with("5,")), "{csv}");
    }
}
