//! What is done with accounts beside all requests: they are listed, credited, and freed of what dead workers held.

use alloc::string::String;
use alloc::vec::Vec;

use super::account::Standing;
use super::bucket::{Changed, Whose, change, change_each, each};
use super::limit::Limit;
use crate::shared::Store;
use crate::time::Instant;

/// The accounts of a limit: whose each is, and how it stands. `(shared)` are the values that have no account of their own.
pub fn accounts(store: &dyn Store, limit: &Limit, now: Instant) -> Vec<(String, Standing)> {
    let mut all = Vec::new();
    each(store, limit, now, |subject, account| all.push((subject.into_owned(), account.standing(limit, now))));
    all
}

/// Gives back what workers hold of which `is_live` says no: they cannot settle it any more.
pub fn forget(store: &dyn Store, limits: &[Limit], now: Instant, is_live: impl Fn(u64) -> bool) {
    for limit in limits {
        change_each(store, limit, now, |account| account.forget(limit, &is_live));
    }
}

/// Gives a subject more of a limit, in the limit's unit, as if it had used less in the window that is now. Whether it could be
/// written.
pub fn credit(store: &dyn Store, limit: &Limit, subject: &str, amount: u128, now: Instant) -> bool {
    let changed = change(store, limit, Whose::own(subject), now, |account| {
        account.credit(limit, amount);
        (true, ())
    });
    matches!(changed, Changed::Done(()))
}
