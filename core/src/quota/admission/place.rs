//! Places a reservation in one account: beside what others have, by a lease or without.

use alloc::vec::Vec;

use super::super::account::{Account, Drained, Pending, Standing, Terms};
use super::super::bucket::{Changed, Whose, change};
use super::super::claim::{Claim, Want};
use super::super::link::Link;
use super::decision::{Decided, abort};
use super::{Asking, Refused, Shortfall};
use crate::shared::Store;
use crate::time::Instant;

/// How often a worker looks again at a pending reservation before it aborts it, the first time.
const PATIENCE: u32 = 16;

/// When to ask again where control is away, in milliseconds.
const SOON: u64 = 1000;

/// How often control is asked for one request, as long as it seems to have something left.
const ROUNDS: u8 = 3;

/// How a reservation is placed.
#[derive(Clone, Copy)]
pub(super) struct How {
    /// Whether it needs a lease.
    pub(super) shares: bool,
    pub(super) asking: Asking,
    pub(super) attempt: u32,
}

/// Where a reservation is.
pub(super) struct Placed {
    pub(super) shared: bool,
    pub(super) window: u64,
    pub(super) over: bool,
    pub(super) standing: Standing,
    pub(super) drained: Drained,
}

/// What comes of looking for a place.
enum Found {
    Placed(Placed),
    Short(Shortfall),
    /// It would fit beside what is decided.
    Waits(Vec<Pending>),
    /// The lease does not cover it. What control has told may say more.
    Uncovered {
        /// It has told not long ago that the amount is not there.
        spent: bool,
        /// It had nothing left for the amount when it last answered.
        refused: bool,
        /// It does not know the limit.
        unshared: bool,
        /// When to ask again.
        until: Option<u64>,
    },
}

/// Places a reservation in an account, if it fits.
pub(super) fn place(
    store: &dyn Store,
    want: &Want<'_>,
    now: Instant,
    how: How,
    put: &mut dyn FnMut(&mut Account, u64),
) -> Result<Placed, Refused> {
    let Want { number, limit, subject, amount } = want;
    let short = |wait| Shortfall { number: *number, subject: subject.clone(), amount: *amount, wait };
    let mut void: Vec<Pending> = Vec::new();
    let mut admitted: Vec<Pending> = Vec::new();
    let mut over: Vec<Pending> = Vec::new();
    let mut looks = 0;
    let mut terms = if how.shares { Terms::Lease } else { Terms::Own };
    loop {
        let found = change(store, limit, Whose::own(subject), now, |account| {
            account.pending.retain(|pending| !void.contains(pending));
            let window = account.advance(limit, now).start;
            if how.shares {
                account.leased(window, now);
            }
            let over = limit.soft && account.standing(limit, now).left() < *amount;
            if account.fits(limit, *amount, terms, now, |_| true) {
                put(account, window);
                let standing = account.standing(limit, now);
                let (shared, drained) = (account.subject != *subject, account.drained());
                return (true, Found::Placed(Placed { shared, window, over, standing, drained }));
            }
            if account.fits(limit, *amount, terms, now, |pending| admitted.contains(pending)) {
                let waits = account.pending.iter().filter(|pending| !admitted.contains(pending));
                return (false, Found::Waits(waits.copied().collect()));
            }
            if terms == Terms::Lease {
                let spent = account.is_spent(limit, *amount, now);
                let refused = account.is_refused(*amount, now);
                let unshared = account.is_unshared(now);
                let until = account.wait_by_lease(limit, *amount, now);
                // Who cannot wait leaves word, and the next report asks for it.
                let cannot_wait = matches!(how.asking, Asking::Never | Asking::Unanswered);
                let leaves_word = cannot_wait && !spent && !unshared && until.is_some();
                if leaves_word {
                    account.leased(window, now).want(*amount);
                }
                return (leaves_word, Found::Uncovered { spent, refused, unshared, until });
            }
            let until = if terms == Terms::Own {
                account.wait(limit, *amount, now)
            } else {
                (*amount <= limit.most()).then_some(SOON)
            };
            (false, Found::Short(short(until)))
        });
        match found {
            Changed::Lost => return Err(Refused::Lost),
            Changed::Done(Found::Placed(placed)) => {
                if matches!(terms, Terms::Alone | Terms::Silent) {
                    Link::change(store, |link| link.uncovered += 1);
                }
                return Ok(placed);
            }
            Changed::Done(Found::Short(short)) => return Err(Refused::Short(short)),
            Changed::Done(Found::Uncovered { spent, refused, unshared, until }) => {
                if until.is_none() || spent {
                    return Err(Refused::Short(short(until)));
                }
                if unshared || Link::of(store).is_none_or(|link| link.is_away(now)) {
                    terms = Terms::Alone;
                    continue;
                }
                if how.asking == Asking::Unanswered {
                    terms = Terms::Silent;
                    continue;
                }
                let may_ask = match how.asking {
                    Asking::Never | Asking::Unanswered => false,
                    Asking::Again(0) => true,
                    Asking::Again(rounds) => rounds < ROUNDS && !refused,
                };
                return Err(if may_ask {
                    Refused::Lease([Claim::of(want)].into())
                } else {
                    Refused::Short(short(until))
                });
            }
            Changed::Done(Found::Waits(waits)) => {
                if looks < PATIENCE.saturating_mul(how.attempt + 1) {
                    looks += 1;
                    store.pause();
                    continue;
                }
                for pending in waits {
                    match abort(store, &pending) {
                        Decided::Aborted => void.push(pending),
                        Decided::Admitted => admitted.push(pending),
                        // Its worker has gone on, and had changed the account before: read again. If it is still there, its
                        // worker could not.
                        Decided::Over if over.contains(&pending) => void.push(pending),
                        Decided::Over => over.push(pending),
                    }
                }
            }
        }
    }
}
