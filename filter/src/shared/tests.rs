//! What both stores must do, and what the loop does with a store that does not.

use std::cell::Cell as Mutable;
use std::thread;

use weir_core::health::cooldown::Begun;
use weir_core::shared::{Cell, Fields};

use super::*;
use crate::native::{Cells, Shared};
use crate::wasm::SharedData;

/// Both shells' stores: the native one also as another library reaches it, the wasm one with a host that does what Envoy's does.
fn both(check: impl Fn(&dyn Fn(&str) -> String, Box<dyn Store>), name: &str) {
    let native: &'static Cells = Box::leak(Box::new(Cells::new()));
    check(&|key| key.to_owned(), Box::new(native));
    // All tests share these.
    check(&|key| format!("{name} {key}"), Box::new(Shared::own()));
    check(&|key| format!("{name} {key}"), Box::new(SharedData));
}

#[test]
fn a_cell_is_created_once_and_replaced_by_who_has_seen_its_last_change() {
    let check = |key: &dyn Fn(&str) -> String, cells: Box<dyn Store>| {
        let key = key("a");
        assert_eq!(cells.get(&key), None);
        assert_eq!(cells.create(&key, b"1"), Swap::Done);
        assert_eq!(cells.create(&key, b"2"), Swap::Outrun);
        let (bytes, first) = cells.get(&key).unwrap();
        assert_eq!(bytes, b"1");
        assert_eq!(cells.replace(&key, b"3", first), Swap::Done);
        assert_eq!(cells.replace(&key, b"4", first), Swap::Outrun);
        let (bytes, second) = cells.get(&key).unwrap();
        assert_eq!((bytes.as_slice(), first == second), (&b"3"[..], false));
        assert_eq!(cells.replace(&key, b"", second), Swap::Done);
        assert!(cells.get(&key).unwrap().0.is_empty(), "an empty cell is still there");
        assert_eq!(cells.create(&key, b"5"), Swap::Outrun);
    };
    both(check, "created once");
}

#[test]
fn an_empty_cell_is_a_hint_that_nobody_gave() {
    let check = |key: &dyn Fn(&str) -> String, cells: Box<dyn Store>| {
        let key = Key::<Note>::of(key("b"));
        assert_eq!(hint(&cells, &key, |old| Change::Write(Note(old.map_or(1, |Note(old)| old + 1)))), Some(written(1)));
        assert_eq!(hint(&cells, &key, |old| Change::Write(Note(old.map_or(1, |Note(old)| old + 1)))), Some(written(2)));
        assert_eq!(hint(&cells, &key, |_| Change::Clear), Some(Change::Clear));
        assert!(cells.get(key.as_str()).unwrap().0.is_empty());
        let seen = Mutable::new(Some(Note(7)));
        assert_eq!(
            hint(&cells, &key, |old| {
                seen.set(old);
                Change::Keep
            }),
            Some(Change::Keep)
        );
        assert_eq!(seen.take(), None);
    };
    both(check, "empty");
}

#[test]
fn nothing_is_counted_where_no_steward_has_created_the_cell() {
    let check = |key: &dyn Fn(&str) -> String, cells: Box<dyn Store>| {
        let key = Key::<Begun>::of(key("c"));
        assert_eq!(count(&cells, &key, |begun| begun.count += 1), Err(Uncounted::NotThere));
        assert_eq!(cells.get(key.as_str()), None);
        cells.create(key.as_str(), &Begun::default().write());
        assert_eq!(count(&cells, &key, |begun| begun.count += 1), Ok(()));
        cells.create(key.as_str(), &Begun::default().write());
        let (bytes, _) = cells.get(key.as_str()).unwrap();
        assert_eq!(Begun::read(&bytes).unwrap().count, 1, "a steward that starts again resets nothing");
    };
    both(check, "no steward");
}

#[test]
fn a_count_of_a_layout_that_is_not_known_is_left_alone() {
    let check = |key: &dyn Fn(&str) -> String, cells: Box<dyn Store>| {
        let key = Key::<Begun>::of(key("d"));
        let later = Fields::of(9).number(41).end();
        cells.create(key.as_str(), &later);
        assert_eq!(count(&cells, &key, |begun| begun.count += 1), Err(Uncounted::Unreadable));
        assert_eq!(cells.get(key.as_str()).unwrap().0, later);
    };
    both(check, "another layout");
}

/// Eight swaps were the most for everything once.
#[test]
fn all_that_count_at_the_same_time_are_counted() {
    fn check<S: Store + Sync>(cells: &S, key: &str) {
        cells.create(key, &Begun::default().write());
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        count(cells, &Key::<Begun>::of(key.to_owned()), |begun| begun.count += 1).unwrap();
                    }
                });
            }
        });
        assert_eq!(Begun::read(&cells.get(key).unwrap().0).unwrap().count, 4000);
    }
    let native: &'static Cells = Box::leak(Box::new(Cells::new()));
    check(&native, "e");
    check(&SharedData, "counted at the same time");
}

/// A store in which somebody else is always first, up to some number of times.
struct Busy(Mutable<u32>);

impl Store for Busy {
    fn get(&self, _: &str) -> Option<(Vec<u8>, Number)> {
        Some((Begun::default().write(), Number::MIN))
    }

    fn replace(&self, _: &str, _: &[u8], _: Number) -> Swap {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        if left == 0 { Swap::Done } else { Swap::Outrun }
    }

    fn create(&self, _: &str, _: &[u8]) -> Swap {
        Swap::Refused
    }
}

#[test]
fn a_hint_gives_up_and_a_count_does_not() {
    let note = |cells: &Busy| hint(cells, &Key::<Note>::one("n"), |_| Change::Write(Note(1)));
    assert_eq!((note(&Busy(Mutable::new(SWAPS - 1))), note(&Busy(Mutable::new(SWAPS)))), (Some(written(1)), None));
    let busy = Busy(Mutable::new(1000));
    assert_eq!(count(&busy, &Begun::KEY, |begun| begun.count += 1), Ok(()));
}

#[derive(Debug, PartialEq)]
struct Note(u64);

fn written(note: u64) -> Change<Note> {
    Change::Write(Note(note))
}

impl Cell for Note {
    fn read(bytes: &[u8]) -> Option<Self> {
        weir_core::shared::Reader::of(1, bytes)?.number().map(Self)
    }

    fn write(&self) -> Vec<u8> {
        Fields::of(1).number(self.0).end()
    }
}

impl Hint for Note {}
