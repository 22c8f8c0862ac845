//! What control has granted of an account to this Envoy: a lease for each window in which something is counted.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::pack::{Packed, Unpacked};
use crate::lease::{self, Grant, Held, State};
use crate::shared::Cell;
use crate::time::Instant;

/// How long an account may be unused before its lease is given back.
const IDLE: Duration = Duration::from_secs(10);

/// How long control is not asked again for an account of a limit that it does not know.
const UNSHARED: Duration = Duration::from_secs(1);

/// The lease of one window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::quota) struct Lease {
    /// The start of its window in milliseconds since the Unix epoch, or 0.
    pub(in crate::quota) window: u64,
    /// What is granted, reserved and used up.
    pub(in crate::quota) held: Held,
    /// What was used up and reserved when control told how much is left.
    basis: u128,
    /// What somebody wants that could not wait for an answer, and the smallest such amount.
    wanted: (u128, u128),
    /// Whether anything was reserved or settled that no report has told.
    changed: bool,
    /// Whether it was given back. It is forgotten when control knows.
    ending: bool,
    /// When a report last told of a change.
    used: Instant,
    /// When control last answered without a word of this account, because it does not know the limit; zero if it knows it.
    unshared: Instant,
    /// Additions by another version of Weir.
    unknown: Vec<u8>,
}

/// What a report says of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::quota) struct Told {
    /// What control is told.
    pub(in crate::quota) state: State,
    /// The lease's window.
    pub(in crate::quota) window: u64,
}

impl Told {
    /// Whether a grant is one of this account. An older control says no unit.
    pub(in crate::quota) fn is_met_by(&self, grant: &Grant) -> bool {
        grant.account == self.state.account && (grant.unit == 0 || grant.unit == self.state.unit)
    }
}

impl Lease {
    /// One that holds nothing yet.
    pub(super) fn new(window: u64, now: Instant) -> Self {
        Self { window, held: Held::new(now.as_nanos()), used: now, ..Self::default() }
    }

    /// Whether an amount is free by it now.
    pub(super) fn covers(&self, amount: u128, now: Instant) -> bool {
        self.held.is_valid(now) && amount <= self.held.free()
    }

    /// Notes a reservation. Whether it is covered was asked before.
    pub(super) fn reserve(&mut self, amount: u128) {
        self.held.reserve_uncovered(amount);
        (self.changed, self.ending) = (true, false);
    }

    /// Ends a reservation.
    pub(super) fn settle(&mut self, reserved: u128, used: u128) {
        self.held.settle(reserved, used);
        (self.changed, self.ending) = (true, false);
    }

    /// Notes that so much more is wanted than is free.
    pub(in crate::quota) fn want(&mut self, amount: u128) {
        self.wanted.0 = self.wanted.0.saturating_add(amount);
        self.wanted.1 = if self.wanted.1 == 0 { amount } else { self.wanted.1.min(amount) };
    }

    /// The same for an amount that may be wanted soon, if nothing is wanted yet. Whether it was noted.
    pub(in crate::quota) fn foresee(&mut self, amount: u128) -> bool {
        let notes = self.wanted.0 == 0;
        if notes {
            self.want(amount);
        }
        notes
    }

    /// Whether control has ever answered.
    pub(super) fn is_known(&self) -> bool {
        self.held.told() != Instant::default()
    }

    /// Whether control has told not long ago that it does not know the limit. It may follow another configuration, or not have
    /// read the new one yet.
    pub(super) fn is_unshared(&self, now: Instant) -> bool {
        self.unshared != Instant::default() && self.unshared <= now && now - self.unshared < UNSHARED
    }

    fn taken(&self) -> u128 {
        self.held.settled.saturating_add(self.held.reserved)
    }

    /// What is left of the whole limit, by what control told and what was taken here since.
    pub(super) fn left(&self) -> u128 {
        let (left, taken) = (self.held.left.saturating_add(self.basis), self.taken());
        left.saturating_sub(taken)
    }

    /// What a worker's report says, while requests wait for `wanted` in sum and for `least` at least. What is pending is not given
    /// back.
    pub(in crate::quota) fn ask(
        &mut self,
        account: lease::Account,
        (wanted, least): (u128, u128),
        pending: u128,
        now: Instant,
    ) -> Told {
        self.ending = false;
        self.held.give_back(wanted.saturating_add(pending));
        self.tell(account, (wanted, least), now)
    }

    /// What the steward's report says, if there is anything to say. `is_over` says that nobody reserves in it any more; what is
    /// pending is not given back. Whether it was changed.
    pub(in crate::quota) fn report(
        &mut self,
        account: lease::Account,
        is_over: bool,
        pending: u128,
        now: Instant,
    ) -> (bool, Option<Told>) {
        let idle = !self.changed && self.wanted.0 == 0 && now - self.used >= IDLE;
        let ends = self.held.reserved == 0 && pending == 0 && (is_over || idle);
        if ends && !self.ending {
            self.end();
        }
        if is_over {
            self.held.keep = 0;
        }
        let awaited = self.held.is_awaited();
        let wanted = self.wanted;
        let back = self.held.give_back(wanted.0.saturating_add(pending));
        let writes = ends || self.changed || back > 0 || wanted.0 > 0;
        let tells = writes || awaited || self.ending || self.held.is_due(now);
        (writes, tells.then(|| self.tell(account, wanted, now)))
    }

    /// Gives everything back that is free: nobody will reserve in it any more, unless somebody does.
    pub(in crate::quota) fn end(&mut self) {
        self.held.end();
        self.ending = true;
    }

    fn tell(&mut self, account: lease::Account, (wanted, least): (u128, u128), now: Instant) -> Told {
        if self.changed {
            self.used = now;
        }
        (self.changed, self.wanted) = (false, (0, 0));
        let state = State { ending: self.ending, ..self.held.state(account, wanted, least) };
        Told { state, window: self.window }
    }

    /// Takes control's answer to what was told. Whether the lease is to be forgotten: control knows that it was given back.
    pub(in crate::quota) fn answered(
        &mut self,
        told: &Told,
        grant: Option<&Grant>,
        (epoch, sequence): (u64, u64),
        sent: Instant,
        now: Instant,
    ) -> bool {
        if told.state.ending && self.ending {
            return true;
        }
        match grant {
            Some(grant) => {
                self.held.take(grant, epoch, sequence, sent, now);
                self.basis = told.state.settled.saturating_add(told.state.reserved);
                self.unshared = Instant::default();
            }
            None => self.unshared = now,
        }
        false
    }

    /// Writes it as bytes.
    pub(super) fn pack(&self) -> Vec<u8> {
        let mut to = Packed::default();
        to.number(self.window.into());
        to.bytes(&self.held.write());
        for number in [self.basis, self.wanted.0, self.wanted.1, u128::from(self.changed), u128::from(self.ending)] {
            to.number(number);
        }
        to.number(self.used.as_nanos().into());
        to.number(self.unshared.as_nanos().into());
        to.rest(&self.unknown);
        to.end()
    }

    /// Reads what [`pack`](Self::pack) wrote.
    pub(super) fn unpack(bytes: &[u8]) -> Option<Self> {
        let mut from = Unpacked::of(bytes);
        Some(Self {
            window: from.small()?,
            held: Held::read(from.bytes()?)?,
            basis: from.number()?,
            wanted: (from.number()?, from.number()?),
            changed: from.number()? != 0,
            ending: from.number()? != 0,
            used: Instant::from_nanos(from.small()?),
            // An earlier version ends here.
            unshared: Instant::from_nanos(from.small().unwrap_or_default()),
            unknown: from.rest().to_vec(),
        })
    }
}

/// How control names an account. Values without an account of their own share one in each bucket.
pub(in crate::quota) fn account(limit: &str, subject: &str, bucket: Option<u32>, window_ms: u64) -> lease::Account {
    let subject = match bucket {
        Some(number) if subject.is_empty() => ["(shared ", itoa::Buffer::new().format(number), ")"].concat(),
        // No value looks like that.
        _ if subject.starts_with('(') && subject.trim_start_matches('(').starts_with("shared ") => {
            ["(", subject].concat()
        }
        _ => String::from(subject),
    };
    lease::Account { limit: String::from(limit), subject, window_ms }
}
