//! An Envoy's side of a lease.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Account, Grant, State};
use crate::shared::{Cell, Count, Fields, Reader};
use crate::time::Instant;

/// What one Envoy holds of an account.
///
/// Its workers share it as one cell, and each method is one change of that cell. Nothing here may be kept apart from the
/// rest: what is given back must be free in the same moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// When it began to count, by whatever number this start never uses twice: the time will do.
    pub since: u64,
    /// The epoch of the last grant that was taken.
    pub epoch: u64,
    /// The version of that grant.
    pub version: u64,
    /// What may be used up in all since this start.
    pub granted: u128,
    /// What was used up since this start.
    pub settled: u128,
    /// What is reserved.
    pub reserved: u128,
    /// How much may stay free.
    pub keep: u128,
    /// What is left of the whole limit, as far as control knew.
    pub left: u128,
    /// What is not used up of the whole limit, as far as control knew.
    pub unspent: u128,
    /// When the limit is whole again; zero if never.
    pub reset: Instant,
    /// The sequence number of the report that renewed the lease.
    sequence: u64,
    /// When that report was sent.
    from: Instant,
    /// When the lease ends.
    until: Instant,
    /// The fields of a later version.
    unknown: Vec<u8>,
}

/// Why nothing can be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacks {
    /// The lease has expired, or there has been none yet.
    Lease,
    /// So much more would have to be free.
    Amount(u128),
}

impl Held {
    /// One that holds nothing yet.
    pub fn new(since: u64) -> Self {
        Self { since, ..Self::default() }
    }

    /// Whether the lease lasts. If the clock was set back to before it was asked for, nobody knows.
    pub fn is_valid(&self, now: Instant) -> bool {
        self.from <= now && now < self.until
    }

    /// When the report was sent whose answer told what is [left](Self::left); zero if there was none.
    pub fn told(&self) -> Instant {
        self.from
    }

    /// What is neither used up nor reserved, whether the lease lasts or not.
    pub fn free(&self) -> u128 {
        self.granted.saturating_sub(self.taken())
    }

    /// By how much more is used up and reserved than was granted.
    pub fn debt(&self) -> u128 {
        self.taken().saturating_sub(self.granted)
    }

    fn taken(&self) -> u128 {
        self.settled.saturating_add(self.reserved)
    }

    /// Reserves an amount.
    pub fn reserve(&mut self, amount: u128, now: Instant) -> Result<(), Lacks> {
        if !self.is_valid(now) {
            return Err(Lacks::Lease);
        }
        if let Some(lacking) = amount.checked_sub(self.free()).filter(|lacking| *lacking > 0) {
            return Err(Lacks::Amount(lacking.saturating_add(self.debt())));
        }
        self.reserved = self.reserved.saturating_add(amount);
        Ok(())
    }

    /// Reserves an amount that the lease does not cover, for a limit that stays open while control is away. What is over is a
    /// debt, and control takes it first.
    pub fn reserve_uncovered(&mut self, amount: u128) {
        self.reserved = self.reserved.saturating_add(amount);
    }

    /// Ends a reservation: `used` of it, or more than it, was used up.
    pub fn settle(&mut self, reserved: u128, used: u128) {
        self.reserved = self.reserved.saturating_sub(reserved);
        self.settled = self.settled.saturating_add(used);
    }

    /// Takes a grant from the answer to the report with this sequence number, which was sent at `sent`. An answer that comes
    /// later than its lease lasts changes nothing.
    pub fn take(&mut self, grant: &Grant, epoch: u64, sequence: u64, sent: Instant, now: Instant) {
        let until = sent.after(Duration::from_millis(grant.expires_ms));
        if now < sent || until <= now || (epoch, grant.version) < (self.epoch, self.version) {
            return;
        }
        if (epoch, grant.version) > (self.epoch, self.version) {
            (self.epoch, self.version, self.granted) = (epoch, grant.version, grant.granted);
        }
        if sequence > self.sequence {
            (self.sequence, self.from, self.until) = (sequence, sent, until);
            (self.keep, self.left, self.unspent) = (grant.keep, grant.left, grant.unspent);
            let reset = Duration::from_millis(grant.reset_ms);
            self.reset = if grant.reset_ms == 0 { Instant::default() } else { now.after(reset) };
        }
    }

    /// Gives back what is free beyond what [may stay free](Self::keep) and beyond `wanted`. The next reports tell control.
    pub fn give_back(&mut self, wanted: u128) -> u128 {
        let back = self.free().saturating_sub(self.keep.max(wanted));
        self.granted = self.granted.saturating_sub(back);
        back
    }

    /// Gives back everything that is free, because nothing will be admitted any more.
    pub fn end(&mut self) {
        self.granted = self.granted.saturating_sub(self.free());
        self.until = Instant::default();
    }

    /// Whether the next report should not wait for its turn: something is free that others may wait for.
    pub fn is_awaited(&self) -> bool {
        self.keep == 0 && self.free() > 0
    }

    /// Whether a report should renew the lease, because half of it is over.
    pub fn is_due(&self, now: Instant) -> bool {
        let lasts = self.until.as_nanos().saturating_sub(self.from.as_nanos());
        let since = now.as_nanos().checked_sub(self.from.as_nanos());
        since.is_none_or(|since| since >= lasts / 2)
    }

    /// What a report says of it. `wanted` is the sum of the requests that wait, `least` the smallest of them.
    pub fn state(&self, account: Account, wanted: u128, least: u128) -> State {
        let Self { since, epoch, version, granted, settled, reserved, .. } = *self;
        State { account, since, settled, reserved, granted, version, epoch, wanted, least, ..State::default() }
    }
}

/// The layout of its cell.
const LAYOUT: u8 = 1;

impl Cell for Held {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Reader::of(LAYOUT, bytes)?;
        let mut held = Self {
            since: fields.number()?,
            epoch: fields.number()?,
            version: fields.number()?,
            granted: fields.amount()?,
            settled: fields.amount()?,
            reserved: fields.amount()?,
            keep: fields.amount()?,
            left: fields.amount()?,
            unspent: fields.amount()?,
            reset: Instant::from_nanos(fields.number()?),
            sequence: fields.number()?,
            from: Instant::from_nanos(fields.number()?),
            until: Instant::from_nanos(fields.number()?),
            unknown: Vec::new(),
        };
        held.unknown = fields.unknown().to_vec();
        Some(held)
    }

    fn write(&self) -> Vec<u8> {
        let fields = Fields::of(LAYOUT).number(self.since).number(self.epoch).number(self.version);
        let fields = [self.granted, self.settled, self.reserved, self.keep, self.left, self.unspent]
            .into_iter()
            .fold(fields, Fields::amount);
        let times = [self.reset.as_nanos(), self.sequence, self.from.as_nanos(), self.until.as_nanos()];
        times.into_iter().fold(fields, Fields::number).end_with(&self.unknown)
    }
}

impl Count for Held {}
