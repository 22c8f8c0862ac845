//! By which terms an amount is admitted: by a lease where Envoys share a limit, else by what this Envoy has counted.

use core::time::Duration;

use super::lease::Lease;
use super::{Account, Pending, Standing};
use crate::quota::limit::{Alone, Kind, Limit};
use crate::time::Instant;

/// By which terms an amount is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::quota) enum Terms {
    /// This Envoy shares its limits with no other.
    Own,
    /// By what control has granted.
    Lease,
    /// Control is away, or does not know the limit: by what the limit says of that.
    Alone,
    /// Control has not answered in time, and nobody knows yet whether it is away: the same, for a small part of what is left.
    Silent,
}

/// Which part of what is left may be used while control is silent. Others may be using the rest.
const PART: u128 = 64;

/// How long what control has told of a limit that is spent is believed without asking again.
const BELIEVED: Duration = Duration::from_secs(1);

/// Something may flow back at any time.
const SOON: u64 = 1000;

impl Account {
    /// The lease of a window, if there is one.
    pub(super) fn lease_of(&mut self, window: u64) -> Option<&mut Lease> {
        self.leases.iter_mut().find(|lease| lease.window == window)
    }

    /// The lease of a window, which holds nothing if it is new.
    pub(in crate::quota) fn leased(&mut self, window: u64, now: Instant) -> &mut Lease {
        let at = self.leases.iter().position(|lease| lease.window == window).unwrap_or_else(|| {
            self.leases.push(Lease::new(window, now));
            self.leases.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or added above")]
        &mut self.leases[at]
    }

    /// The lease of the window to which the account was [brought](Self::advance).
    fn lease(&self) -> Option<&Lease> {
        self.leases.iter().find(|lease| lease.window == self.window)
    }

    /// Whether `amount` more can be taken now, by these terms, beside what is pending of the admissions that `counts` wants counted.
    pub(in crate::quota) fn fits(
        &self,
        limit: &Limit,
        amount: u128,
        terms: Terms,
        now: Instant,
        counts: impl Fn(&Pending) -> bool,
    ) -> bool {
        if terms == Terms::Own || limit.soft {
            return self.has_room(limit, amount, counts);
        }
        let pending = self.pending.iter().filter(|pending| counts(pending));
        let sum = pending.fold(amount, |sum, pending| sum.saturating_add(pending.amount));
        let lease = self.lease();
        if lease.is_some_and(|lease| lease.covers(sum, now)) {
            return true;
        }
        if terms == Terms::Lease || limit.alone == Alone::Closed {
            return false;
        }
        if terms == Terms::Silent {
            let left = lease.filter(|lease| lease.is_known()).map_or_else(|| limit.most(), Lease::left);
            let debt = lease.map_or(0, |lease| lease.held.debt());
            return sum.saturating_add(debt).saturating_mul(PART) <= left && self.has_room(limit, amount, counts);
        }
        let is_budget = matches!(limit.kind, Kind::Budget { .. });
        match lease.filter(|lease| is_budget && lease.is_known()) {
            // What was granted of a budget is given to nobody else. Beyond it, what was left when control was there.
            Some(lease) => sum <= lease.held.free() || (sum <= lease.left() && self.has_room(limit, amount, counts)),
            None => self.has_room(limit, amount, counts),
        }
    }

    /// Whether control does not know the limit, so that it holds within this Envoy alone.
    pub(in crate::quota) fn is_unshared(&self, now: Instant) -> bool {
        self.lease().is_some_and(|lease| lease.is_unshared(now))
    }

    /// Whether control has told not long ago that an amount is not there, and will not be soon.
    pub(in crate::quota) fn is_spent(&self, limit: &Limit, amount: u128, now: Instant) -> bool {
        let Some(lease) = self.lease().filter(|lease| lease.is_known()) else { return false };
        let told = lease.held.told();
        if now < told || now - told > BELIEVED {
            return false;
        }
        let refilled = match &limit.kind {
            Kind::Rate { amount, period, .. } => {
                let passed = (now - told).as_nanos().saturating_mul(u128::from(*amount));
                passed.div_ceil(u128::from((*period).max(1)))
            }
            Kind::Budget { .. } => 0,
            Kind::Concurrency { .. } => return false,
        };
        amount > lease.held.unspent.saturating_add(refilled)
    }

    /// Whether control, when it last answered, had nothing left for this amount that it could have granted.
    pub(in crate::quota) fn is_refused(&self, amount: u128, now: Instant) -> bool {
        self.lease().is_some_and(|lease| lease.held.is_valid(now) && lease.left() < amount)
    }

    /// When an amount that the lease does not cover may be there, in milliseconds after `now`, as far as control has told. `None`
    /// if never.
    pub(in crate::quota) fn wait_by_lease(&self, limit: &Limit, amount: u128, now: Instant) -> Option<u64> {
        if amount > limit.most() {
            return None;
        }
        let Some(lease) = self.lease().filter(|lease| lease.is_known()) else { return Some(SOON) };
        let lacks = amount.saturating_sub(lease.held.unspent);
        match &limit.kind {
            _ if lacks == 0 => Some(SOON),
            Kind::Concurrency { .. } => Some(SOON),
            Kind::Budget { .. } => {
                let reset = lease.held.reset;
                let wait = reset.as_millis().saturating_sub(now.as_millis()).max(1);
                (reset != Instant::default()).then_some(wait)
            }
            Kind::Rate { amount: refill, period, .. } => {
                let nanos = lacks.saturating_mul(u128::from(*period)).div_ceil(u128::from((*refill).max(1)));
                Some(u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX).max(1))
            }
        }
    }

    /// How the whole limit stands, as far as control has told.
    pub(super) fn shared_standing(&self, limit: &Limit, now: Instant) -> Option<Standing> {
        let lease = self.lease().filter(|lease| lease.is_known())?;
        let amount = limit.most();
        let reset = match &limit.kind {
            Kind::Concurrency { .. } => None,
            Kind::Budget { windows, .. } => windows.at(now).end,
            Kind::Rate { .. } => Some(lease.held.reset.as_millis().max(now.as_millis())),
        };
        Some(Standing { amount, settled: amount.saturating_sub(lease.left()), held: 0, reset })
    }
}
