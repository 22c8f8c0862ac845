//! Keeping a ledger up to date: who follows a log also notes how far it is read, removes what is too old, and asks Envoy whether it
//! could write all lines.

use std::path::{Path, PathBuf};

use super::follow::{FollowError, Follower, Scope, Step};
use super::gap::{Gap, GapKind};
use super::moment::HOUR;
use super::store::{Ages, Batch, Store, StoreError};

/// The counter in which Envoy counts writes to logs that failed.
pub const WRITE_FAILED: &str = "filesystem.write_failed";

/// How often it is noted that the log is read to its end, in milliseconds.
const NOTED: i64 = 2000;

/// How often what is too old is removed.
const AGED: i64 = HOUR;

/// Keeps the ledger of one Envoy's log.
#[derive(Debug)]
pub struct Keeper {
    node: String,
    log: PathBuf,
    follower: Follower,
    ages: Ages,
    /// When it was last noted that the log is read to its end.
    noted_ms: i64,
    /// When all that was too old had been removed.
    aged_ms: Option<i64>,
    /// What Envoy's counter said last, and when.
    failed: Option<(u64, i64)>,
}

impl Keeper {
    /// Follows the log at this path, written by this Envoy, and keeps things for so long.
    pub fn new(node: &str, log: &Path, ages: Ages) -> Self {
        Self {
            node: node.to_owned(),
            log: log.to_owned(),
            follower: Follower::new(node, log, Scope::Family),
            ages,
            noted_ms: 0,
            aged_ms: None,
            failed: None,
        }
    }

    /// Takes the next step: at most one batch, and a part of what is too old. `now_ms` is the time in milliseconds since the epoch.
    pub fn step(&mut self, store: &mut dyn Store, now_ms: i64) -> Result<Step, FollowError> {
        let mut step = self.follower.step(store, now_ms)?;
        if !step.more && is_due(self.noted_ms, NOTED, now_ms) && self.log.exists() {
            store.append(&Batch { node: self.node.clone(), read_ms: Some(now_ms), ..Batch::default() })?;
            self.noted_ms = now_ms;
        }
        if self.aged_ms.is_none_or(|aged_ms| is_due(aged_ms, AGED, now_ms)) {
            let aged = store.age(self.ages, now_ms)?;
            step.more |= aged.more;
            if !aged.more {
                self.aged_ms = Some(now_ms);
            }
        }
        Ok(step)
    }

    /// Notes what Envoy's counter [`WRITE_FAILED`] says now. Whether it has risen: then there is a gap.
    pub fn note_failed(&mut self, store: &mut dyn Store, count: u64, now_ms: i64) -> Result<bool, StoreError> {
        let known = self.failed;
        if known.is_some_and(|(last, _)| last == count) {
            self.failed = Some((count, now_ms));
            return Ok(false);
        }
        // Another process may have noted it.
        let stored = store.known(&self.node)?;
        let rose = if count < stored.failed { count } else { count - stored.failed };
        let gap = (rose > 0).then(|| Gap {
            mark: String::new(),
            node: self.node.clone(),
            kind: GapKind::WriteFailed,
            from_ms: known.map_or(if stored.read_ms > 0 { stored.read_ms } else { now_ms }, |(_, at_ms)| at_ms),
            until_ms: now_ms,
            lines: None,
            detail: format!("Envoy failed to write {rose} times; each time one line or several are missing"),
        });
        if count != stored.failed {
            let (node, gaps) = (self.node.clone(), gap.into_iter().collect());
            store.append(&Batch { node, gaps, failed: Some(count), ..Batch::default() })?;
        }
        self.failed = Some((count, now_ms));
        Ok(rose > 0)
    }
}

/// Notes that an Envoy was killed, and has taken along what it had not written yet. `from_ms` is when it last wrote, `until_ms` when it
/// died.
pub fn killed(store: &mut dyn Store, node: &str, (from_ms, until_ms): (i64, i64), how: &str) -> Result<(), StoreError> {
    let gap = Gap {
        mark: format!("killed:{node}:{until_ms}"),
        node: node.to_owned(),
        kind: GapKind::Killed,
        from_ms: from_ms.min(until_ms),
        until_ms,
        lines: None,
        detail: format!("Envoy {how}"),
    };
    store.append(&Batch { node: node.to_owned(), gaps: vec![gap], ..Batch::default() })
}

/// Whether it is time again. A clock that was set back makes it so.
fn is_due(last_ms: i64, every: i64, now_ms: i64) -> bool {
    now_ms < last_ms || now_ms - last_ms >= every
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;
    use crate::ledger::sqlite::Sqlite;
    use crate::ledger::store::Known;

    const NOON: i64 = 1_796_126_400_000;

    struct Scene {
        folder: tempfile::TempDir,
        store: Sqlite,
        keeper: Keeper,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = Sqlite::open(&folder.path().join("ledger.sqlite")).unwrap();
            let keeper = keeper(folder.path());
            Self { folder, store, keeper }
        }

        fn step(&mut self, now_ms: i64) -> Step {
            self.keeper.step(&mut self.store, now_ms).unwrap()
        }

        fn failed(&mut self, count: u64, now_ms: i64) -> bool {
            self.keeper.note_failed(&mut self.store, count, now_ms).unwrap()
        }

        fn gaps(&mut self) -> Vec<(GapKind, i64, i64)> {
            let gaps = self.store.gaps(0, i64::MAX).unwrap();
            gaps.into_iter().map(|gap| (gap.kind, gap.from_ms - NOON, gap.until_ms - NOON)).collect()
        }
    }

    fn keeper(folder: &Path) -> Keeper {
        Keeper::new("n", &folder.join("access.log"), Ages { rows: Some(1), hours: Some(2), days: None })
    }

    #[test]
    fn the_end_of_the_log_is_noted_once_everything_is_read() {
        let mut scene = Scene::new();
        while scene.step(NOON).more {}
        assert_eq!(scene.store.known("n").unwrap(), Known::default(), "there is no log");
        let line = "{\"time\":\"2026-12-01T12:00:00Z\"}\n";
        fs::write(scene.folder.path().join("access.log"), line).unwrap();
        assert_eq!(scene.step(NOON + 1).rows, 1);
        assert_eq!(scene.store.known("n").unwrap().read_ms, 0);
        while scene.step(NOON + 2).more {}
        assert_eq!(scene.store.known("n").unwrap().read_ms, NOON + 2);
        scene.step(NOON + 3);
        assert_eq!(scene.store.known("n").unwrap().read_ms, NOON + 2, "not at every step");
    }

    #[test]
    fn old_rows_go_by_themselves_a_few_at_a_time() {
        let mut scene = Scene::new();
        let line = "{\"time\":\"2026-11-20T12:00:00Z\"}\n";
        fs::write(scene.folder.path().join("access.log"), line.repeat(5000)).unwrap();
        let reader = rusqlite::Connection::open(scene.folder.path().join("ledger.sqlite")).unwrap();
        let count = |table: &str| -> i64 {
            reader.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        };
        let mut left = Vec::new();
        while scene.step(NOON).more {
            left.push(count("requests"));
        }
        assert_eq!(left.first_chunk(), Some(&[3000, 1000, 0]));
        assert_eq!(count("sums"), 2, "those of the day");
        // What becomes too old later goes within the hour.
        let log = fs::OpenOptions::new().append(true).open(scene.folder.path().join("access.log"));
        log.unwrap().write_all(line.repeat(3).as_bytes()).unwrap();
        while scene.step(NOON + 1).more {}
        assert_eq!(count("requests"), 3);
        while scene.step(NOON + HOUR).more {}
        assert_eq!(count("requests"), 0);
    }

    #[test]
    fn a_counter_that_rose_is_a_gap_once() {
        let mut scene = Scene::new();
        assert!(!scene.failed(0, NOON));
        assert!(scene.failed(3, NOON + 5000));
        assert!(!scene.failed(3, NOON + 10_000));
        // The process starts again, and so does another one beside it.
        scene.keeper = keeper(scene.folder.path());
        assert!(!scene.failed(3, NOON + 15_000));
        assert!(scene.failed(4, NOON + 20_000));
        // Envoy starts again: it counts from zero.
        assert!(!scene.failed(0, NOON + 25_000));
        assert!(scene.failed(2, NOON + 30_000));
        let kind = GapKind::WriteFailed;
        assert_eq!(scene.gaps(), [(kind, 0, 5000), (kind, 15_000, 20_000), (kind, 25_000, 30_000)]);
    }

    #[test]
    fn a_killed_envoy_is_a_gap_once() {
        let mut scene = Scene::new();
        for _ in 0..2 {
            killed(&mut scene.store, "n", (NOON, NOON + 400), "was killed by signal 9").unwrap();
        }
        assert_eq!(scene.gaps(), [(GapKind::Killed, 0, 400)]);
    }
}
