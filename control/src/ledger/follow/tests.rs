use std::fs::{self, OpenOptions};
use std::io::Write;

use super::*;
use crate::ledger::sqlite::Sqlite;
use crate::ledger::store::{Detail, Slice, Span};
use crate::ledger::sums::Sums;

mod schedule;

/// A folder with a log and a ledger, and who follows.
struct Scene {
    folder: tempfile::TempDir,
    store: Sqlite,
    follower: Follower,
    written: u64,
    now_ms: i64,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("ledger.sqlite")).unwrap();
        let follower = Follower::new("here", &folder.path().join("access.log"), Scope::Family);
        Self { folder, store, follower, written: 0, now_ms: 1_796_126_400_000 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        self.written += 1;
        format!("{{\"time\":\"2026-12-01T00:00:00Z\",\"outcome\":\"ok\",\"request_id\":\"{:08}\"}}\n", self.written)
    }

    fn write(&mut self, lines: usize) {
        for _ in 0..lines {
            let line = self.line();
            self.append("access.log", &line);
        }
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn catch_up(&mut self) -> Step {
        self.now_ms += 1000;
        self.follower.catch_up(&mut self.store, self.now_ms).unwrap()
    }

    /// As if the process had been killed and started again.
    fn restart(&mut self) {
        self.follower = Follower::new("here", &self.path("access.log"), Scope::Family);
    }

    fn requests(&mut self) -> u64 {
        let mut total = Sums::default();
        let slice = Slice { detail: Detail::Callers, span: Span::Hour, from_ms: i64::MIN, until_ms: i64::MAX };
        self.store.sums(slice, &mut |_, _, sums| total += *sums).unwrap();
        u64::try_from(total.requests).unwrap()
    }

    fn gaps(&mut self) -> Vec<GapKind> {
        self.store.gaps(i64::MIN, i64::MAX).unwrap().iter().map(|gap| gap.kind).collect()
    }

    fn check(&mut self) {
        self.catch_up();
        assert_eq!((self.requests(), self.gaps()), (self.written, vec![]));
    }
}

#[test]
fn half_a_line_waits_for_its_end() {
    let mut scene = Scene::new();
    let line = scene.line();
    let (one, other) = line.split_at(20);
    scene.append("access.log", one);
    assert_eq!(scene.catch_up(), Step::default());
    scene.append("access.log", other);
    scene.check();
}

#[test]
fn a_rotated_file_is_read_to_its_end() {
    let mut scene = Scene::new();
    scene.write(3);
    scene.check();
    scene.write(2);
    scene.rename("access.log", "access.log.1");
    scene.write(2);
    scene.check();
    // Envoy may write there until it has opened the new one.
    let late = scene.line();
    scene.append("access.log.1", &late);
    scene.check();
}

#[test]
fn several_rotations_while_nobody_reads_lose_nothing() {
    let mut scene = Scene::new();
    scene.write(3);
    scene.catch_up();
    scene.write(1);
    for name in ["access.log.3", "access.log.2", "access.log.1"] {
        scene.rename("access.log", name);
        scene.write(2);
    }
    scene.restart();
    scene.check();
    scene.restart();
    scene.check();
}

#[test]
fn a_log_that_is_copied_and_emptied_loses_nothing() {
    let mut scene = Scene::new();
    scene.write(3);
    scene.catch_up();
    for round in 0..3 {
        scene.write(2);
        fs::copy(scene.path("access.log"), scene.path(&format!("access.log.{round}"))).unwrap();
        if round == 1 {
            scene.check();
        }
        fs::File::create(scene.path("access.log")).unwrap();
        scene.write(round);
        scene.check();
        scene.write(5);
        scene.check();
        scene.restart();
        scene.check();
    }
}

#[test]
fn a_copy_of_the_log_counts_once() {
    let mut scene = Scene::new();
    scene.write(5);
    fs::copy(scene.path("access.log"), scene.path("access.log.bak")).unwrap();
    scene.check();
    scene.write(5);
    scene.check();
    scene.restart();
    scene.check();
    let copy = scene.path("elsewhere");
    fs::copy(scene.path("access.log"), &copy).unwrap();
    let mut other = Follower::new("there", &copy, Scope::File);
    assert_eq!(other.catch_up(&mut scene.store, 0).unwrap().rows, 0);
    scene.check();
    scene.write(2);
    scene.check();
}

#[test]
fn a_removed_file_is_read_to_its_end_while_it_is_open() {
    let mut scene = Scene::new();
    scene.write(3);
    scene.catch_up();
    scene.catch_up();
    scene.write(2);
    fs::remove_file(scene.path("access.log")).unwrap();
    scene.check();
    scene.write(2);
    scene.check();
}

#[test]
fn a_file_that_went_unseen_is_a_gap() {
    let mut scene = Scene::new();
    scene.write(3);
    scene.catch_up();
    scene.restart();
    fs::remove_file(scene.path("access.log")).unwrap();
    scene.write(4);
    scene.catch_up();
    assert_eq!(scene.requests(), 7);
    assert!(matches!(scene.gaps()[..], [GapKind::FileGone | GapKind::Replaced]));
    scene.catch_up();
    assert_eq!(scene.gaps().len(), 1);
}

#[test]
fn a_log_that_is_emptied_without_a_copy_is_a_gap() {
    let mut scene = Scene::new();
    scene.write(9);
    scene.catch_up();
    let before = scene.now_ms;
    fs::File::create(scene.path("access.log")).unwrap();
    scene.write(2);
    scene.catch_up();
    assert_eq!((scene.requests(), scene.gaps()), (11, vec![GapKind::Replaced]));
    let gap = scene.store.gaps(i64::MIN, i64::MAX).unwrap().remove(0);
    assert_eq!((gap.from_ms, gap.until_ms), (before, scene.now_ms));
    // It has grown past the old position before anybody looked.
    scene.restart();
    fs::File::create(scene.path("access.log")).unwrap();
    scene.write(30);
    scene.catch_up();
    assert_eq!((scene.requests(), scene.gaps().len()), (41, 2));
}

#[test]
fn rotated_files_that_are_removed_later_are_no_gap() {
    let mut scene = Scene::new();
    for round in 0..4 {
        scene.write(3);
        scene.catch_up();
        let _ = fs::remove_file(scene.path("access.log.1"));
        scene.rename("access.log", "access.log.1");
        scene.write(1);
        if round % 2 == 0 {
            scene.catch_up();
            scene.restart();
        }
    }
    scene.check();
}

#[test]
fn unreadable_lines_are_a_gap_with_their_place() {
    let mut scene = Scene::new();
    scene.write(2);
    scene.append("access.log", "oops\n\noops\n");
    scene.write(1);
    let step = scene.catch_up();
    assert_eq!((step.rows, step.unreadable, step.gaps), (3, 2, 1));
    let gap = scene.store.gaps(i64::MIN, i64::MAX).unwrap().remove(0);
    assert_eq!((gap.kind, gap.lines), (GapKind::Unreadable, Some(2)));
    assert!(gap.detail.ends_with("access.log, byte 142: not JSON"), "{}", gap.detail);
}

#[test]
fn half_a_line_at_the_end_of_a_rotated_file_is_given_up_after_a_while() {
    let mut scene = Scene::new();
    scene.write(2);
    scene.append("access.log", r#"{"time":"2026-"#);
    scene.catch_up();
    scene.rename("access.log", "access.log.1");
    scene.write(1);
    scene.catch_up();
    assert_eq!(scene.gaps(), []);
    scene.now_ms += GRACE_MS;
    scene.catch_up();
    assert_eq!((scene.requests(), scene.gaps()), (3, vec![GapKind::Unreadable]));
    fs::remove_file(scene.path("access.log.1")).unwrap();
    scene.restart();
    scene.catch_up();
    assert_eq!(scene.gaps().len(), 1);
}

#[test]
fn two_who_follow_the_same_log_write_each_row_once() {
    let mut scene = Scene::new();
    let mut other = Follower::new("here", &scene.path("access.log"), Scope::Family);
    for _ in 0..5 {
        scene.write(3);
        other.catch_up(&mut scene.store, 0).unwrap();
        scene.write(1);
        scene.check();
    }
}

#[test]
fn another_log_in_the_same_folder_is_left_alone() {
    let mut scene = Scene::new();
    scene.write(2);
    scene.append("admin.log", "hello\n");
    scene.append("access.log.1.gz", "hello\n");
    scene.check();
    fs::remove_file(scene.path("admin.log")).unwrap();
    scene.restart();
    scene.check();
}

/// A kept log of more than one batch lost the line at the end of each.
#[test]
fn a_kept_log_of_several_batches_is_read_whole() {
    let mut scene = Scene::new();
    let line = format!("{{\"time\":\"2026-12-01T00:00:00Z\",\"details\":\"{}\"}}\n", "u".repeat(2000));
    let lines = line.repeat(2500);
    assert!(lines.len() > 2 * MOST);
    scene.append("kept.log", &lines);
    let step = Follower::new("here", &scene.path("kept.log"), Scope::File).catch_up(&mut scene.store, 0).unwrap();
    assert_eq!((step.rows, step.unreadable, scene.requests()), (2500, 0, 2500));
}
