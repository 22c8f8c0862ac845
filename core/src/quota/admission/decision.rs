//! The cell of a worker, in which its admission is decided: by the worker, or by whoever is in its way.

use alloc::string::String;
use alloc::vec::Vec;

use super::super::account::Pending;
use super::super::pack::{Packed, Unpacked};
use crate::shared::{Number, Store, Swap};

/// The key of a worker's cell.
pub(super) fn cell(worker: u64) -> String {
    ["weir.admission/", itoa::Buffer::new().format(worker)].concat()
}

/// The state of a worker's latest admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Admitted,
    Aborted,
}

const LAYOUT: u8 = 1;

fn written(serial: u64, state: State) -> Vec<u8> {
    let mut to = Packed::default();
    to.rest(&[LAYOUT]);
    to.number(serial.into());
    to.number(match state {
        State::Open => 0,
        State::Admitted => 1,
        State::Aborted => 2,
    });
    to.end()
}

fn read(bytes: &[u8]) -> Option<(u64, State)> {
    let (layout, rest) = bytes.split_first()?;
    let mut from = (*layout == LAYOUT).then_some(Unpacked::of(rest))?;
    let serial = from.small()?;
    Some((
        serial,
        match from.small()? {
            0 => State::Open,
            1 => State::Admitted,
            2 => State::Aborted,
            _ => return None,
        },
    ))
}

/// What became of a pending reservation.
pub(super) enum Decided {
    Aborted,
    Admitted,
    Over,
}

/// Aborts the admission to which a pending reservation belongs, if it is not decided.
pub(super) fn abort(store: &dyn Store, pending: &Pending) -> Decided {
    let key = cell(pending.worker);
    loop {
        let Some((bytes, number)) = store.get(&key) else { return Decided::Aborted };
        match read(&bytes) {
            Some((serial, State::Open)) if serial == pending.serial => {
                match store.replace(&key, &written(serial, State::Aborted), number) {
                    Swap::Done => return Decided::Aborted,
                    Swap::Outrun => {}
                    Swap::Refused => return Decided::Admitted,
                }
            }
            Some((serial, State::Aborted)) if serial == pending.serial => return Decided::Aborted,
            Some((serial, State::Admitted)) if serial == pending.serial => return Decided::Admitted,
            Some(_) => return Decided::Over,
            None => return Decided::Admitted,
        }
    }
}

/// Begins an admission in the worker's cell.
pub(super) fn open(store: &dyn Store, cell: &str, serial: u64) -> bool {
    let bytes = written(serial, State::Open);
    loop {
        let swap = match store.get(cell) {
            Some((_, number)) => store.replace(cell, &bytes, number),
            None => store.create(cell, &bytes),
        };
        match swap {
            Swap::Done => return true,
            Swap::Outrun => {}
            Swap::Refused => return false,
        }
    }
}

/// Decides the admission in the worker's cell, if nobody has aborted it.
pub(super) fn decide(store: &dyn Store, cell: &str, serial: u64, state: State) -> bool {
    let open = written(serial, State::Open);
    let found = store.get(cell).filter(|(bytes, _): &(Vec<u8>, Number)| *bytes == open);
    found.is_some_and(|(_, number)| store.replace(cell, &written(serial, state), number) == Swap::Done)
}
