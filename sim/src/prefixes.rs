//! Prompt caching: which beginnings of requests have been seen.
//!
//! Simulated without a shortest length and without an end of life, so that a test needs neither a long prompt nor
//! patience.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
};

use crate::answer::{Cache, tokens};

/// The beginnings seen so far, each up to a mark.
#[derive(Default)]
pub(crate) struct Prefixes(Mutex<HashSet<u64>>);

/// A part of a request, in the order that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// What is cached, as JSON.
    Block(String),
    /// Up to here.
    Mark,
}

impl Prefixes {
    /// What a request's marks read from the cache and write to it.
    pub(crate) fn visit(&self, model: &str, parts: impl IntoIterator<Item = Part>) -> Cache {
        let mut hasher = DefaultHasher::new();
        model.hash(&mut hasher);
        let mut length = 0;
        let mut marks = Vec::new();
        for part in parts {
            match part {
                Part::Block(written) => {
                    written.hash(&mut hasher);
                    length += tokens(&written);
                }
                Part::Mark => marks.push((hasher.finish(), length)),
            }
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = marks.iter().rev().find(|(mark, _)| known.contains(mark)).map_or(0, |(_, length)| *length);
        let last = marks.last().map_or(0, |(_, length)| *length);
        known.extend(marks.into_iter().map(|(mark, _)| mark));
        Cache { read, written: last - read }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_once_is_read_the_next_time() {
        let prefixes = Prefixes::default();
        let ask = |question: &str| [Part::Block("Be brief.".into()), Part::Mark, Part::Block(question.into())];
        let first = prefixes.visit("m", ask("One?"));
        assert!(first.written > 0 && first.read == 0);
        assert_eq!(prefixes.visit("m", ask("Two?")), Cache { read: first.written, written: 0 });
        assert_eq!(prefixes.visit("other", ask("Two?")), first);
        assert_eq!(prefixes.visit("m", []), Cache::default());
    }
}
