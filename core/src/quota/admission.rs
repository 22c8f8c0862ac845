//! Admits a request under all of its limits, or under none.
//!
//! Each account is a cell of its own, and cells can only be compared and swapped one by one. So a worker first places a
//! *pending* reservation in each account, then decides by one swap of its own cell, and then confirms them. While
//! pending, a reservation counts, so no limit is ever exceeded. But it may come to nothing, so nobody is refused because
//! of it: who does not fit beside it gives its worker some time to decide, and then *aborts* it, by a swap of that
//! worker's cell. Who was aborted begins again. So no request is refused while the free amount covers it.
//!
//! An admission under one limit needs one swap.

mod decision;
mod place;

use alloc::string::String;
use alloc::vec::Vec;

use self::decision::{State, cell, decide, open};
use self::place::{How, Placed, place};
use super::account::{Drained, Standing, Terms};
use super::bucket::{Changed, Whose, change, change_for};
use super::claim::{Claim, Want};
use super::limit::{Kind, Limit};
use crate::shared::Store;
use crate::time::Instant;

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
    /// Whether this Envoy shares its limits with others.
    shares: bool,
}

impl Worker {
    /// The worker with this number, of an Envoy that shares its limits with no other.
    pub fn new(id: u64) -> Self {
        Self { id, serial: 0, cell: cell(id), shares: false }
    }

    /// Has it admit by leases of control's.
    pub fn shares(&mut self) {
        self.shares = true;
    }

    /// Whether it admits by leases of control's.
    pub fn is_sharing(&self) -> bool {
        self.shares
    }

    /// Its number.
    pub fn id(&self) -> u64 {
        self.id
    }
}

/// Whether an admission may wait until control is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asking {
    /// It cannot wait.
    #[default]
    Never,
    /// It may. Control was asked, and has answered, so often already.
    Again(u8),
    /// It has waited and control has not answered, or control cannot be asked from where it is. Where a limit is open, it goes on
    /// with a small part of what is left.
    Unanswered,
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
    /// How much of a rate's level had drained then.
    drained: Drained,
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
    /// Leases do not cover this, and control may have more.
    Lease(Vec<Claim>),
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

/// Takes all of `wants`, or nothing. They are taken in the order of their accounts.
pub fn admit(
    store: &dyn Store,
    worker: &mut Worker,
    wants: &mut [Want<'_>],
    asking: Asking,
    now: Instant,
) -> Result<Vec<Taken>, Refused> {
    let outcome = match &mut *wants {
        [] => Ok(Vec::new()),
        [want] => one(store, worker, want, asking, now).map(|taken| [taken].into()),
        wants => {
            // Two admissions that meet in two accounts meet in the same one first.
            wants.sort_by(|a, b| (&a.limit.name, &a.subject).cmp(&(&b.limit.name, &b.subject)));
            let mut attempts = 0..ATTEMPTS;
            attempts.find_map(|attempt| all(store, worker, wants, (asking, attempt), now)).unwrap_or(Err(Refused::Lost))
        }
    };
    match outcome {
        Err(Refused::Lease(first)) => Err(Refused::Lease(uncovered(store, wants, first, now))),
        outcome => outcome,
    }
}

/// All that a lease does not cover now, so that control is asked once; `first` is known.
fn uncovered(store: &dyn Store, wants: &[Want<'_>], first: Vec<Claim>, now: Instant) -> Vec<Claim> {
    let mut claims = first;
    for want in wants {
        let is_known = |claim: &Claim| claim.limit.name == want.limit.name && claim.subject == want.subject;
        let looked = change(store, want.limit, Whose::own(&want.subject), now, |account| {
            account.advance(want.limit, now);
            (false, account.fits(want.limit, want.amount, Terms::Lease, now, |_| true))
        });
        if matches!(looked, Changed::Done(false)) && !claims.iter().any(is_known) {
            claims.push(Claim::of(want));
        }
    }
    claims
}

fn one(
    store: &dyn Store,
    worker: &mut Worker,
    want: &Want<'_>,
    asking: Asking,
    now: Instant,
) -> Result<Taken, Refused> {
    let how = How { shares: worker.shares, asking, attempt: 0 };
    let placed = place(store, want, now, how, &mut |account, window| {
        account.hold(want.limit, worker.id, window, want.amount);
    })?;
    Ok(taken(want, placed, worker.id))
}

/// One attempt at all of them; `None` if it was aborted.
fn all(
    store: &dyn Store,
    worker: &mut Worker,
    wants: &[Want<'_>],
    (asking, attempt): (Asking, u32),
    now: Instant,
) -> Option<Result<Vec<Taken>, Refused>> {
    worker.serial += 1;
    let Worker { id, serial, cell, shares } = worker;
    let (id, serial) = (*id, *serial);
    let how = How { shares: *shares, asking, attempt };
    if !open(store, cell, serial) {
        return Some(Err(Refused::Lost));
    }
    let mut placed = Vec::with_capacity(wants.len());
    for want in wants {
        match place(store, want, now, how, &mut |account, window| account.pend(id, serial, window, want.amount)) {
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
    for (at, (want, taken)) in wants.iter().zip(&placed).enumerate() {
        let confirmed = change(store, want.limit, taken.whose(), now, |account| {
            account.advance(want.limit, now);
            account.confirm(want.limit, id, serial);
            (true, ())
        });
        if let Changed::Lost = confirmed {
            let (done, rest) = placed.split_at(at);
            for (want, taken) in wants.iter().zip(done) {
                settle(store, want.limit, taken, 0, now);
            }
            withdraw(store, wants.get(at..).unwrap_or_default(), rest, (id, serial), now);
            return Some(Err(Refused::Lost));
        }
    }
    Some(Ok(placed))
}

fn taken(want: &Want<'_>, Placed { shared, window, over, standing, drained }: Placed, worker: u64) -> Taken {
    let Want { number, amount, .. } = *want;
    Taken { number, subject: want.subject.clone(), shared, window, amount, worker, over, standing, drained }
}

/// Takes back what is pending.
fn withdraw(store: &dyn Store, wants: &[Want<'_>], placed: &[Taken], (id, serial): (u64, u64), now: Instant) {
    for (want, taken) in wants.iter().zip(placed) {
        // What cannot be written now is void all the same, once the worker has begun another admission.
        let _ = change(store, want.limit, taken.whose(), now, |account| (account.withdraw(id, serial), ()));
    }
}

/// Whether somebody who cannot wait for control would find an amount covered.
pub fn is_covered(store: &dyn Store, want: &Want<'_>, now: Instant) -> bool {
    let looked = change(store, want.limit, Whose::own(&want.subject), now, |account| {
        (false, account.fits(want.limit, want.amount, Terms::Lease, now, |_| true))
    });
    matches!(looked, Changed::Done(true))
}

/// Has the next report ask for an amount, unless it asks for some already.
pub fn foresee(store: &dyn Store, want: &Want<'_>, now: Instant) {
    let _ = change(store, want.limit, Whose::own(&want.subject), now, |account| {
        let window = account.advance(want.limit, now).start;
        (account.leased(window, now).foresee(want.amount), ())
    });
}

/// Whether a limit has enough left at this moment. Nothing is taken, so it may be another answer when it is.
pub fn has_room(store: &dyn Store, want: &Want<'_>, now: Instant) -> bool {
    let looked = change(store, want.limit, Whose::own(&want.subject), now, |account| {
        account.advance(want.limit, now);
        let is_shared = !account.leases.is_empty();
        let fits = |terms| account.fits(want.limit, want.amount, terms, now, |_| false);
        // Control may have more than the lease.
        let may = is_shared && !account.is_spent(want.limit, want.amount, now);
        (false, if is_shared { may || fits(Terms::Lease) } else { fits(Terms::Own) })
    });
    matches!(looked, Changed::Done(true))
}

/// Replaces what was reserved by what was used, in the limit's unit. The number of the lease that it counts for, if the limit is shared.
pub fn settle(store: &dyn Store, limit: &Limit, taken: &Taken, used: u128, now: Instant) -> Option<u64> {
    let Taken { window, amount, worker, drained, .. } = taken;
    let settled = change_for(store, limit, taken.whose(), Some((*worker, *window)), now, |account| {
        // The limit may be that of an earlier configuration, whose windows count for nobody else any more.
        if matches!(limit.kind, Kind::Rate { .. }) || account.is_new() {
            account.advance(limit, now);
        }
        (true, account.settle(limit, *worker, (*window, *drained), *amount, used))
    });
    if let Changed::Done(lease) = settled { lease } else { None }
}

#[cfg(test)]
mod tests;
