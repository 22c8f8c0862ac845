//! Following an access log, by file and position.
//!
//! A [`Follower`] looks at the log's folder, pairs the files there with those that it knows (`pairing`), and reads on in the
//! oldest one that has something new. A file is known by its number and by its content, so a log may be renamed, copied and
//! emptied, or replaced. The rows and the new position are one [`Batch`], so a process may be killed at any point. If two
//! processes follow the same log, the position lets only one of them write each row.

mod identity;
mod lines;
mod listing;
mod pairing;
mod place;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use self::identity::{Content, TELLING, bytes, compare, sum, telling};
use self::lines::{End, Lines};
use self::pairing::Pair;
use super::gap::{Gap, GapKind};
use super::store::{Batch, Move, Position, Store, StoreError};

pub use listing::Scope;
pub use place::{NoFile, place};

/// How many bytes are read for one batch. A longer line is not read.
const MOST: usize = 2 << 20;

/// How long the end of a rotated file may take to come, in milliseconds: Envoy writes there until it has opened the new one.
const GRACE_MS: i64 = 10_000;

/// Reads one log into a ledger, step by step.
#[derive(Debug)]
pub struct Follower {
    node: String,
    log: PathBuf,
    scope: Scope,
    /// What the store knows. `None` if it must be asked.
    known: Option<Vec<Position>>,
    /// The files that may still grow, by device and number. One that is removed can be read to its end.
    held: HashMap<(u64, u64), File>,
    /// When a file was last seen as it should be, and was read to its end.
    seen: HashMap<i64, i64>,
    /// The files that were not found.
    missing: HashSet<i64>,
    /// The rotated files that end in half a line, with their size, and since when.
    half: HashMap<i64, (u64, i64)>,
}

/// What a step has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Requests that were written to the store.
    pub rows: u64,
    /// Lines that are no requests.
    pub unreadable: u64,
    /// Gaps that were written to the store.
    pub gaps: u64,
    /// Whether the next step has something to do already.
    pub more: bool,
}

/// Why a step failed. It can be tried again.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The log cannot be read.
    #[error("{path}: {error}", path = .0.display(), error = .1)]
    Log(PathBuf, io::Error),
    /// The store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Follower {
    /// Follows the log at this path, written by this Envoy.
    pub fn new(node: &str, log: &Path, scope: Scope) -> Self {
        Self {
            node: node.to_owned(),
            log: std::path::absolute(log).unwrap_or_else(|_| log.to_owned()),
            scope,
            known: None,
            held: HashMap::new(),
            seen: HashMap::new(),
            missing: HashSet::new(),
            half: HashMap::new(),
        }
    }

    /// Reads what there is now, up to its end. It does not wait for files that may still grow.
    pub fn catch_up(&mut self, store: &mut dyn Store, now_ms: i64) -> Result<Step, FollowError> {
        let mut all = Step::default();
        loop {
            let step = self.step(store, now_ms)?;
            all.rows += step.rows;
            all.unreadable += step.unreadable;
            all.gaps += step.gaps;
            if !step.more {
                return Ok(all);
            }
        }
    }

    /// Takes the next step: at most one batch. `now_ms` is the time in milliseconds since the epoch.
    pub fn step(&mut self, store: &mut dyn Store, now_ms: i64) -> Result<Step, FollowError> {
        match self.try_step(store, now_ms) {
            Err(FollowError::Store(StoreError::Moved)) => {
                self.known = None;
                Ok(Step { more: true, ..Step::default() })
            }
            step => step,
        }
    }

    fn try_step(&mut self, store: &mut dyn Store, now_ms: i64) -> Result<Step, FollowError> {
        let known = match self.known.take() {
            Some(known) => known,
            None => store.positions()?,
        };
        let log = self.log.clone();
        let at = |error| FollowError::Log(log.clone(), error);
        let present = listing::list(&self.log, self.scope).map_err(at)?;
        let is_replaced = present.iter().any(|one| one.current && one.size > 0);
        let mut pairs = pairing::pair(present, &known, &self.held).map_err(at)?;
        let lost = self.without_name(&known, &mut pairs).map_err(at)?;
        let batch = self.read(&known, &pairs, now_ms).map_err(at)?;
        let batch = batch.or_else(|| self.finish(&known, &pairs, &lost, is_replaced, now_ms));
        self.hold(&pairs);
        let waits = lost.iter().any(|lost| lost.looks_again);
        let Some((batch, mut step)) = batch else {
            self.known = Some(known);
            return Ok(Step { more: waits, ..Step::default() });
        };
        store.append(&batch)?;
        self.known = Some(moved(known, &batch.moves));
        step.more = true;
        Ok(step)
    }

    /// The files that are known and not there. One that is held is read to its end; of the others something may be lost.
    fn without_name(&mut self, known: &[Position], pairs: &mut Vec<Pair>) -> io::Result<Vec<Lost>> {
        let mut lost = Vec::new();
        if self.scope == Scope::File {
            return Ok(lost);
        }
        let log = self.log.clone();
        let is_mine = |one: &Position| listing::belongs(&log, Path::new(&one.path));
        for one in known.iter().filter(|one| !one.finished && is_mine(one)) {
            if pairs.iter().any(|pair| pair.known.as_ref().is_some_and(|known| known.file == one.file)) {
                self.missing.remove(&one.file);
                continue;
            }
            let held = self.held.get(&(one.device, one.inode)).map(File::try_clone).transpose()?;
            if let Some(file) = held
                && compare(&file, one)? == Content::Same
            {
                let present = listing::Present::of(PathBuf::from(&one.path), &file.metadata()?, false);
                pairs.insert(0, Pair { present, file, known: Some(one.clone()) });
                self.missing.remove(&one.file);
                continue;
            }
            // A rotation renames and copies while the folder is being read: only what is missing twice is missing.
            let looks_again = self.missing.insert(one.file);
            let replaced =
                pairs.iter().any(|pair| pair.present.inode == one.inode && pair.present.device == one.device);
            let kind = if replaced { GapKind::Replaced } else { GapKind::FileGone };
            lost.push(Lost { file: one.file, kind, looks_again });
        }
        Ok(lost)
    }

    /// Reads on in the first file that has something new.
    fn read(&mut self, known: &[Position], pairs: &[Pair], now_ms: i64) -> io::Result<Option<(Batch, Step)>> {
        let next = known.iter().map(|one| one.file).max().unwrap_or_default() + 1;
        for pair in pairs {
            let new = Position { file: next, node: self.node.clone(), ..Position::default() };
            let from = pair.known.as_ref().unwrap_or(&new);
            let size = pair.file.metadata()?.len();
            if size <= from.offset {
                self.seen.insert(from.file, now_ms);
                continue;
            }
            let before = telling(from.offset);
            let read = bytes(&pair.file, from.offset - before as u64, before + MOST)?;
            let Some((told, fresh)) = read.split_at_checked(before) else { continue };
            // It may have been emptied since it was looked at.
            if before > 0 && (sum(told) != from.tail || compare(&pair.file, from)? != Content::Same) {
                continue;
            }
            let lines = Lines::of(fresh, MOST, self.end(pair, from.file, size, now_ms));
            if lines.length == 0 {
                continue;
            }
            let mut to = from.clone();
            let consumed = read.get(..before + lines.length).unwrap_or_default();
            // What was read begins at the file's start if its head is not complete yet.
            if before < TELLING {
                to.head = consumed.get(..consumed.len().min(TELLING)).unwrap_or_default().to_vec();
            }
            to.tail = sum(consumed.get(consumed.len().saturating_sub(TELLING)..).unwrap_or_default());
            to.offset += lines.length as u64;
            (to.path, to.device, to.inode) =
                (pair.present.path.display().to_string(), pair.present.device, pair.present.inode);
            to.read_ms = now_ms;
            let gaps: Vec<_> = unreadable(&lines, from, &to, now_ms).into_iter().collect();
            let step = Step {
                rows: lines.rows.len() as u64,
                unreadable: lines.unreadable,
                gaps: gaps.len() as u64,
                more: true,
            };
            let from = pair.known.as_ref().map(|known| known.offset);
            let node = to.node.clone();
            let moves = vec![Move { from, to }];
            return Ok(Some((Batch { node, rows: lines.rows, moves, gaps, ..Batch::default() }, step)));
        }
        Ok(None)
    }

    /// Whether the end of a file is its end for good.
    fn end(&mut self, pair: &Pair, file: i64, size: u64, now_ms: i64) -> End {
        if self.scope == Scope::File {
            return End::Closed;
        }
        if pair.present.current {
            return End::Open;
        }
        let (seen, since) = *self.half.entry(file).or_insert((size, now_ms));
        if seen != size {
            self.half.insert(file, (size, now_ms));
        }
        if seen == size && now_ms - since >= GRACE_MS { End::Closed } else { End::Open }
    }

    /// Where nothing is to be read: notes which files have been read to their end for good, and of which something may be lost.
    fn finish(
        &mut self,
        known: &[Position],
        pairs: &[Pair],
        lost: &[Lost],
        is_replaced: bool,
        now_ms: i64,
    ) -> Option<(Batch, Step)> {
        let mut batch = Batch { node: self.node.clone(), ..Batch::default() };
        for lost in lost.iter().filter(|lost| !lost.looks_again) {
            let Some(one) = known.iter().find(|one| one.file == lost.file) else { continue };
            batch.moves.push(Move { from: Some(one.offset), to: Position { finished: true, ..one.clone() } });
            batch.gaps.push(Gap {
                mark: format!("{}:{}", lost.kind, one.file),
                node: self.node.clone(),
                kind: lost.kind,
                from_ms: self.seen.get(&one.file).copied().unwrap_or_default().max(one.read_ms),
                until_ms: now_ms,
                lines: None,
                detail: format!("{}: what came after byte {} may be lost", one.path, one.offset),
            });
        }
        for Pair { present, known: one, .. } in pairs {
            let Some(one) = one.as_ref().filter(|one| !one.finished && self.scope == Scope::Family) else { continue };
            let path = present.path.display().to_string();
            let (device, inode) = (present.device, present.inode);
            let finished = is_replaced && !present.current && one.offset == present.size;
            // A copy has taken the place of the file that it was made of.
            if finished || (one.device, one.inode) != (device, inode) {
                let to = Position { path, device, inode, finished, ..one.clone() };
                batch.moves.push(Move { from: Some(one.offset), to });
            }
        }
        let step = Step { gaps: batch.gaps.len() as u64, ..Step::default() };
        (!batch.moves.is_empty()).then_some((batch, step))
    }

    /// Keeps the files open that may still grow.
    fn hold(&mut self, pairs: &[Pair]) {
        let mut held = HashMap::new();
        for Pair { present, file, known } in pairs {
            if known.as_ref().is_some_and(|known| !known.finished)
                && let Ok(file) = file.try_clone()
            {
                held.insert((present.device, present.inode), file);
            }
        }
        self.held = held;
    }
}

/// A known file that is not there.
#[derive(Debug)]
struct Lost {
    file: i64,
    kind: GapKind,
    looks_again: bool,
}

fn unreadable(lines: &Lines, from: &Position, to: &Position, now_ms: i64) -> Option<Gap> {
    let (start, why) = lines.first?;
    let place = from.offset + start as u64;
    let from_ms = lines.rows.iter().map(|row| row.at_ms).min().unwrap_or(now_ms);
    Some(Gap {
        mark: format!("unreadable:{}:{place}", to.file),
        node: to.node.clone(),
        kind: GapKind::Unreadable,
        from_ms: from_ms.min(now_ms),
        until_ms: now_ms,
        lines: Some(lines.unreadable),
        detail: format!("{}, byte {place}: {why}", to.path),
    })
}

fn moved(mut known: Vec<Position>, moves: &[Move]) -> Vec<Position> {
    for Move { to, .. } in moves {
        match known.iter_mut().find(|one| one.file == to.file) {
            Some(one) => one.clone_from(to),
            None => known.push(to.clone()),
        }
    }
    known
}

#[cfg(test)]
mod tests;
