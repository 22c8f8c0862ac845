//! Stores for tests.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::sync::{Condvar, Mutex};

use crate::shared::{Number, Shared, Store, Swap};

/// Numbers that a seed decides.
pub(crate) struct Random(u64);

impl Random {
    /// Those of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// One that is less than `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end.max(1)
    }
}

/// Cells in memory.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<BTreeMap<String, (Vec<u8>, Number)>>);

impl Default for Turn {
    fn default() -> Self {
        Self { now: usize::MAX, random: 0, left: Vec::new() }
    }
}

impl Memory {
    /// How many bytes all cells have.
    pub(super) fn bytes(&self) -> usize {
        self.0.lock().unwrap().iter().map(|(key, (bytes, _))| key.len() + bytes.len()).sum()
    }
}

impl Shared for Memory {
    fn bytes(&self, key: &str) -> Vec<u8> {
        self.get(key).map(|(bytes, _)| bytes).unwrap_or_default()
    }

    fn store(&self) -> Option<&dyn Store> {
        Some(self)
    }
}

impl Store for Memory {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Number)> {
        self.0.lock().unwrap().get(key).cloned()
    }

    fn replace(&self, key: &str, with: &[u8], number: Number) -> Swap {
        match self.0.lock().unwrap().get_mut(key) {
            Some((bytes, last)) if *last == number => {
                *bytes = with.to_vec();
                *last = last.checked_add(1).unwrap();
                Swap::Done
            }
            _ => Swap::Outrun,
        }
    }

    fn create(&self, key: &str, with: &[u8]) -> Swap {
        let mut cells = self.0.lock().unwrap();
        if cells.contains_key(key) {
            return Swap::Outrun;
        }
        cells.insert(key.to_string(), (with.to_vec(), Number::MIN));
        Swap::Done
    }
}

/// Whose turn it is, among threads that all wait for theirs before each step.
#[derive(Debug)]
struct Turn {
    now: usize,
    random: u64,
    left: Vec<usize>,
}

/// Lets one thread at a time do one step, in an order that a seed decides.
#[derive(Debug, Default)]
pub(super) struct Order(Mutex<Turn>, Condvar);

impl Order {
    /// An order for so many threads.
    pub(super) fn of(threads: usize, seed: u64) -> Self {
        let mut turn =
            Turn { now: 0, random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, left: (0..threads).collect() };
        turn.next();
        Self(Mutex::new(turn), Condvar::new())
    }

    fn step<T>(&self, thread: usize, step: impl FnOnce() -> T) -> T {
        let mut turn = self.1.wait_while(self.0.lock().unwrap(), |turn| turn.now != thread).unwrap();
        let done = step();
        turn.next();
        drop(turn);
        self.1.notify_all();
        done
    }

    /// A thread has no more steps.
    pub(super) fn leave(&self, thread: usize) {
        let mut turn = self.1.wait_while(self.0.lock().unwrap(), |turn| turn.now != thread).unwrap();
        turn.left.retain(|left| *left != thread);
        turn.next();
        drop(turn);
        self.1.notify_all();
    }
}

impl Turn {
    fn next(&mut self) {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        if let Some(len) = core::num::NonZeroUsize::new(self.left.len()) {
            self.now = self.left[(self.random >> 20) as usize % len];
        }
    }
}

/// A store whose every call is a step of its thread, and that shows each write.
pub(super) struct Stepped<'s, F> {
    pub(super) memory: &'s Memory,
    pub(super) order: &'s Order,
    pub(super) thread: usize,
    pub(super) seen: F,
}

impl<F: Fn(&str, &[u8])> Store for Stepped<'_, F> {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Number)> {
        self.order.step(self.thread, || self.memory.get(key))
    }

    fn replace(&self, key: &str, with: &[u8], number: Number) -> Swap {
        self.order.step(self.thread, || {
            let swap = self.memory.replace(key, with, number);
            if swap == Swap::Done {
                (self.seen)(key, with);
            }
            swap
        })
    }

    fn create(&self, key: &str, with: &[u8]) -> Swap {
        self.order.step(self.thread, || {
            let swap = self.memory.create(key, with);
            if swap == Swap::Done {
                (self.seen)(key, with);
            }
            swap
        })
    }

    fn pause(&self) {
        self.order.step(self.thread, || ());
    }
}
