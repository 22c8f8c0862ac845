//! The windows of a budget as they turn, and the debts that go from one to the next.
//!
//! A debt is what was used beyond what was reserved *and* beyond the amount that was in force then. So a smaller amount, or shorter
//! windows, make no debt of what was allowed when it was used.

use core::time::Duration;

use super::{Account, SKEW};
use crate::quota::window::{Window, Windows};
use crate::time::Instant;

/// The debts of the two windows of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Debts {
    /// By how much the sum of what is used and reserved is over the amount, because of answers that cost more than they had reserved.
    pub(super) own: u128,
    /// The same, of the other window.
    pub(super) other: u128,
    /// What of the earlier window's debt the later one has taken over.
    pub(super) moved: u128,
    /// Whether the later window is a part of the earlier one, so that it counts in both: the configuration has longer windows now.
    pub(super) nested: bool,
}

impl Account {
    /// Begins the window that `now` is in.
    pub(super) fn turn(&mut self, amount: u128, windows: &Windows, now: Instant) -> Window {
        let window = windows.at(now);
        // A worker whose clock is a little behind is not in the window before.
        let millis = now.as_millis();
        let is_behind = millis < self.window && self.window - millis <= SKEW;
        if window.start == self.window || is_behind {
            return Window { start: self.window, ..window };
        }
        let (before, debts) = ((self.window, self.settled), self.debts);
        let is_known = self.other.0 == window.start;
        // The configuration has longer windows now: this one has what was spent in the shorter one.
        let is_longer = window.start < self.window && self.window <= millis;
        self.settled = match (is_known, is_longer) {
            (false, true) => self.settled,
            (false, false) => 0,
            (true, true) if !debts.nested => self.other.1.saturating_add(self.settled).saturating_sub(debts.moved),
            // Back from shorter windows, or a clock that was stepped back finds the window that it left.
            (true, _) => self.other.1,
        };
        self.debts = match (is_known, is_longer) {
            (false, true) => Debts { own: debts.own, other: debts.own, moved: 0, nested: true },
            (false, false) => Debts { other: debts.own, ..Debts::default() },
            (true, true) => Debts { own: debts.other.max(debts.own), other: debts.own, moved: 0, nested: true },
            (true, false) => Debts { own: debts.other, other: debts.own, ..debts },
        };
        if !is_known && windows.at(starting(before.0)).end.is_some_and(|end| end < window.start) {
            // Windows in which nothing was used have paid.
            self.debts.other = self.debts.other.saturating_sub(amount);
        }
        (self.window, self.other) = (window.start, before);
        self.carry(amount);
        window
    }

    /// Books what a request has used that was admitted in `window`, of which so much was reserved.
    pub(super) fn spend(&mut self, amount: u128, window: u64, reserved: u128, used: u128) {
        let is_later = self.other.0 > self.window;
        if window == self.window || (self.debts.nested && is_later && window == self.other.0) {
            self.settled = self.settled.saturating_add(used);
            let taken = self.settled.saturating_add(self.held_now());
            self.debts.own = grown(self.debts.own, amount, taken, reserved, used);
        }
        if window == self.other.0 || (self.debts.nested && !is_later && window == self.window) {
            self.other.1 = self.other.1.saturating_add(used);
            let taken = self.other.1.saturating_add(self.held_in(self.other.0));
            self.debts.other = grown(self.debts.other, amount, taken, reserved, used);
        }
        self.carry(amount);
    }

    /// Takes over the debt of the window before, also what shows only now.
    fn carry(&mut self, amount: u128) {
        if self.other.0 >= self.window || self.debts.nested {
            return;
        }
        let owed = self.debts.other.min(self.other.1.saturating_sub(amount));
        if let Some(more) = owed.checked_sub(self.debts.moved) {
            self.settled = self.settled.saturating_add(more);
            let taken = self.settled.saturating_add(self.held_now());
            self.debts.own = grown(self.debts.own, amount, taken, 0, more);
        } else {
            let less = self.debts.moved - owed;
            self.settled = self.settled.saturating_sub(less);
            self.debts.own = self.debts.own.saturating_sub(less);
        }
        self.debts.moved = owed;
    }

    /// What is reserved in the window that is now.
    pub(super) fn held_now(&self) -> u128 {
        let nested = if self.debts.nested && self.other.0 > self.window { self.held_in(self.other.0) } else { 0 };
        self.held_in(self.window).saturating_add(nested)
    }

    fn held_in(&self, window: u64) -> u128 {
        self.held.iter().filter(|held| held.window == window).fold(0, |sum, held| sum.saturating_add(held.amount))
    }
}

fn starting(window: u64) -> Instant {
    Instant::default().after(Duration::from_millis(window))
}

/// What a debt is after `reserved` became `used`, so that so much is `taken` now.
fn grown(debt: u128, amount: u128, taken: u128, reserved: u128, used: u128) -> u128 {
    if used <= reserved {
        return debt.saturating_sub(reserved - used);
    }
    let before = taken.saturating_sub(used - reserved);
    debt.saturating_add(taken.saturating_sub(amount.max(before)))
}
