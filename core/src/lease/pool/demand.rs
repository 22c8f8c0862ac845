//! How much one Envoy should hold.

use super::super::{Report, Rule, State};
use super::holder::{Holder, Phase};
use super::{Exchange, Pool, credited, unsigned};
use crate::time::Instant;

/// For how many seconds at its pace an Envoy should have something free.
const AHEAD: u128 = 2;
/// How many times what waits an Envoy gets, where there is plenty.
const PLENTY: u128 = 8;
/// An Envoy keeps something free only if that is this many requests. Near the end of a budget, what is free at one Envoy would be
/// refused at another.
const WORTH: u128 = 4;

impl Pool {
    /// The holder that sends this report. One that was not known becomes so.
    pub(super) fn holder(&mut self, rule: &Rule, exchange: &Exchange<'_>, now: Instant) -> usize {
        let Exchange { report, state, .. } = *exchange;
        let Some(index) = self.holders.iter().position(|holder| holder.is(report, state)) else {
            self.holders.push(Holder::new(report, state, now));
            return self.holders.len() - 1;
        };
        self.revive(index, rule, report, state);
        index
    }

    /// Somebody who had fallen silent is there again.
    fn revive(&mut self, index: usize, rule: &Rule, report: &Report, state: &State) {
        let Some(holder) = self.holders.get_mut(index) else { return };
        let is_back = report.sequence > holder.sequence && !report.ending && !state.ending;
        if holder.is_live() || !is_back {
            return;
        }
        if holder.phase == Phase::Silent && !matches!(rule, Rule::Budget { .. }) {
            // What was free there has been given to others since. Its lease has expired, so it cannot be using it.
            holder.shrink(state);
        }
        holder.phase = Phase::Live;
    }

    /// How much a holder should have free.
    pub(super) fn target(&self, rule: &Rule, index: usize, state: &State, now: Instant) -> u128 {
        let Some(holder) = self.holders.get(index) else { return 0 };
        let free = holder.free();
        let unleased = match *rule {
            Rule::Budget { amount, .. } => credited(amount, self.credit).saturating_sub(self.committed(rule)),
            Rule::Concurrency { amount, .. } => amount.saturating_sub(self.committed(rule)),
            Rule::Rate { .. } => unsigned(self.level),
        };
        let could = unleased.saturating_add(free);
        let live = self.holders.iter().filter(|other| other.is_live() && other.until > now);
        let live = u128::try_from(live.count()).unwrap_or(u128::MAX).max(1);
        let share = could / live.saturating_mul(2);
        let demand = holder.pace.saturating_mul(AHEAD).max(state.wanted.saturating_mul(PLENTY)).min(share);
        let demand = if demand < self.least.saturating_mul(WORTH) { 0 } else { demand };
        let waits = state.wanted.min(could);
        let waits = if waits < state.least { 0 } else { waits };
        demand.max(waits)
    }
}
