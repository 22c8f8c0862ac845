//! The fuzz targets, tried on their seeds and on what is near them. `make fuzz` looks further.
//!
//! One test at a time, because all of a process's memory is counted.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[allow(unreachable_pub, missing_docs, reason = "the library of the program under fuzz/, which is built apart")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Mutex;

use peak_alloc::PeakAlloc;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use weir_core::provider::ALL;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What stands for a value, a name or a boundary somewhere.
const TOKENS: [&[u8]; 20] = [
    b"null",
    b"-1",
    b"1e400",
    b"18446744073709551616",
    b"\"\"",
    b"[]",
    b"{}",
    b"true",
    b"\"\\ud800\"",
    b"\"a\\n\\\"\"",
    b"[[[[]]]]",
    b",\"index\":300",
    b",\"type\":\"tool_use\"",
    b"\n",
    b"\n\n",
    b"\r\n",
    b"data: ",
    b"data: [DONE]\n\n",
    b"\xff",
    b"\0\0\0\x10",
];

/// A change of an input.
#[derive(Clone, Debug)]
enum Change {
    /// A byte at the start, where targets are told what to try.
    Head(Index, u8),
    /// A byte anywhere.
    Byte(Index, u8),
    /// Between two places, if the second comes after the first; else put in at the first.
    Token(Index, Index, Index),
    /// A stretch is said again elsewhere.
    Again(Index, Index, Index),
    /// The rest is missing.
    Cut(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<Index>;
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, byte)| Change::Head(at, byte)),
        (place(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        (place(), place(), place()).prop_map(|(token, from, to)| Change::Token(token, from, to)),
        (place(), place(), place()).prop_map(|(from, to, at)| Change::Again(from, to, at)),
        place().prop_map(Change::Cut),
    ]
}

impl Change {
    fn make(&self, input: &mut Vec<u8>) {
        if input.is_empty() {
            return;
        }
        let len = input.len();
        // Where a value may begin or end, or else anywhere.
        let edge = |at: &Index| {
            let from = at.index(len);
            (from..len).take(64).find(|&at| b":,{}[]\n".contains(&input[at])).unwrap_or(from)
        };
        match self {
            Self::Head(at, byte) => input[at.index(len.min(3))] = *byte,
            Self::Byte(at, byte) => input[at.index(len)] = *byte,
            Self::Token(token, from, to) => {
                let from = (edge(from) + 1).min(len);
                let to = edge(to).max(from);
                let to = if to - from > 200 { from } else { to };
                input.splice(from..to, TOKENS[token.index(TOKENS.len())].iter().copied());
            }
            Self::Again(from, to, at) => {
                let (from, to) = (edge(from), edge(to));
                let stretch = input[from.min(to)..from.max(to).min(from.min(to) + 2000)].to_vec();
                let at = edge(at);
                input.splice(at..at, stretch);
            }
            Self::Cut(at) => input.truncate(at.index(len)),
        }
    }
}

/// What a reader may hold of so many bytes: what is said again at the end, and a state of its own for each of many choices.
const fn may_hold(bytes: usize) -> usize {
    (1 << 20) + 64 * bytes
}

/// Whose test runs.
static ALONE: Mutex<()> = Mutex::new(());

/// What panicked last, and where. It is told once, with the smallest input.
static PANICKED: Mutex<String> = Mutex::new(String::new());

fn quietly(work: impl FnOnce()) -> Result<(), String> {
    let hook = take_hook();
    set_hook(Box::new(|panic| *PANICKED.lock().unwrap() = panic.to_string()));
    let outcome = catch_unwind(AssertUnwindSafe(work));
    set_hook(hook);
    outcome.map_err(|_| PANICKED.lock().unwrap().clone())
}

#[test]
fn what_is_near_the_corpus_is_read_and_written_well() {
    let _alone = ALONE.lock();
    // `PROPTEST_CASES` says how many inputs are tried of each target.
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    for target in targets::all() {
        assert!(!target.seeds.is_empty(), "{} has seeds", target.name);
        let provider = target.name.strip_prefix("answer_");
        let run = |input: &[u8]| {
            (target.run)(input);
            if let Some(provider) = provider {
                let before = MEMORY.current_usage();
                MEMORY.reset_peak_usage();
                targets::answer::drain(provider, input);
                let held = MEMORY.peak_usage().saturating_sub(before);
                assert!(held <= may_hold(input.len()), "{held} bytes are held of {}", input.len());
            }
        };
        for seed in &target.seeds {
            let outcome = quietly(|| run(seed));
            assert!(outcome.is_ok(), "{}: {outcome:?}: {}", target.name, String::from_utf8_lossy(seed));
        }
        let near = (any::<Index>(), proptest::collection::vec(change(), 1..6));
        let outcome = TestRunner::new(config.clone()).run(&near, |(seed, changes)| {
            let mut input = target.seeds[seed.index(target.seeds.len())].clone();
            for change in &changes {
                change.make(&mut input);
            }
            let outcome = quietly(|| run(&input));
            prop_assert!(outcome.is_ok(), "{outcome:?}: {}", String::from_utf8_lossy(&input));
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{}: {error}", target.name));
    }
}

#[test]
fn every_provider_is_a_target() {
    // The seeds that this one reads would be counted there.
    let _alone = ALONE.lock();
    let names: Vec<String> = targets::all().into_iter().map(|target| target.name).collect();
    for provider in ALL {
        let name = format!("answer_{}", provider.name());
        assert!(names.contains(&name), "there is no fuzz target {name}");
    }
}
