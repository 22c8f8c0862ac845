//! Which workers live. A wasm VM that panics is gone without a word, and so is what its requests had reserved.
//!
//! Each worker notes the time in one cell that all share, about once a second. The steward frees what is held by those that have
//! not done so for long. A native worker is a thread that lives as long as Envoy; it notes that once.

use alloc::vec::Vec;
use core::time::Duration;

use super::pack::{Packed, Unpacked};
use crate::shared::{Store, Swap};
use crate::time::Instant;

/// How often a worker notes that it lives, at most.
pub const BEAT: Duration = Duration::from_secs(1);

/// A worker that has noted nothing for this long is dead. Longer than any pause of a loaded machine.
const DEAD: u64 = 30_000;

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

/// The workers that live, and whether any has died since the last time: those are dropped from the cell by [`bury`].
pub fn living(store: &dyn Store, now: Instant) -> (Vec<u64>, Vec<u64>) {
    let workers = store.get(KEY).and_then(|(bytes, _)| Workers::read(&bytes)).unwrap_or_default();
    let is_dead = |beat: u64| beat.saturating_add(DEAD) < now.as_millis();
    let of = |dead: bool| workers.0.iter().filter(|(_, beat)| is_dead(*beat) == dead).map(|(id, _)| *id).collect();
    (of(false), of(true))
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

    fn secs(secs: u64) -> Instant {
        Instant::default().after(Duration::from_secs(secs))
    }

    #[test]
    fn a_worker_that_notes_nothing_for_long_is_dead() {
        let store = Memory::default();
        beat(&store, 1, Life::Own, secs(100));
        beat(&store, 2, Life::Own, secs(100));
        beat(&store, 3, Life::Envoys, secs(100));
        beat(&store, 1, Life::Own, secs(125));
        assert_eq!(living(&store, secs(129)), (vec![1, 2, 3], vec![]));
        assert_eq!(living(&store, secs(131)), (vec![1, 3], vec![2]));
        bury(&store, &[2]);
        assert_eq!(living(&store, secs(131)), (vec![1, 3], vec![]));
        assert_eq!(living(&store, secs(99)), (vec![1, 3], vec![]), "a clock that was stepped back kills nobody");
        beat(&store, 2, Life::Own, secs(131));
        assert_eq!(living(&store, secs(131)).0, [1, 3, 2]);
    }
}
