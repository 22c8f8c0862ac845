//! An account: what one subject has taken of one limit.
//!
//! Amounts are in the limit's unit. An account of a rate keeps its level in units times the rate's period in
//! nanoseconds, so that what refills in a nanosecond is a whole number and nothing is ever rounded.

mod cell;
pub(super) mod lease;
mod level;
mod terms;
mod turn;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use self::lease::Lease;
pub(super) use self::level::Drained;
pub(super) use self::terms::Terms;
use self::turn::Debts;
use super::limit::{Kind, Limit};
use super::window::Window;
use crate::time::Instant;

/// How far apart two workers' readings of the clock can be, in milliseconds. A larger step back is a step of the clock.
const SKEW: u64 = 1000;

/// What one subject has taken of one limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Whose it is; empty for the account that all values share that have none of their own.
    pub(super) subject: String,
    /// The start of the window that `settled` is about, in milliseconds since the Unix epoch; 0 if there are no windows.
    window: u64,
    /// What was used in the window. For a rate: the level.
    settled: u128,
    /// The window before or after that one in which requests may still be under way, and what was used in it.
    other: (u64, u128),
    /// For a rate: when the level was right, in nanoseconds since the Unix epoch.
    at: u64,
    /// For a rate: its period when the level was written, in nanoseconds.
    period: u64,
    /// What requests under way have reserved.
    held: Vec<Held>,
    /// What requests have reserved that are still being admitted.
    pub(super) pending: Vec<Pending>,
    /// What control has granted to this Envoy, for each window in which something is counted; none where nothing is shared.
    pub(super) leases: Vec<Lease>,
    /// The [unit](Limit::unit) of its numbers; 0 for that of the limit by which it is found.
    unit: u32,
    /// For a budget: what was used beyond what was reserved and beyond the amount.
    debts: Debts,
    /// For a rate: how much of its level has drained, in the account's own numbers, since it began.
    drained: u128,
    /// When it last took over what was counted under a former name, in milliseconds since the Unix epoch.
    adopted: u64,
    /// Additions by another version of Weir.
    unknown: Vec<u8>,
}

/// What the requests of one worker have reserved in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    worker: u64,
    window: u64,
    amount: u128,
}

/// A reservation that its worker has not decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    /// The worker.
    pub(super) worker: u64,
    /// The number of its admission.
    pub(super) serial: u64,
    window: u64,
    amount: u128,
}

/// How much of a limit is taken, in the limit's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The amount of the limit: of a rate, its burst.
    pub amount: u128,
    /// What was used.
    pub settled: u128,
    /// What requests under way have reserved.
    pub held: u128,
    /// When all of it is free again, if nothing more is used, in milliseconds since the Unix epoch; `None` if never.
    pub reset: Option<u64>,
}

impl Standing {
    /// What is left.
    pub fn left(&self) -> u128 {
        self.amount.saturating_sub(self.settled).saturating_sub(self.held)
    }
}

impl Account {
    /// An account in which nothing was taken.
    pub(super) fn of(subject: &str) -> Self {
        Self { subject: subject.to_string(), ..Self::default() }
    }

    /// The same, in a limit's unit.
    pub(super) fn in_unit(subject: &str, unit: u32) -> Self {
        Self { unit, ..Self::of(subject) }
    }

    /// Whether its numbers are in this unit.
    pub(super) fn is_in(&self, unit: u32) -> bool {
        self.unit == 0 || self.unit == unit
    }

    /// Notes the unit of its numbers, if they are an older version's.
    pub(super) fn set_unit(&mut self, unit: u32) {
        self.unit = unit;
    }

    /// Its unit; 0 if it is not known.
    pub(super) fn unit(&self) -> u32 {
        self.unit
    }

    /// Adds what was counted under the limit's former name, with what is under way. Once, for each time `at` of doing so.
    pub(super) fn adopt(&mut self, limit: &Limit, former: &Self, at: u64, now: Instant) {
        if self.adopted == at {
            return;
        }
        let mut former = former.clone();
        former.advance(limit, now);
        self.advance(limit, now);
        self.adopted = at;
        if former.window == self.window {
            self.settled = self.settled.saturating_add(former.settled);
            self.debts.own = self.debts.own.saturating_add(former.debts.own);
        }
        self.drained = self.drained.max(former.drained);
        if self.other == (0, 0) {
            (self.other, self.debts) = (former.other, Debts { own: self.debts.own, ..former.debts });
        } else if former.other.0 == self.other.0 {
            self.other.1 = self.other.1.saturating_add(former.other.1);
            self.debts.other = self.debts.other.saturating_add(former.debts.other);
        }
        for Held { worker, window, amount } in former.held {
            self.note(worker, window, amount);
        }
        self.pending.extend(former.pending);
        let is_new = |lease: &Lease, known: &[Lease]| known.iter().all(|known| known.window != lease.window);
        for lease in former.leases {
            if is_new(&lease, &self.leases) {
                self.leases.push(lease);
            }
        }
    }

    /// Whether it was never in a window.
    pub(super) fn is_new(&self) -> bool {
        (self.window, self.other.0) == (0, 0)
    }

    /// Whether nobody has anything under way in it, nor a lease.
    pub(super) fn is_released(&self) -> bool {
        self.held.is_empty() && self.pending.is_empty() && self.leases.is_empty()
    }

    /// Whether a worker has anything under way in it, in this window.
    pub(super) fn is_held(&self, worker: u64, window: u64) -> bool {
        self.held.iter().any(|held| (held.worker, held.window) == (worker, window))
    }

    /// Brings it to `now`: lets a rate refill, and begins the window that `now` is in.
    pub(super) fn advance(&mut self, limit: &Limit, now: Instant) -> Window {
        match &limit.kind {
            Kind::Rate { amount, period, .. } => self.refill(*amount, *period, now.as_nanos()),
            Kind::Concurrency { .. } => {}
            Kind::Budget { amount, windows } => {
                let amount = if limit.soft { u128::MAX } else { *amount };
                return self.turn(amount, windows, now);
            }
        }
        Window { start: 0, end: None }
    }

    /// What one unit is in the account's own numbers.
    fn unit_of(limit: &Limit) -> u128 {
        match &limit.kind {
            Kind::Rate { period, .. } => u128::from((*period).max(1)),
            Kind::Budget { .. } | Kind::Concurrency { .. } => 1,
        }
    }

    /// What is taken now, in the account's own numbers, without what is pending.
    fn taken(&self, limit: &Limit) -> u128 {
        match &limit.kind {
            // A rate's level has it already.
            Kind::Rate { .. } => self.settled,
            Kind::Budget { .. } | Kind::Concurrency { .. } => self.settled.saturating_add(self.held_now()),
        }
    }

    /// Whether `amount` more can be taken, beside what is pending of the admissions that `counts` wants counted.
    pub(super) fn has_room(&self, limit: &Limit, amount: u128, counts: impl Fn(&Pending) -> bool) -> bool {
        let unit = Self::unit_of(limit);
        let pending = self.pending.iter().filter(|pending| counts(pending));
        let pending = pending.fold(amount, |sum, pending| sum.saturating_add(pending.amount));
        let taken = self.taken(limit).saturating_add(pending.saturating_mul(unit));
        limit.soft || taken <= limit.most().saturating_mul(unit)
    }

    /// Notes a reservation that is not decided.
    pub(super) fn pend(&mut self, worker: u64, serial: u64, window: u64, amount: u128) {
        self.pending.push(Pending { worker, serial, window, amount });
    }

    /// What is pending in a window.
    pub(super) fn pending_in(&self, window: u64) -> u128 {
        let pending = self.pending.iter().filter(|pending| pending.window == window);
        pending.fold(0, |sum, pending| sum.saturating_add(pending.amount))
    }

    /// Takes back the reservation of an admission that came to nothing. Whether it was there.
    pub(super) fn withdraw(&mut self, worker: u64, serial: u64) -> bool {
        let before = self.pending.len();
        self.pending.retain(|pending| (pending.worker, pending.serial) != (worker, serial));
        self.pending.len() < before
    }

    /// Makes a pending reservation one that holds.
    pub(super) fn confirm(&mut self, limit: &Limit, worker: u64, serial: u64) {
        let found = self.pending.iter().find(|pending| (pending.worker, pending.serial) == (worker, serial)).copied();
        if let Some(Pending { window, amount, .. }) = found {
            self.withdraw(worker, serial);
            self.hold(limit, worker, window, amount);
        }
    }

    /// Notes a reservation of a worker.
    pub(super) fn hold(&mut self, limit: &Limit, worker: u64, window: u64, amount: u128) {
        if matches!(limit.kind, Kind::Rate { .. }) {
            self.settled = self.settled.saturating_add(amount.saturating_mul(Self::unit_of(limit)));
        }
        self.note(worker, window, amount);
        if let Some(lease) = self.lease_of(window) {
            lease.reserve(amount);
        }
    }

    fn note(&mut self, worker: u64, window: u64, amount: u128) {
        match self.held.iter_mut().find(|held| (held.worker, held.window) == (worker, window)) {
            Some(held) => held.amount = held.amount.saturating_add(amount),
            None => self.held.push(Held { worker, window, amount }),
        }
    }

    /// Replaces a reservation of `reserved`, made in `window` when its rate had `drained` so much, by what was `used`. It may
    /// have been made by an earlier configuration, so the account is not brought into the windows of `limit`. The number of the lease
    /// that it counts for, if there is one.
    pub(super) fn settle(
        &mut self,
        limit: &Limit,
        worker: u64,
        (window, drained): (u64, Drained),
        reserved: u128,
        used: u128,
    ) -> Option<u64> {
        let known = self.release(worker, window, reserved);
        let used_up = match &limit.kind {
            Kind::Concurrency { .. } => 0,
            Kind::Rate { .. } => self.return_to_level(limit, drained, (known, reserved), used),
            Kind::Budget { amount, .. } => {
                let amount = if limit.soft { u128::MAX } else { *amount };
                self.spend(amount, window, known, used);
                used
            }
        };
        self.lease_of(window).map(|lease| {
            lease.settle(known, used_up);
            lease.held.since
        })
    }

    /// Gives back what `worker` has reserved, up to `amount` of one window. How much that was.
    fn release(&mut self, worker: u64, window: u64, amount: u128) -> u128 {
        let held = self.held.iter_mut().find(|held| (held.worker, held.window) == (worker, window));
        let Some(held) = held else { return 0 };
        let known = held.amount.min(amount);
        held.amount -= known;
        self.held.retain(|held| held.amount > 0);
        known
    }

    /// Gives back everything that workers hold of which `is_live` says no. Whether there was anything. A rate refills by itself:
    /// when they took it is not known.
    pub(super) fn forget(&mut self, limit: &Limit, is_live: impl Fn(u64) -> bool) -> bool {
        let dead: Vec<Held> = self.held.iter().filter(|held| !is_live(held.worker)).copied().collect();
        for Held { worker, window, amount } in &dead {
            if self.is_in(limit.unit()) {
                self.settle(limit, *worker, (*window, Drained::default()), *amount, 0);
                continue;
            }
            // What it has counted is in a unit that is not the limit's any more.
            self.release(*worker, *window, *amount);
            if let Some(lease) = self.lease_of(*window) {
                lease.settle(*amount, 0);
            }
        }
        let before = self.pending.len();
        self.pending.retain(|pending| is_live(pending.worker));
        !dead.is_empty() || self.pending.len() < before
    }

    /// Takes from what was used, of a debt first: an operator's credit.
    pub(super) fn credit(&mut self, limit: &Limit, amount: u128) {
        self.settled = self.settled.saturating_sub(amount.saturating_mul(Self::unit_of(limit)));
        self.debts.own = self.debts.own.saturating_sub(amount);
    }

    /// Whether it says nothing that a new account would not say.
    pub(super) fn is_idle(&self, limit: &Limit) -> bool {
        let is_spent = match &limit.kind {
            Kind::Budget { .. } | Kind::Rate { .. } => self.settled > 0,
            Kind::Concurrency { .. } => false,
        };
        !is_spent && self.is_released()
    }

    /// How much is taken, at the time to which it was [brought](Self::advance). Where control has told how much is left of the
    /// whole limit, that counts.
    pub(super) fn standing(&self, limit: &Limit, now: Instant) -> Standing {
        if let Some(standing) = self.shared_standing(limit, now) {
            return standing;
        }
        let unit = Self::unit_of(limit);
        let pending = self.pending.iter().fold(0, |sum: u128, pending| sum.saturating_add(pending.amount));
        let (settled, held, reset) = match &limit.kind {
            Kind::Rate { amount, .. } => {
                let nanos = self.settled.div_ceil(u128::from((*amount).max(1)));
                let millis = u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX);
                (self.settled.div_ceil(unit), 0, Some(now.as_millis().saturating_add(millis)))
            }
            Kind::Budget { windows, .. } => (self.settled, self.held_now(), windows.at(now).end),
            Kind::Concurrency { .. } => (0, self.held_now(), None),
        };
        Standing { amount: limit.most(), settled, held: held.saturating_add(pending), reset }
    }

    /// When `amount` would be free, if nothing more is taken, in milliseconds after `now`. What is reserved may come back
    /// at any time: then it is a second. `None` if never.
    pub(super) fn wait(&self, limit: &Limit, amount: u128, now: Instant) -> Option<u64> {
        /// A request that is under way may end at any time.
        const SOON: u64 = 1000;
        if amount > limit.most() {
            return None;
        }
        match &limit.kind {
            Kind::Rate { amount: refill, .. } => {
                let unit = Self::unit_of(limit);
                let excess = self.settled.saturating_add(amount.saturating_mul(unit));
                let excess = excess.saturating_sub(limit.most().saturating_mul(unit));
                let nanos = excess.div_ceil(u128::from((*refill).max(1)));
                Some(u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX).max(1))
            }
            Kind::Concurrency { .. } => Some(SOON),
            Kind::Budget { windows, .. } => {
                if self.settled.saturating_add(amount) <= limit.most() {
                    return Some(SOON);
                }
                windows.at(now).end.map(|end| end.saturating_sub(now.as_millis()).max(1))
            }
        }
    }
}

#[cfg(test)]
mod tests;
