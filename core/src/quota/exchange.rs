//! What an Envoy's workers and its steward tell control of the limits that are shared, and what becomes of the answer.
//!
//! A report's sequence number is taken before the accounts are read. Two reports under way at once may tell an account in either
//! order; that does no harm, because amounts are running totals and control never raises a grant by what a report says.

use alloc::string::String;
use alloc::vec::Vec;

use super::account::Account;
use super::account::lease::{Lease, Told, account};
use super::bucket::{Changed, Place, Whose, change, visit};
use super::claim::Claim;
use super::limit::{Kind, Limit};
use super::link::Link;
use crate::lease::{Grants, Report, State};
use crate::shared::Store;
use crate::time::Instant;

/// The most accounts of one report. The next one begins with the others.
const MOST: usize = 4000;

/// A report to be posted to control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The name of control's cluster.
    pub cluster: String,
    /// The report.
    pub body: Vec<u8>,
}

/// A report that was written, for its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    sequence: u64,
    at: Instant,
    accounts: Vec<(Place, String, Told)>,
    next: usize,
}

impl Sent {
    /// With which cell the next report begins.
    pub fn next(&self) -> usize {
        self.next
    }
}

/// Which accounts a report of the steward's has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that have changed, whose lease must be renewed, or that end, from the cell with this number on: if there are too
    /// many for one report, each has its turn.
    Due(usize),
    /// All, to be given back: this Envoy ends.
    Last,
}

/// Writes the report of a worker in which requests wait for these amounts. `None` if there is no control, or a cell cannot be
/// written.
pub fn ask(store: &dyn Store, claims: &[Claim], now: Instant) -> Option<(Post, Sent)> {
    let link = begin(store, false)?;
    let mut sums: Vec<(&Claim, u128, u128)> = Vec::new();
    for claim in claims {
        let same = |of: &Claim| of.limit.name == claim.limit.name && of.subject == claim.subject;
        match sums.iter_mut().find(|(of, ..)| same(of)) {
            Some((_, wanted, least)) => {
                *wanted = wanted.saturating_add(claim.amount);
                *least = claim.amount.min(*least);
            }
            None => sums.push((claim, claim.amount, claim.amount)),
        }
    }
    let mut sent = Sent { sequence: link.sequence, at: now, accounts: Vec::with_capacity(sums.len()), next: 0 };
    for (Claim { limit, subject, .. }, wanted, least) in sums {
        let place = Place::of(&limit.name, limit.most_values(), subject);
        let asked = change(store, limit, Whose::own(subject), now, |known| {
            let window = known.advance(limit, now).start;
            let named = account(&limit.name, &known.subject, bucket(limit, &place), window);
            let pending = known.pending_in(window);
            let told = known.leased(window, now).ask(named, (wanted, least), pending, now);
            let told = Told { state: State { unit: limit.unit(), ..told.state }, ..told };
            (true, (told, known.subject.clone()))
        });
        let Changed::Done((told, subject)) = asked else { return None };
        // Of values that share one account, the first speaks for all.
        if sent.accounts.iter().all(|(_, _, known)| known.state.account != told.state.account) {
            sent.accounts.push((place, subject, told));
        }
    }
    Some((post(&link, &sent, false), sent))
}

/// Writes a report of the steward's. `None` if there is no control, or nothing to tell and `always` does not ask for it.
pub fn report(store: &dyn Store, limits: &[Limit], which: Which, always: bool, now: Instant) -> Option<(Post, Sent)> {
    if limits.is_empty() && !always {
        return None;
    }
    let mut link = begin(store, which == Which::Last)?;
    if which == Which::Last {
        link = Link::change(store, |link| link.ended = true)?;
    }
    let mut places = Vec::new();
    for limit in limits {
        let former = limit.was.iter().map(|was| (was, true));
        for (name, is_former) in core::iter::once((&limit.name, false)).chain(former) {
            places.extend(Place::all(store, name).into_iter().map(|place| (limit, (name, is_former), place)));
        }
    }
    let from = if let Which::Due(from) = which { from % places.len().max(1) } else { 0 };
    let mut sent = Sent { sequence: link.sequence, at: now, accounts: Vec::new(), next: from };
    let (before, after) = places.split_at(from);
    for (limit, name, place) in after.iter().chain(before) {
        if sent.accounts.len() >= MOST {
            break;
        }
        let told = told(store, limit, place, *name, which, now);
        sent.accounts.extend(told.into_iter().map(|(subject, told)| (place.clone(), subject, told)));
        sent.next += 1;
    }
    (always || !sent.accounts.is_empty()).then(|| (post(&link, &sent, which == Which::Last), sent))
}

/// What there is to tell of the accounts of one cell. A limit's former name has nothing but what is under way still, and so have
/// accounts in another unit.
fn told(
    store: &dyn Store,
    limit: &Limit,
    place: &Place,
    (name, is_former): (&String, bool),
    which: Which,
    now: Instant,
) -> Vec<(String, Told)> {
    let mut told: Vec<(String, Told)> = Vec::new();
    visit(store, place, &mut |accounts| {
        told.clear();
        let mut writes = false;
        for known in accounts.iter_mut().filter(|known| !known.leases.is_empty()) {
            let is_ours = known.is_in(limit.unit());
            let current = if is_ours { known.advance(limit, now).start } else { 0 };
            let unit = if is_ours { limit.unit() } else { known.unit() };
            let mut leases = core::mem::take(&mut known.leases);
            for lease in &mut leases {
                if which == Which::Last {
                    lease.end();
                }
                let is_over =
                    is_former || !is_ours || matches!(limit.kind, Kind::Budget { .. }) && lease.window != current;
                let named = account(name, &known.subject, bucket(limit, place), lease.window);
                let (changed, one) = lease.report(named, is_over, known.pending_in(lease.window), now);
                writes |= changed || which == Which::Last;
                let one = one.map(|one| Told { state: State { unit, ..one.state }, ..one });
                told.extend(one.map(|one| (known.subject.clone(), one)));
            }
            known.leases = leases;
        }
        writes
    });
    told
}

/// Takes control's answer. Whether it was one.
pub fn answered(store: &dyn Store, sent: &Sent, body: &[u8], now: Instant) -> bool {
    let grants = Grants::decode(body).ok().filter(|grants| grants.sequence == sent.sequence);
    Link::note(store, grants.is_some(), now);
    let Some(Grants { epoch, grants, .. }) = grants else { return false };
    for (place, subject, told) in &sent.accounts {
        let grant = grants.iter().find(|grant| told.is_met_by(grant));
        visit(store, place, &mut |accounts| {
            let is = |known: &Account| known.subject == *subject && known.is_in(told.state.unit);
            let Some(known) = accounts.iter_mut().find(|known| is(known)) else { return false };
            let before = known.leases.len();
            let is = |lease: &Lease| lease.window == told.window && lease.held.since == told.state.since;
            let mut taken = false;
            known.leases.retain_mut(|lease| {
                if !is(lease) {
                    return true;
                }
                let forgotten = lease.answered(told, grant, (epoch, sent.sequence), sent.at, now);
                taken = true;
                !forgotten
            });
            taken || known.leases.len() < before
        });
    }
    true
}

/// Notes that a call has failed.
pub fn failed(store: &dyn Store, now: Instant) {
    Link::note(store, false, now);
}

/// Takes the next sequence number.
fn begin(store: &dyn Store, last: bool) -> Option<Link> {
    let link = Link::of(store)?;
    if link.ended && !last {
        return None;
    }
    Link::change(store, |link| link.sequence += 1)
}

fn post(link: &Link, sent: &Sent, ending: bool) -> Post {
    let accounts = sent.accounts.iter().map(|(_, _, told)| told.state.clone()).collect();
    let (node, start, sequence) = (link.node.clone(), link.start, sent.sequence);
    let report = Report { node, start, sequence, at_ms: sent.at.as_millis(), ending, accounts };
    Post { cluster: link.cluster.clone(), body: report.encode() }
}

/// The bucket by which control tells the shared accounts of a limit apart; `None` if it has only one account.
fn bucket(limit: &Limit, place: &Place) -> Option<u32> {
    (limit.most_values() > 1).then_some(place.number)
}

#[cfg(test)]
mod tests;
