//! Whatever happens to the log, and whenever who reads it is killed: each line counts once.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use proptest::prelude::*;

use super::super::*;
use crate::ledger::gap::Booking;
use crate::ledger::series::Series;
use crate::ledger::sqlite::Sqlite;
use crate::ledger::store::{Aged, Ages, Known, Leased, Slice, Spent};
use crate::ledger::sums::Sums;

/// What happens.
#[derive(Clone, Debug)]
enum Event {
    /// Envoy writes whole lines.
    Write(usize),
    /// Envoy writes half a line; the rest comes with the next lines.
    Half,
    /// The log is renamed. Envoy writes on in it.
    Rename,
    /// Envoy opens its log anew.
    Reopen,
    /// The log is copied and emptied.
    CopyAndEmpty,
    /// Somebody copies the log, for no reason.
    Copy,
    /// The reader takes a step.
    Step,
    /// The reader reads all there is.
    CatchUp,
    /// The reader is killed, and started again.
    Restart,
    /// The reader is killed right before or after its next transaction.
    Crash { written: bool },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..5_usize).prop_map(Event::Write),
        1 => Just(Event::Half),
        2 => Just(Event::Rename),
        2 => Just(Event::Reopen),
        1 => Just(Event::CopyAndEmpty),
        1 => Just(Event::Copy),
        4 => Just(Event::Step),
        1 => Just(Event::CatchUp),
        1 => Just(Event::Restart),
        2 => any::<bool>().prop_map(|written| Event::Crash { written }),
    ]
}

/// A store whose process is killed at its next transaction.
struct Dying<'s> {
    store: &'s mut Sqlite,
    written: bool,
}

impl Store for Dying<'_> {
    fn positions(&mut self) -> Result<Vec<Position>, StoreError> {
        self.store.positions()
    }
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if self.written {
            self.store.append(batch)?;
        }
        Err(StoreError::Database("killed".to_owned()))
    }
    fn sums(&mut self, _: Slice, _: &mut dyn FnMut(i64, i64, &Sums)) -> Result<(), StoreError> {
        Ok(())
    }
    fn series(&mut self) -> Result<Vec<(i64, Series)>, StoreError> {
        Ok(Vec::new())
    }
    fn hours_from(&mut self) -> Result<i64, StoreError> {
        Ok(0)
    }
    fn gaps(&mut self, _: i64, _: i64) -> Result<Vec<Gap>, StoreError> {
        Ok(Vec::new())
    }
    fn bookings(&mut self, _: i64, _: i64) -> Result<Vec<Booking>, StoreError> {
        Ok(Vec::new())
    }
    fn spent(&mut self, _: Option<&str>) -> Result<Vec<Spent>, StoreError> {
        Ok(Vec::new())
    }
    fn known(&mut self, _: &str) -> Result<Known, StoreError> {
        Ok(Known::default())
    }
    fn leased(&mut self, _: &[String], _: u64) -> Result<Leased, StoreError> {
        Ok(Leased::default())
    }
    fn age(&mut self, _: Ages, _: i64) -> Result<Aged, StoreError> {
        Ok(Aged::default())
    }
}

struct World {
    folder: tempfile::TempDir,
    store: Sqlite,
    follower: Follower,
    envoy: File,
    half: String,
    written: u64,
    now_ms: i64,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("ledger.sqlite")).unwrap();
        let log = folder.path().join("access.log");
        let envoy = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let follower = Follower::new("here", &log, Scope::Family);
        Self { folder, store, follower, envoy, half: String::new(), written: 0, now_ms: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn line(&mut self) -> String {
        self.written += 1;
        format!("{{\"time\":\"2026-12-01T00:00:00Z\",\"request_id\":\"{:06}\",\"model\":\"m\"}}\n", self.written)
    }

    fn complete(&mut self) {
        let rest = std::mem::take(&mut self.half);
        self.envoy.write_all(rest.as_bytes()).unwrap();
    }

    /// The names of rotated logs move on by one, and the first one is free.
    fn make_room(&self) {
        for at in (1..40).rev() {
            let _ = fs::rename(self.path(&format!("access.log.{at}")), self.path(&format!("access.log.{}", at + 1)));
        }
    }

    fn follow(&mut self) {
        self.follower = Follower::new("here", &self.path("access.log"), Scope::Family);
    }

    fn on(&mut self, event: &Event) {
        self.now_ms += 100;
        let log = self.path("access.log");
        match event {
            Event::Write(lines) => {
                self.complete();
                for _ in 0..*lines {
                    let line = self.line();
                    self.envoy.write_all(line.as_bytes()).unwrap();
                }
            }
            Event::Half => {
                self.complete();
                let line = self.line();
                let (now, later) = line.split_at(30);
                self.envoy.write_all(now.as_bytes()).unwrap();
                later.clone_into(&mut self.half);
            }
            Event::Rename if log.exists() => {
                self.make_room();
                fs::rename(&log, self.path("access.log.1")).unwrap();
            }
            Event::Reopen => {
                // Envoy writes what it has before it opens the new file.
                self.complete();
                self.envoy = OpenOptions::new().create(true).append(true).open(&log).unwrap();
            }
            Event::CopyAndEmpty if log.exists() => {
                self.complete();
                self.make_room();
                fs::copy(&log, self.path("access.log.1")).unwrap();
                OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
            }
            Event::Copy if log.exists() => {
                let _ = fs::copy(&log, self.path("access.log.bak"));
            }
            Event::Rename | Event::CopyAndEmpty | Event::Copy => {}
            Event::Step => drop(self.follower.step(&mut self.store, self.now_ms).unwrap()),
            Event::CatchUp => drop(self.follower.catch_up(&mut self.store, self.now_ms).unwrap()),
            Event::Restart => self.follow(),
            Event::Crash { written } => {
                let mut dying = Dying { store: &mut self.store, written: *written };
                let _ = self.follower.catch_up(&mut dying, self.now_ms);
                self.follow();
            }
        }
    }

    /// How many rows there are, how many different ones, and how many the sums tell.
    fn counts(&self) -> (u64, u64, u64) {
        let reader = rusqlite::Connection::open(self.path("ledger.sqlite")).unwrap();
        let sql =
            "SELECT count(*), count(DISTINCT request_id), (SELECT coalesce(sum(requests), 0) FROM sums WHERE span = 0)
            FROM requests";
        let found = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        let (rows, different, summed) = reader.query_row(sql, [], found).unwrap();
        (rows.cast_unsigned(), different.cast_unsigned(), summed.cast_unsigned())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn each_line_counts_once_whatever_happens(events in prop::collection::vec(event(), 1..40)) {
        let mut world = World::new();
        for event in &events {
            world.on(event);
        }
        world.on(&Event::Reopen);
        world.on(&Event::CatchUp);
        prop_assert_eq!(world.counts(), (world.written, world.written, world.written));
        world.on(&Event::Restart);
        world.on(&Event::CatchUp);
        prop_assert_eq!(world.counts(), (world.written, world.written, world.written));
        let gaps = world.store.gaps(i64::MIN, i64::MAX).unwrap();
        prop_assert!(gaps.is_empty(), "{:?}", gaps);
    }
}
