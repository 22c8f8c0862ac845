//! One start of an Envoy that holds a part of an account.

use alloc::string::String;

use super::super::{BELIEVED, Ended, Report, Resolved, State};
use crate::time::Instant;

/// One start of an Envoy, for one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) node: String,
    pub(super) start: u64,
    pub(super) since: u64,
    /// The newest report that was taken.
    pub(super) sequence: u64,
    pub(super) version: u64,
    pub(super) granted: u128,
    pub(super) settled: u128,
    pub(super) reserved: u128,
    /// What was settled when this was first heard of in this epoch, and when that was.
    pub(super) first: (u128, Instant),
    /// What it uses up in a second, of late.
    pub(super) pace: u128,
    /// What it had taken when that was last measured, and when that was.
    pub(super) paced: (u128, Instant),
    /// When it was first heard of.
    pub(super) born: Instant,
    /// When it was last heard of.
    pub(super) seen: Instant,
    /// Until when it may admit requests by its lease.
    pub(super) until: Instant,
    pub(super) phase: Phase,
    /// Whether the ledger has said what was used up of it, and has booked the rest as lost.
    pub(super) booked: bool,
}

/// Where a start is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Live,
    /// Its last report has come. What it held then is all that it had not used up.
    Ended,
    /// It was not heard of until its lease had expired.
    Silent,
}

/// What a report has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// What has flowed back.
    pub(super) returned: u128,
    /// What is free by a lease of an earlier epoch.
    pub(super) adopted: u128,
    /// What was used up or reserved beyond what was granted.
    pub(super) debt: u128,
}

impl Holder {
    /// One that was not known until now.
    pub(super) fn new(report: &Report, state: &State, now: Instant) -> Self {
        Self {
            node: report.node.clone(),
            start: report.start,
            since: state.since,
            sequence: 0,
            version: 0,
            granted: 0,
            settled: 0,
            reserved: 0,
            first: (state.settled, now),
            pace: 0,
            paced: (state.settled.saturating_add(state.reserved), now),
            born: now,
            seen: now,
            until: now,
            phase: Phase::Live,
            booked: false,
        }
    }

    pub(super) fn is(&self, report: &Report, state: &State) -> bool {
        self.start == report.start && self.since == state.since && self.node == report.node
    }

    /// Whether its process has taken the place of another's. A report of an earlier start can come late, but not as late as that.
    pub(super) fn has_followed(&self, other: &Self) -> bool {
        let is_next = self.node == other.node && self.start != other.start && self.born >= other.seen;
        is_next && self.seen >= self.born.after(BELIEVED)
    }

    pub(super) fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    pub(super) fn taken(&self) -> u128 {
        self.settled.saturating_add(self.reserved)
    }

    /// What it can still reserve.
    pub(super) fn free(&self) -> u128 {
        self.granted.saturating_sub(self.taken())
    }

    /// What it holds and has not used up.
    pub(super) fn held(&self) -> u128 {
        self.granted.saturating_sub(self.settled)
    }

    /// Whether the ledger may know more of it.
    pub(super) fn is_unresolved(&self) -> bool {
        !self.booked && (self.phase == Phase::Silent || self.phase == Phase::Ended && self.held() > 0)
    }

    /// What is known of it when it has ended.
    pub(super) fn ended(&self) -> Ended {
        let held = Resolved { settled: self.settled, lost: self.held() };
        Ended { node: self.node.clone(), start: self.start, lease: self.since, held }
    }

    pub(super) fn grant(&mut self, more: u128) {
        self.granted = self.granted.saturating_add(more);
        self.version = self.version.saturating_add(1);
    }

    /// Takes everything back but what is in use.
    pub(super) fn shrink(&mut self, state: &State) {
        self.granted = self.settled.max(state.settled).saturating_add(state.reserved);
        self.version = self.version.saturating_add(1);
    }

    /// Takes a newer report in.
    pub(super) fn update(
        &mut self,
        report: &Report,
        state: &State,
        epoch: u64,
        refilling: bool,
        now: Instant,
    ) -> Changed {
        let mut changed = Changed::default();
        (self.sequence, self.seen) = (report.sequence, now);
        self.settled = self.settled.max(state.settled);
        self.reserved = state.reserved;
        if state.epoch != epoch && state.granted > 0 {
            // Its lease is one of a store that has lost it. While such leases last, it counts as the Envoy says. Later it has
            // expired, and only what is in use still counts.
            let held = if refilling { state.granted } else { 0 };
            let before = self.free();
            let granted = self.granted.max(held).max(self.taken());
            if granted > self.granted || self.version == 0 {
                (self.granted, self.version) = (granted, self.version.saturating_add(1));
            }
            changed.adopted = self.free().saturating_sub(before);
        } else if state.version == self.version && state.epoch == epoch {
            changed.returned = self.granted.saturating_sub(state.granted.max(self.taken()));
            self.granted -= changed.returned;
        }
        changed.debt = self.taken().saturating_sub(self.granted);
        if changed.debt > 0 {
            self.grant(changed.debt);
        }
        self.measure(now);
        changed
    }

    /// Ends by agreement: what is free flows back.
    pub(super) fn end(&mut self) -> u128 {
        let returned = self.free();
        self.granted -= returned;
        self.phase = Phase::Ended;
        returned
    }

    /// It was not heard of until its lease had expired.
    pub(super) fn fall_silent(&mut self) {
        (self.phase, self.booked) = (Phase::Silent, false);
    }

    /// Books what the ledger says. By how much more was used up than it was granted.
    pub(super) fn resolve(&mut self, resolved: Resolved) -> u128 {
        let before = self.granted;
        self.settled = resolved.settled;
        self.reserved = resolved.lost;
        self.granted = self.taken();
        (self.phase, self.booked) = (Phase::Ended, true);
        self.granted.saturating_sub(before)
    }

    /// Measures the pace: it rises at once and falls slowly.
    fn measure(&mut self, now: Instant) {
        let (before, at) = self.paced;
        let passed = now.as_millis().saturating_sub(at.as_millis());
        if passed < 100 {
            return;
        }
        let pace = self.taken().saturating_sub(before).saturating_mul(1000) / u128::from(passed);
        self.pace = if pace >= self.pace { pace } else { self.pace.midpoint(pace) };
        self.paced = (self.taken(), now);
    }
}
