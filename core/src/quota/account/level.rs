//! The level of a rate: what was taken and has not drained yet.
//!
//! A reservation that ends gives back only what is still in the level of it: not what has drained since it was made. Otherwise
//! several that end later would take others' parts out of the level, and let several bursts pass at once. How much has drained is
//! counted, so neither a new amount nor a step of the clock matters.

use super::{Account, SKEW};
use crate::quota::limit::{Kind, Limit};

/// How much of a rate's level had drained at some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::quota) struct Drained {
    /// The rate's period then, in nanoseconds; 0 where no rate was meant.
    period: u64,
    /// How much since the account began, in units times the period.
    sum: u128,
}

impl Account {
    /// How much of its level has drained.
    pub(in crate::quota) fn drained(&self) -> Drained {
        Drained { period: self.period, sum: self.drained }
    }

    /// Lets the level drain until `now`, in nanoseconds since the Unix epoch.
    pub(super) fn refill(&mut self, amount: u64, period: u64, now: u64) {
        let period = period.max(1);
        if self.period == 0 {
            (self.period, self.at) = (period, now);
        } else if self.period != period {
            // The configuration has changed: the level stays the same number of units.
            let same = |number: u128| number.div_ceil(u128::from(self.period)).saturating_mul(u128::from(period));
            (self.settled, self.drained) = (same(self.settled), same(self.drained));
            self.period = period;
        }
        match now.checked_sub(self.at) {
            Some(passed) => {
                let drains = u128::from(amount).saturating_mul(u128::from(passed)).min(self.settled);
                self.settled -= drains;
                self.drained = self.drained.saturating_add(drains);
                self.at = now;
            }
            None if self.at - now > SKEW * 1_000_000 => self.at = now,
            None => {}
        }
    }

    /// Ends a reservation, of which so much is `known` of what was `reserved`: gives back what was not used and is still in the
    /// level, or adds what was used beyond it. What is used up of it, in the limit's unit.
    pub(super) fn return_to_level(
        &mut self,
        limit: &Limit,
        drained: Drained,
        (known, reserved): (u128, u128),
        used: u128,
    ) -> u128 {
        let Kind::Rate { period, .. } = &limit.kind else { return used };
        let unit = u128::from(if self.period == 0 { *period } else { self.period }.max(1));
        if used >= reserved {
            self.settled = self.settled.saturating_add((used - reserved).saturating_mul(unit));
            return used;
        }
        let since = self.drained.checked_sub(drained.sum).filter(|_| drained.period == self.period);
        let there = since.map_or(0, |since| reserved.saturating_mul(unit).saturating_sub(since));
        let back = there.min(known.saturating_sub(used).saturating_mul(unit));
        self.settled = self.settled.saturating_sub(back);
        known.max(used).saturating_sub(back / unit)
    }
}
