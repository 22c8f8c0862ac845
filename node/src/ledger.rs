//! Keeps the ledger of an access log, until the process ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::runtime::Runtime;
use weir_control::AdminAddress;
use weir_control::admin::Admin;
use weir_control::ledger::follow::place;
use weir_control::ledger::keeper::{self, WRITE_FAILED};
use weir_control::ledger::{Ages, FILE, Keeper, Sqlite, Step};

use crate::child::Program;
use crate::plan::Plan;
use crate::problem::{Outcome, Problem, counted};
use crate::supervisor::Event;
use crate::{runtime, say};

/// How long the log is left alone when there is nothing new in it.
const PAUSE: Duration = Duration::from_millis(200);

/// How long it is left alone after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// How often Envoy is asked whether it could write all lines.
const ASKED: Duration = Duration::from_secs(5);

/// What is kept, and where.
pub struct Keep {
    /// The access log.
    pub log: PathBuf,
    /// The name of the Envoy that writes it.
    pub node: String,
    /// The ledger.
    pub store: PathBuf,
    /// How long things are kept.
    pub ages: Ages,
    /// Where that Envoy's admin interface is now, if it is known.
    pub admin: Box<dyn Fn() -> Option<AdminAddress> + Send>,
}

/// Follows the log. It returns only if it cannot begin.
pub fn keep(what: Keep) -> Outcome {
    let mut keeping = Keeping::new(what)?;
    let log = keeping.what.log.display().to_string();
    say::line(&format!("following {log} into {}", keeping.what.store.display()));
    let mut asked: Option<Instant> = None;
    loop {
        if asked.is_none_or(|asked| asked.elapsed() >= ASKED) {
            asked = Some(Instant::now());
            keeping.ask_envoy();
        }
        match keeping.keeper.step(&mut keeping.store, now_ms()) {
            Ok(step) => {
                if step.gaps > 0 {
                    say::line(&format!("{log}: {}; `weir usage` shows them", counted_gaps(step)));
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

/// Reads what there is in the log now.
pub fn catch_up(what: Keep) -> Outcome<Step> {
    let mut keeping = Keeping::new(what)?;
    keeping.ask_envoy();
    let mut all = Step::default();
    loop {
        let step = keeping.keeper.step(&mut keeping.store, now_ms()).map_err(|error| failed(&error))?;
        (all.rows, all.unreadable, all.gaps) =
            (all.rows + step.rows, all.unreadable + step.unreadable, all.gaps + step.gaps);
        if !step.more {
            return Ok(all);
        }
    }
}

/// What is kept, and who keeps it.
struct Keeping {
    what: Keep,
    store: Sqlite,
    keeper: Keeper,
    runtime: Runtime,
}

impl Keeping {
    fn new(what: Keep) -> Outcome<Self> {
        let store = Sqlite::open(&what.store).map_err(|error| failed(&error))?;
        let keeper = Keeper::new(&what.node, &what.log, what.ages);
        Ok(Self { what, store, keeper, runtime: runtime::single()? })
    }

    /// Asks Envoy whether it could write all lines. One that does not answer is not running, so it does not write either.
    fn ask_envoy(&mut self) {
        let Some(admin) = (self.what.admin)().map(Admin::at) else { return };
        let Ok(count) = self.runtime.block_on(admin.stat(WRITE_FAILED)) else { return };
        match self.keeper.note_failed(&mut self.store, count, now_ms()) {
            Ok(true) => {
                let log = self.what.log.display();
                say::line(&format!("{log}: Envoy could not write all lines; `weir usage` shows it"));
            }
            Ok(false) => {}
            Err(error) => say::line(&format!("weir: {error}; trying again")),
        }
    }
}

fn failed(error: &dyn std::fmt::Display) -> Problem {
    Problem::Failed(error.to_string())
}

/// The gaps of a step, in words.
pub fn counted_gaps(step: Step) -> String {
    let gaps = counted(usize::try_from(step.gaps).unwrap_or(usize::MAX), "gap");
    if step.unreadable == 0 { gaps } else { format!("{gaps} ({} unreadable lines)", step.unreadable) }
}

/// The name of the node that writes a log: the name of its folder, which `weir up` gives each configuration.
pub fn node_of(log: &Path) -> String {
    let folder = log.parent().and_then(Path::file_name).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}

/// The time, in milliseconds since the epoch.
pub fn now_ms() -> i64 {
    ms(SystemTime::now())
}

/// Notes in the ledger, if there is one, that Envoy was killed.
pub(crate) fn note(plan: &Plan, event: &Event) {
    let Event::Died { program: Program::Envoy, how, killed: true, .. } = event else { return };
    if let Some(death) = Death::of(plan) {
        let how = how.clone();
        // Whoever follows the log may be writing.
        tokio::task::spawn_blocking(move || death.note(&how));
    }
}

/// Notes in the ledger, if there is one, that the last run of this node was killed, and Envoy with it. Nothing is missing if Envoy
/// has written nothing since that run began.
pub(crate) fn note_killed_run(plan: &Plan, since: SystemTime) {
    if let Some(death) = Death::of(plan).filter(|death| death.from_ms >= ms(since)) {
        death.note("was killed together with `weir up`");
    }
}

/// The death of an Envoy.
struct Death {
    store: PathBuf,
    node: String,
    /// When it last wrote to its log.
    from_ms: i64,
    until_ms: i64,
}

impl Death {
    /// One that is noticed now. `None` if there is no ledger, or no log that it could be filled from.
    fn of(plan: &Plan) -> Option<Self> {
        let store = Some(plan.places.state.join(FILE)).filter(|store| store.exists())?;
        let usual = plan.folders.access_log();
        let node = plan.node.control.as_ref().map_or_else(|| node_of(&usual), |control| control.node.clone());
        let log = place(&plan.loaded.gateway, &usual).ok()?;
        let written = fs::metadata(log).and_then(|log| log.modified()).ok()?;
        Some(Self { store, node, from_ms: ms(written), until_ms: now_ms() })
    }

    fn note(&self, how: &str) {
        let noted = Sqlite::open(&self.store)
            .and_then(|mut store| keeper::killed(&mut store, &self.node, (self.from_ms, self.until_ms), how));
        if let Err(error) = noted {
            say::line(&format!("weir: the ledger does not know that Envoy {how}: {error}"));
        }
    }
}

fn ms(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
