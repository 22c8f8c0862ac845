//! An account: what one subject has taken of one limit.
//!
//! Amounts are in the limit's unit. An account of a rate keeps its level in units times the rate's period in
//! nanoseconds, so that what refills in a nanosecond is a whole number and nothing is ever rounded.

pub(super) mod lease;
mod terms;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use self::lease::Lease;
pub(super) use self::terms::Terms;
use super::limit::{Kind, Limit};
use super::pack::{Packed, Unpacked};
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

    /// Takes over what was used in an account of the limit's former name. What is reserved there stays there.
    pub(super) fn after(former: &Self, subject: &str) -> Self {
        let subject = subject.to_string();
        Self { subject, held: Vec::new(), pending: Vec::new(), leases: Vec::new(), ..former.clone() }
    }

    /// Brings it to `now`: lets a rate refill, and begins the window that `now` is in.
    pub(super) fn advance(&mut self, limit: &Limit, now: Instant) -> Window {
        match &limit.kind {
            Kind::Rate { amount, period, .. } => self.refill(*amount, *period, now.as_nanos()),
            Kind::Concurrency { .. } => {}
            Kind::Budget { amount, windows } => {
                let window = windows.at(now);
                // A worker whose clock is a little behind is not in the window before.
                let millis = now.as_millis();
                let is_behind = millis < self.window && self.window - millis <= SKEW;
                if window.start == self.window || is_behind {
                    return Window { start: self.window, ..window };
                }
                let before = (self.window, self.settled);
                let debt =
                    if window.start > self.window && !limit.soft { self.settled.saturating_sub(*amount) } else { 0 };
                self.settled = if self.other.0 == window.start {
                    // A clock that was stepped back finds the window that it left.
                    self.other.1
                } else if window.start < self.window && self.window <= millis {
                    // The configuration has longer windows now: this one has what was spent in the shorter one.
                    self.settled
                } else {
                    debt
                };
                (self.window, self.other) = (window.start, before);
                return window;
            }
        }
        Window { start: 0, end: None }
    }

    fn refill(&mut self, amount: u64, period: u64, now: u64) {
        let period = period.max(1);
        if self.period == 0 {
            (self.period, self.at) = (period, now);
        } else if self.period != period {
            // The configuration has changed: the level stays the same number of units.
            self.settled = (self.settled / u128::from(self.period)).saturating_mul(u128::from(period));
            self.period = period;
        }
        match now.checked_sub(self.at) {
            Some(passed) => {
                self.settled = self.settled.saturating_sub(u128::from(amount).saturating_mul(u128::from(passed)));
                self.at = now;
            }
            None if self.at - now > SKEW * 1_000_000 => self.at = now,
            None => {}
        }
    }

    /// What one unit is in the account's own numbers.
    fn unit(limit: &Limit) -> u128 {
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

    fn held_now(&self) -> u128 {
        self.held.iter().filter(|held| held.window == self.window).fold(0, |sum, held| sum.saturating_add(held.amount))
    }

    /// Whether `amount` more can be taken, beside what is pending of the admissions that `counts` wants counted.
    pub(super) fn has_room(&self, limit: &Limit, amount: u128, counts: impl Fn(&Pending) -> bool) -> bool {
        let unit = Self::unit(limit);
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
            self.settled = self.settled.saturating_add(amount.saturating_mul(Self::unit(limit)));
        }
        match self.held.iter_mut().find(|held| (held.worker, held.window) == (worker, window)) {
            Some(held) => held.amount = held.amount.saturating_add(amount),
            None => self.held.push(Held { worker, window, amount }),
        }
        if let Some(lease) = self.lease_of(window) {
            lease.reserve(amount);
        }
    }

    /// Replaces a reservation of `reserved`, made in `window`, by what was `used`. The number of the lease that it counts for, if there
    /// is one.
    pub(super) fn settle(
        &mut self,
        limit: &Limit,
        worker: u64,
        window: u64,
        reserved: u128,
        used: u128,
    ) -> Option<u64> {
        let known = self.release(worker, window, reserved);
        let used_up = if matches!(limit.kind, Kind::Concurrency { .. }) { 0 } else { used };
        let lease = self.lease_of(window).map(|lease| {
            lease.settle(known, used_up);
            lease.held.since
        });
        match &limit.kind {
            Kind::Concurrency { .. } => {}
            Kind::Rate { .. } => {
                // What was given back already, because its worker seemed dead, is not given back twice.
                let unit = Self::unit(limit);
                self.settled = self.settled.saturating_add(used.saturating_mul(unit));
                self.settled = self.settled.saturating_sub(known.saturating_mul(unit));
            }
            Kind::Budget { amount, .. } => {
                if window == self.window {
                    self.settled = self.settled.saturating_add(used);
                } else if window == self.other.0 {
                    let before = self.other.1;
                    self.other.1 = before.saturating_add(used);
                    // A debt that only shows when its window is over is the next window's.
                    if window < self.window && !limit.soft {
                        let debt = self.other.1.saturating_sub(before.max(*amount));
                        self.settled = self.settled.saturating_add(debt);
                    }
                }
            }
        }
        lease
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

    /// Gives back everything that workers hold of which `is_live` says no. Whether there was anything.
    pub(super) fn forget(&mut self, limit: &Limit, is_live: impl Fn(u64) -> bool) -> bool {
        let dead: Vec<Held> = self.held.iter().filter(|held| !is_live(held.worker)).copied().collect();
        for Held { worker, window, amount } in &dead {
            self.settle(limit, *worker, *window, *amount, 0);
        }
        let before = self.pending.len();
        self.pending.retain(|pending| is_live(pending.worker));
        !dead.is_empty() || self.pending.len() < before
    }

    /// Adds to what was used, or takes from it: an operator's credit.
    pub(super) fn credit(&mut self, limit: &Limit, amount: u128) {
        self.settled = self.settled.saturating_sub(amount.saturating_mul(Self::unit(limit)));
    }

    /// Whether it says nothing that a new account would not say.
    pub(super) fn is_idle(&self, limit: &Limit) -> bool {
        let is_spent = match &limit.kind {
            Kind::Budget { .. } | Kind::Rate { .. } => self.settled > 0,
            Kind::Concurrency { .. } => false,
        };
        !is_spent && self.held.is_empty() && self.pending.is_empty() && self.leases.is_empty()
    }

    /// How much is taken, at the time to which it was [brought](Self::advance). Where control has told how much is left of the
    /// whole limit, that counts.
    pub(super) fn standing(&self, limit: &Limit, now: Instant) -> Standing {
        if let Some(standing) = self.shared_standing(limit, now) {
            return standing;
        }
        let unit = Self::unit(limit);
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
                let unit = Self::unit(limit);
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

    /// Writes it as bytes.
    pub(super) fn pack(&self, to: &mut Packed) {
        to.text(&self.subject);
        for number in [self.window.into(), self.settled, self.other.0.into(), self.other.1, self.at.into()] {
            to.number(number);
        }
        to.number(self.period.into());
        to.number(self.held.len() as u128);
        for Held { worker, window, amount } in &self.held {
            to.number((*worker).into());
            to.number((*window).into());
            to.number(*amount);
        }
        to.number(self.pending.len() as u128);
        for Pending { worker, serial, window, amount } in &self.pending {
            to.number((*worker).into());
            to.number((*serial).into());
            to.number((*window).into());
            to.number(*amount);
        }
        // As long as there was none, the cell is as it was before there were leases.
        if !self.leases.is_empty() || !self.unknown.is_empty() {
            to.number(self.leases.len() as u128);
            for lease in &self.leases {
                to.bytes(&lease.pack());
            }
        }
        to.rest(&self.unknown);
    }

    /// Reads what [`pack`](Self::pack) wrote.
    pub(super) fn unpack(from: &mut Unpacked<'_>) -> Option<Self> {
        let subject = from.text()?.to_string();
        let (window, settled) = (from.small()?, from.number()?);
        let other = (from.small()?, from.number()?);
        let (at, period) = (from.small()?, from.small()?);
        let count = from.small()?;
        let mut held = Vec::new();
        for _ in 0..count {
            held.push(Held { worker: from.small()?, window: from.small()?, amount: from.number()? });
        }
        let count = from.small()?;
        let mut pending = Vec::new();
        for _ in 0..count {
            let (worker, serial, window) = (from.small()?, from.small()?, from.small()?);
            pending.push(Pending { worker, serial, window, amount: from.number()? });
        }
        let mut leases = Vec::new();
        let count = if from.is_empty() { 0 } else { from.small()? };
        for _ in 0..count {
            leases.push(Lease::unpack(from.bytes()?)?);
        }
        Some(Self { subject, window, settled, other, at, period, held, pending, leases, unknown: from.rest().to_vec() })
    }
}

#[cfg(test)]
mod tests;
