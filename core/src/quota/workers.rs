//! Which workers live. A wasm VM that panics is gone without a word, and so is what its requests had reserved.
//!
//! Each worker notes the time in one cell that all share, about once a second. The steward frees what is held by those whose note
//! has stayed the same for many of its own ticks. It compares no clocks, because one can step. A native worker is a thread that
//! lives as long as Envoy; it notes that once.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::pack::{Packed, Unpacked};
use crate::shared::{Store, Swap};
use crate::time::Instant;

/// How often a worker notes that it lives, at most.
pub const BEAT: Duration = Duration::from_secs(1);

/// For how many ticks of the steward's, about a second each, the note of a worker that is dead has stayed the same. Longer than any
/// pause of a loaded machine.
const DEAD: u32 = 30;

/// The key of the cell.
const KEY: &str = "weir.workers";

const LAYOUT: u8 = 1;

/// How long a worker lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// As long as Envoy.
    Envoys,
    /// Until it notes nothing any more.
    Own,
}

/// When each worker last noted that it lives, in milliseconds since the Unix epoch; `u64::MAX` for one that always does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Workers(Vec<(u64, u64)>);

impl Workers {
    fn of(store: &dyn Store) -> Self {
        store.get(KEY).and_then(|(bytes, _)| Self::read(&bytes)).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (layout, rest) = bytes.split_first()?;
        let mut from = (*layout == LAYOUT).then_some(Unpacked::of(rest))?;
        let mut workers = Vec::new();
        while !from.is_empty() {
            workers.push((from.small()?, from.small()?));
        }
        Some(Self(workers))
    }

    fn write(&self) -> Vec<u8> {
        let mut to = Packed::default();
        to.rest(&[LAYOUT]);
        for (worker, beat) in &self.0 {
            to.number((*worker).into());
            to.number((*beat).into());
        }
        to.end()
    }
}

fn change(store: &dyn Store, mut change: impl FnMut(&mut Workers) -> bool) {
    loop {
        let found = store.get(KEY);
        let Some(mut workers) =
            found.as_ref().map_or_else(|| Some(Workers::default()), |(bytes, _)| Workers::read(bytes))
        else {
            return;
        };
        if !change(&mut workers) {
            return;
        }
        let swap = match found {
            Some((_, number)) => store.replace(KEY, &workers.write(), number),
            None => store.create(KEY, &workers.write()),
        };
        if swap != Swap::Outrun {
            return;
        }
    }
}

/// Notes that a worker lives.
pub fn beat(store: &dyn Store, worker: u64, life: Life, now: Instant) {
    let at = if life == Life::Envoys { u64::MAX } else { now.as_millis() };
    change(store, |workers| {
        match workers.0.iter_mut().find(|(known, _)| *known == worker) {
            Some((_, beat)) if *beat == at => return false,
            Some((_, beat)) => *beat = at,
            None => workers.0.push((worker, at)),
        }
        true
    });
}

/// The steward's watch over the workers.
#[derive(Debug, Default)]
pub struct Watch {
    /// What each worker noted last, and for how many ticks that has stayed the same.
    notes: BTreeMap<u64, (u64, u32)>,
}

impl Watch {
    /// Looks at all notes, about once a second. Returns the workers that are dead: those are dropped from the cell by [`bury`].
    pub fn tick(&mut self, store: &dyn Store) -> Vec<u64> {
        let before = core::mem::take(&mut self.notes);
        for (worker, beat) in Workers::of(store).0.into_iter().filter(|(_, beat)| *beat < u64::MAX) {
            let same = before.get(&worker).filter(|(known, _)| *known == beat);
            self.notes.insert(worker, (beat, same.map_or(0, |(_, ticks)| ticks.saturating_add(1))));
        }
        self.notes.iter().filter(|(_, (_, ticks))| *ticks >= DEAD).map(|(worker, _)| *worker).collect()
    }
}

/// Whether a worker has noted that it lives, and was not found dead since. It does so before it holds anything.
pub fn is_known(store: &dyn Store, worker: u64) -> bool {
    Workers::of(store).0.iter().any(|(known, _)| *known == worker)
}

/// Drops workers that are dead. One that notes later that it lives is there again.
pub fn bury(store: &dyn Store, dead: &[u64]) {
    change(store, |workers| {
        let before = workers.0.len();
        workers.0.retain(|(worker, _)| !dead.contains(worker));
        workers.0.len() < before
    });
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::super::testing::Memory;
    use super::*;

    const NONE: [u64; 0] = [];

    fn secs(secs: u64) -> Instant {
        Instant::default().after(Duration::from_secs(secs))
    }

    #[test]
    fn a_worker_that_notes_nothing_for_long_is_dead() {
        let (store, mut watch) = (Memory::default(), Watch::default());
        beat(&store, 1, Life::Own, secs(100));
        beat(&store, 2, Life::Own, secs(100));
        beat(&store, 3, Life::Envoys, secs(100));
        for tick in 0..30 {
            beat(&store, 1, Life::Own, secs(101 + tick));
            assert_eq!(watch.tick(&store), NONE, "{tick}");
        }
        beat(&store, 1, Life::Own, secs(131));
        assert_eq!(watch.tick(&store), vec![2]);
        bury(&store, &[2]);
        assert_eq!((is_known(&store, 1), is_known(&store, 2), is_known(&store, 3)), (true, false, true));
        assert_eq!(watch.tick(&store), NONE);
        beat(&store, 2, Life::Own, secs(131));
        assert!(is_known(&store, 2), "it was not dead after all");
        assert_eq!(watch.tick(&store), NONE);
    }

    /// Between two ticks the clock went on by an hour, and what live workers held was given back.
    #[test]
    fn a_step_of_the_clock_kills_nobody() {
        let (store, mut watch) = (Memory::default(), Watch::default());
        for at in [1000, 1001, 4601, 4602, 2, 3] {
            assert_eq!(watch.tick(&store), NONE);
            beat(&store, 1, Life::Own, secs(at));
            assert_eq!(watch.tick(&store), NONE, "{at}");
        }
    }
}
