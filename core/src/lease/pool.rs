//! Control's side of a lease: who holds how much of one account.

mod cell;
mod debt;
mod demand;
mod holder;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{BELIEVED, Grant, LEASE, Report, Rule, State};
use crate::time::Instant;
use holder::{Holder, Phase};

/// The most starts that have ended and are remembered one by one. Older ones become a sum.
const REMEMBERED: usize = 256;

/// How far the clocks of processes that share a store may differ. A time earlier by more than this is a clock that was set back.
const CLOCKS_DIFFER: Duration = Duration::from_secs(2);

/// One account, as control keeps it.
///
/// For a budget and for concurrency, what all holders hold never sums to more than the rule allows, but for debts. For a
/// rate, what is granted leaves a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// The epoch of the store when this was created.
    epoch: u64,
    /// What an operator has added to a budget.
    credit: i128,
    /// What starts used up that are not remembered one by one.
    settled: u128,
    /// What such starts held when they ended, and nobody knows whether it was used up.
    lost: u128,
    /// How much more was used up and reserved than was granted, in sum.
    debts: u128,
    /// A rate's bucket, at `filled`. Below zero after debts.
    level: i128,
    filled: Instant,
    /// A request of less than this has not been seen of late.
    least: u128,
    /// Whether everything that was spent before is booked: the store was new, or the ledger was asked.
    is_whole: bool,
    /// By how much the sum of what is spent and granted is over a budget's amount, because of debts.
    over: u128,
    /// What of that of the window before has been taken over.
    carried: u128,
    holders: Vec<Holder>,
    /// The fields of a later version.
    unknown: Vec<u8>,
}

/// One account of one report.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// How much there is.
    pub rule: &'a Rule,
    /// The report.
    pub report: &'a Report,
    /// The account in it.
    pub state: &'a State,
    /// Whether the store has lost data, and Envoys may hold leases that it knows nothing of. Then nothing is granted.
    pub refilling: bool,
}

/// What became of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How much there is, with what was added by hand.
    pub amount: u128,
    /// What is used up, with what is lost.
    pub spent: u128,
    /// The part of it that was held by starts that ended without saying what was used up of it.
    pub lost: u128,
    /// What requests under way have reserved.
    pub reserved: u128,
    /// What Envoys hold and have neither used up nor reserved.
    pub leased: u128,
    /// By how much more was used up than had been granted, in sum.
    pub debts: u128,
}

impl Standing {
    /// What is neither used up nor reserved.
    pub fn left(&self) -> u128 {
        self.amount.saturating_sub(self.spent).saturating_sub(self.reserved)
    }
}

/// What the ledger says of a lease that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// What was used up of it.
    pub settled: u128,
    /// What nobody knows of.
    pub lost: u128,
}

/// A lease that was not given back as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The Envoy that held it.
    pub node: String,
    /// The start of that Envoy.
    pub start: u64,
    /// The lease's number, which lines of the access log name.
    pub lease: u64,
    /// What is known of it without the ledger.
    pub held: Resolved,
}

impl Pool {
    /// A new one, in a store with this epoch. `is_first` says that nobody can hold a lease on it from before.
    pub fn new(rule: &Rule, epoch: u64, is_first: bool, now: Instant) -> Self {
        let level = match rule {
            // After a loss nobody knows what has left the bucket.
            Rule::Rate { burst, .. } if is_first => signed(*burst),
            _ => 0,
        };
        Self { epoch, level, filled: now, is_whole: is_first, ..Self::default() }
    }

    /// The epoch of the store in which this was last written.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Begins a new epoch of the store, which may have lost what was written last.
    pub fn renew(&mut self, epoch: u64, now: Instant) {
        if epoch == self.epoch {
            return;
        }
        (self.epoch, self.is_whole) = (epoch, false);
        self.level = self.level.min(0);
        for holder in &mut self.holders {
            holder.first = (holder.settled, now);
        }
    }

    /// Whether everything that was spent before is booked. If not, the ledger must be [asked](Self::refill), and not before
    /// all leases of the epoch before have expired.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Books what the ledger knows to be spent, with what is lost. It must have counted what each start had used up [`LEASE`] ago.
    /// What was used up since then may be booked twice, never too seldom.
    pub fn refill(&mut self, spent: u128, now: Instant) {
        let known = self.holders.iter().filter(|holder| holder.first.1.after(LEASE) <= now);
        let known = known.map(|holder| holder.first.0).fold(0, u128::saturating_add);
        self.settled = self.settled.max(spent.saturating_sub(known));
        self.is_whole = true;
    }

    /// Adds to a budget, or takes from it.
    pub fn credit(&mut self, amount: i128) {
        self.credit = self.credit.saturating_add(amount);
        self.over = self.over.saturating_sub(unsigned(amount));
    }

    /// Takes a report in, and answers it. What it returns may be sent only after the pool has been stored.
    pub fn exchange(&mut self, exchange: Exchange<'_>, now: Instant) -> Grant {
        let Exchange { rule, report, state, refilling } = exchange;
        self.advance(rule, now);
        let before = self.committed(rule);
        let index = self.holder(rule, &exchange, now);
        let ending = report.ending || state.ending;
        let Some(holder) = self.holders.get_mut(index) else { return Grant::default() };
        // An older report may say less than is known.
        if report.sequence > holder.sequence {
            let change = holder.update(report, state, self.epoch, refilling, now);
            self.debts = self.debts.saturating_add(change.debt);
            let left = change.debt.saturating_add(change.adopted);
            self.level = self.level.saturating_add(signed(change.returned)).saturating_sub(signed(left));
            if ending {
                let returned = holder.end();
                self.level = self.level.saturating_add(signed(returned));
            }
            self.owe(rule, before.saturating_add(change.adopted));
            if state.least > 0 {
                self.least = state.least;
            }
        }
        self.cap(rule);
        let is_live = self.holders.get(index).is_some_and(|holder| holder.phase == Phase::Live);
        let mut keep = 0;
        if is_live && !refilling && rule.is_open(now) {
            keep = self.target(rule, index, state, now);
        }
        let renewed = is_live && rule.is_open(now);
        let Some(holder) = self.holders.get_mut(index) else { return Grant::default() };
        if keep > holder.free() {
            let more = keep - holder.free();
            holder.grant(more);
            self.level = self.level.saturating_sub(signed(more));
        } else if refilling {
            keep = holder.free();
        }
        if renewed {
            holder.until = now.after(BELIEVED);
        }
        let (granted, version) = (holder.granted, holder.version);
        self.forget(now);
        let standing = self.standing(rule);
        let expires_ms = if renewed { u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX) } else { 0 };
        Grant {
            account: state.account.clone(),
            granted,
            version,
            expires_ms,
            left: standing.left(),
            unspent: standing.amount.saturating_sub(standing.spent),
            reset_ms: rule.reset_ms(now, standing.spent),
            keep,
            unit: state.unit,
        }
    }

    /// What became of the account, as far as reports tell.
    pub fn standing(&self, rule: &Rule) -> Standing {
        let mut standing = Standing { debts: self.debts, ..Standing::default() };
        for holder in &self.holders {
            standing.leased = standing.leased.saturating_add(if holder.is_live() { holder.free() } else { 0 });
            standing.reserved = standing.reserved.saturating_add(if holder.is_live() { holder.reserved } else { 0 });
        }
        match *rule {
            Rule::Budget { amount, .. } => {
                let settled = self.holders.iter().map(|holder| holder.settled);
                let lost = self.holders.iter().filter(|holder| !holder.is_live()).map(Holder::held);
                standing.amount = credited(amount, self.credit);
                standing.lost = lost.fold(self.lost, u128::saturating_add);
                standing.spent = settled.fold(self.settled, u128::saturating_add).saturating_add(standing.lost);
                standing.spent = standing.spent.saturating_add(self.carried);
            }
            // Of a bucket, that is spent which has not refilled.
            Rule::Rate { burst, .. } => {
                standing.amount = burst;
                let there = unsigned(self.level).saturating_add(standing.leased).saturating_add(standing.reserved);
                standing.spent = burst.saturating_sub(there);
            }
            Rule::Concurrency { amount, .. } => standing.amount = amount,
        }
        standing
    }

    /// The leases of which the ledger may know [more](Self::resolve): those whose Envoy has fallen silent, and may have used up more
    /// than it has told, and those that have ended with something that is lost.
    pub fn unresolved(&self) -> impl Iterator<Item = Ended> {
        self.holders.iter().filter(|holder| holder.is_unresolved()).map(Holder::ended)
    }

    /// Books what the ledger says of a lease that has ended. Returns whether anything has changed.
    pub fn resolve(&mut self, rule: &Rule, ended: &Ended, resolved: Resolved) -> bool {
        let before = self.committed(rule);
        let is_it = |holder: &&mut Holder| holder.is_unresolved() && holder.ended() == *ended;
        let Some(holder) = self.holders.iter_mut().find(is_it) else { return false };
        self.debts = self.debts.saturating_add(holder.resolve(resolved));
        self.owe(rule, before);
        true
    }

    /// The leases that were [resolved](Self::resolve), and whose Envoys are there again: nothing of them is lost.
    pub fn found(&self) -> impl Iterator<Item = Ended> {
        self.holders.iter().filter(|holder| holder.is_live() && holder.booked).map(Holder::ended)
    }

    /// Notes that the ledger has taken back what it had booked as lost of this lease.
    pub fn take_back(&mut self, found: &Ended) {
        let is_it = |holder: &&mut Holder| holder.is_live() && holder.since == found.lease && holder.node == found.node;
        if let Some(holder) = self.holders.iter_mut().find(is_it) {
            holder.booked = false;
        }
    }

    /// Advances to `now`: a bucket fills, and who has been silent for too long ends. Returns whether somebody did.
    pub fn advance(&mut self, rule: &Rule, now: Instant) -> bool {
        let mut changed = false;
        let linger = rule.linger();
        for index in 0..self.holders.len() {
            let Some(holder) = self.holders.get(index).filter(|holder| holder.is_live() && holder.until <= now) else {
                continue;
            };
            let started_again = self.holders.iter().any(|other| other.has_followed(holder));
            if (started_again || holder.until.after(linger) <= now)
                && let Some(holder) = self.holders.get_mut(index)
            {
                holder.fall_silent();
                changed = true;
            }
        }
        self.fill(rule, now);
        changed
    }

    /// How much of a budget or of concurrency is not free.
    fn committed(&self, rule: &Rule) -> u128 {
        let (sum, of): (u128, fn(&Holder) -> u128) = match rule {
            Rule::Budget { .. } => {
                let sum = self.settled.saturating_add(self.lost).saturating_add(self.carried);
                (sum, |holder| holder.granted)
            }
            Rule::Concurrency { .. } => (0, |holder| if holder.is_live() { holder.held() } else { 0 }),
            Rule::Rate { .. } => return 0,
        };
        self.holders.iter().map(of).fold(sum, u128::saturating_add)
    }

    fn fill(&mut self, rule: &Rule, now: Instant) {
        let Rule::Rate { amount, period, .. } = *rule else { return };
        let passed = now.as_nanos().saturating_sub(self.filled.as_nanos());
        if now.after(CLOCKS_DIFFER) < self.filled {
            // The clock was set back. The rate goes on from here.
            self.filled = now;
        }
        let period = period.as_nanos().max(1);
        let more = amount.saturating_mul(u128::from(passed)) / period;
        if more > 0 {
            // Only the time that has brought whole units is over.
            let took = more.saturating_mul(period).div_ceil(amount.max(1));
            let took = u64::try_from(took).unwrap_or(passed).min(passed);
            self.filled = Instant::from_nanos(self.filled.as_nanos().saturating_add(took));
            let room = self.room(rule);
            self.level = self.level.saturating_add(signed(more)).min(room.max(self.level));
        }
    }

    /// What flows back does not lift a bucket above its brim.
    fn cap(&mut self, rule: &Rule) {
        if matches!(rule, Rule::Rate { .. }) {
            self.level = self.level.min(self.room(rule).max(0));
        }
    }

    /// The highest level of a rate's bucket. What is free at Envoys could be used at once as well.
    fn room(&self, rule: &Rule) -> i128 {
        let Rule::Rate { burst, .. } = *rule else { return 0 };
        let live = self.holders.iter().filter(|holder| holder.is_live());
        let free = live.map(Holder::free).fold(0, u128::saturating_add);
        signed(burst).saturating_sub(signed(free))
    }

    /// Drops ended starts that need not be remembered one by one.
    fn forget(&mut self, now: Instant) {
        while self.holders.iter().filter(|holder| !holder.is_live()).count() > REMEMBERED {
            let ended = self.holders.iter().enumerate().filter(|(_, holder)| !holder.is_live() && holder.until <= now);
            let Some(oldest) =
                ended.min_by_key(|(_, holder)| (holder.is_unresolved(), holder.seen)).map(|(index, _)| index)
            else {
                return;
            };
            let holder = self.holders.swap_remove(oldest);
            self.settled = self.settled.saturating_add(holder.settled);
            self.lost = self.lost.saturating_add(holder.held());
        }
    }
}

/// What an amount is after it was credited.
fn credited(amount: u128, credit: i128) -> u128 {
    if credit < 0 { amount.saturating_sub(credit.unsigned_abs()) } else { amount.saturating_add(credit.unsigned_abs()) }
}

fn signed(amount: u128) -> i128 {
    i128::try_from(amount).unwrap_or(i128::MAX)
}

fn unsigned(amount: i128) -> u128 {
    u128::try_from(amount).unwrap_or(0)
}
