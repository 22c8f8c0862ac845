//! Admits a request under all of its limits, or under none.
//!
//! Each account is a cell of its own, and cells can only be compared and swapped one by one. So a worker first places a
//! *pending* reservation in each account, then decides by one swap of its own cell, and then confirms them. While
//! pending, a reservation counts, so no limit is ever exceeded. But it may come to nothing, so nobody is refused because
//! of it: who does not fit beside it gives its worker some time to decide, and then *aborts* it, by a swap of that
//! worker's cell. Who was aborted begins again. So no request is refused while the free amount covers it.
//!
//! An admission under one limit needs one swap.

use alloc::string::String;
use alloc::vec::Vec;

use super::account::{Account, Pending, Standing};
use super::bucket::{Changed, Whose, change};
use super::limit::Limit;
use super::pack::{Packed, Unpacked};
use crate::shared::{Number, Store, Swap};
use crate::time::Instant;

/// How often a worker looks again at a pending reservation before it aborts it, the first time.
const PATIENCE: u32 = 16;

/// How often a worker begins again before it gives up, as if the limits were just busy.
const ATTEMPTS: u32 = 10_000;

/// A worker that admits requests, one at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worker {
    /// Its number, which no other worker of this Envoy has or had.
    id: u64,
    /// The number of its latest admission.
    serial: u64,
    /// The key of its cell.
    cell: String,
}

impl Worker {
    /// The worker with this number.
    pub fn new(id: u64) -> Self {
        Self { id, serial: 0, cell: cell(id) }
    }

    /// Its number.
    pub fn id(&self) -> u64 {
        self.id
    }
}

fn cell(worker: u64) -> String {
    ["weir.admission/", itoa::Buffer::new().format(worker)].concat()
}

/// What a request takes of one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want<'l> {
    /// The number by which the caller knows the limit.
    pub number: usize,
    /// The limit.
    pub limit: &'l Limit,
    /// Whose account.
    pub subject: String,
    /// How much, in the limit's unit.
    pub amount: u128,
}

/// What was taken of one limit, to be settled once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The number by which the caller knows the limit.
    pub number: usize,
    /// Whose account.
    pub subject: String,
    /// Whether it is the account that values share that have none of their own.
    pub shared: bool,
    /// The window in which it counts: its start in milliseconds since the Unix epoch, or 0.
    pub window: u64,
    /// How much, in the limit's unit.
    pub amount: u128,
    /// The worker that took it.
    pub worker: u64,
    /// Whether a soft limit was exceeded.
    pub over: bool,
    /// How the account stood then.
    pub standing: Standing,
}

impl Taken {
    fn whose(&self) -> Whose<'_> {
        Whose { subject: &self.subject, shared: self.shared }
    }
}

/// Why a request is not admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A limit has too little left.
    Short(Shortfall),
    /// A cell cannot be read, because another version of Weir has written it, or cannot be written.
    Lost,
}

/// The limit that has too little left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// The number by which the caller knows the limit.
    pub number: usize,
    /// Whose account.
    pub subject: String,
    /// How much was asked for, in the limit's unit.
    pub amount: u128,
    /// When to ask again, in milliseconds from now. `None` if it can never be.
    pub wait: Option<u64>,
}

/// The state of a worker's latest admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
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

/// Takes all of `wants`, or nothing. They are taken in the order of their accounts.
pub fn admit(
    store: &dyn Store,
    worker: &mut Worker,
    wants: &mut [Want<'_>],
    now: Instant,
) -> Result<Vec<Taken>, Refused> {
    match wants {
        [] => Ok(Vec::new()),
        [want] => one(store, worker, want, now).map(|taken| [taken].into()),
        wants => {
            // Two admissions that meet in two accounts meet in the same one first.
            wants.sort_by(|a, b| (&a.limit.name, &a.subject).cmp(&(&b.limit.name, &b.subject)));
            for attempt in 0..ATTEMPTS {
                if let Some(outcome) = all(store, worker, wants, now, attempt) {
                    return outcome;
                }
            }
            Err(Refused::Lost)
        }
    }
}

fn one(store: &dyn Store, worker: &mut Worker, want: &Want<'_>, now: Instant) -> Result<Taken, Refused> {
    let placed = place(store, want, now, 0, |account, window| {
        account.hold(want.limit, worker.id, window, want.amount);
    })?;
    Ok(taken(want, placed, worker.id))
}

/// One attempt at all of them; `None` if it was aborted.
fn all(
    store: &dyn Store,
    worker: &mut Worker,
    wants: &[Want<'_>],
    now: Instant,
    attempt: u32,
) -> Option<Result<Vec<Taken>, Refused>> {
    worker.serial += 1;
    let Worker { id, serial, cell } = worker;
    let (id, serial) = (*id, *serial);
    if !open(store, cell, serial) {
        return Some(Err(Refused::Lost));
    }
    let mut placed = Vec::with_capacity(wants.len());
    for want in wants {
        match place(store, want, now, attempt, |account, window| account.pend(id, serial, window, want.amount)) {
            Ok(at) => placed.push(taken(want, at, id)),
            Err(refused) => {
                withdraw(store, wants, &placed, (id, serial), now);
                return Some(Err(refused));
            }
        }
    }
    if !decide(store, cell, serial, State::Admitted) {
        withdraw(store, wants, &placed, (id, serial), now);
        return None;
    }
    for (want, taken) in wants.iter().zip(&placed) {
        let confirmed = change(store, want.limit, taken.whose(), now, |account| {
            account.confirm(want.limit, id, serial);
            (true, ())
        });
        if let Changed::Lost = confirmed {
            return Some(Err(Refused::Lost));
        }
    }
    Some(Ok(placed))
}

/// Where a reservation is.
struct Placed {
    shared: bool,
    window: u64,
    over: bool,
    standing: Standing,
}

fn taken(want: &Want<'_>, Placed { shared, window, over, standing }: Placed, worker: u64) -> Taken {
    let Want { number, amount, .. } = *want;
    Taken { number, subject: want.subject.clone(), shared, window, amount, worker, over, standing }
}

/// Places a reservation in an account, if it fits.
fn place(
    store: &dyn Store,
    want: &Want<'_>,
    now: Instant,
    attempt: u32,
    mut put: impl FnMut(&mut Account, u64),
) -> Result<Placed, Refused> {
    enum Found {
        Placed(Placed),
        Short(Shortfall),
        /// It would fit beside what is decided.
        Waits(Vec<Pending>),
    }
    let Want { number, limit, subject, amount } = want;
    let mut void: Vec<Pending> = Vec::new();
    let mut admitted: Vec<Pending> = Vec::new();
    let mut over: Vec<Pending> = Vec::new();
    let mut looks = 0;
    loop {
        let found = change(store, limit, Whose::own(subject), now, |account| {
            account.pending.retain(|pending| !void.contains(pending));
            let window = account.advance(limit, now).start;
            let over = limit.soft && account.standing(limit, now).left() < *amount;
            if account.has_room(limit, *amount, |_| true) {
                put(account, window);
                let standing = account.standing(limit, now);
                return (true, Found::Placed(Placed { shared: account.subject != *subject, window, over, standing }));
            }
            if account.has_room(limit, *amount, |pending| admitted.contains(pending)) {
                let waits = account.pending.iter().filter(|pending| !admitted.contains(pending));
                return (false, Found::Waits(waits.copied().collect()));
            }
            let until = account.wait(limit, *amount, now);
            (false, Found::Short(Shortfall { number: *number, subject: subject.clone(), amount: *amount, wait: until }))
        });
        match found {
            Changed::Lost => return Err(Refused::Lost),
            Changed::Done(Found::Placed(placed)) => return Ok(placed),
            Changed::Done(Found::Short(short)) => return Err(Refused::Short(short)),
            Changed::Done(Found::Waits(waits)) => {
                if looks < PATIENCE.saturating_mul(attempt + 1) {
                    looks += 1;
                    store.pause();
                    continue;
                }
                for pending in waits {
                    match abort(store, &pending) {
                        Decided::Aborted => void.push(pending),
                        Decided::Admitted => admitted.push(pending),
                        // Its worker has gone on, and had changed the account before: read again. If it is still there, its
                        // worker could not.
                        Decided::Over if over.contains(&pending) => void.push(pending),
                        Decided::Over => over.push(pending),
                    }
                }
            }
        }
    }
}

/// What became of a pending reservation.
enum Decided {
    Aborted,
    Admitted,
    Over,
}

/// Aborts the admission to which a pending reservation belongs, if it is not decided.
fn abort(store: &dyn Store, pending: &Pending) -> Decided {
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
fn open(store: &dyn Store, cell: &str, serial: u64) -> bool {
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
fn decide(store: &dyn Store, cell: &str, serial: u64, state: State) -> bool {
    let open = written(serial, State::Open);
    let found = store.get(cell).filter(|(bytes, _): &(Vec<u8>, Number)| *bytes == open);
    found.is_some_and(|(_, number)| store.replace(cell, &written(serial, state), number) == Swap::Done)
}

/// Takes back what is pending.
fn withdraw(store: &dyn Store, wants: &[Want<'_>], placed: &[Taken], (id, serial): (u64, u64), now: Instant) {
    for (want, taken) in wants.iter().zip(placed) {
        // What cannot be written now is void all the same, once the worker has begun another admission.
        let _ = change(store, want.limit, taken.whose(), now, |account| (account.withdraw(id, serial), ()));
    }
}

/// Whether a limit has enough left at this moment. Nothing is taken, so it may be another answer when it is.
pub fn has_room(store: &dyn Store, want: &Want<'_>, now: Instant) -> bool {
    let looked = change(store, want.limit, Whose::own(&want.subject), now, |account| {
        (false, account.has_room(want.limit, want.amount, |_| false))
    });
    matches!(looked, Changed::Done(true))
}

/// Replaces what was reserved by what was used, in the limit's unit.
pub fn settle(store: &dyn Store, limit: &Limit, taken: &Taken, used: u128, now: Instant) {
    let Taken { window, amount, worker, .. } = taken;
    let _ = change(store, limit, taken.whose(), now, |account| {
        account.settle(limit, *worker, *window, *amount, used);
        (true, ())
    });
}

/// Reserves `more` for a request that is under way. Whether there was room.
pub fn extend(store: &dyn Store, limit: &Limit, taken: &mut Taken, more: u128, now: Instant) -> bool {
    let (worker, window) = (taken.worker, taken.window);
    let extended = change(store, limit, taken.whose(), now, |account| {
        let done = account.extend(limit, worker, window, more);
        (done, done)
    });
    let done = matches!(extended, Changed::Done(true));
    if done {
        taken.amount = taken.amount.saturating_add(more);
    }
    done
}

#[cfg(test)]
mod tests;
