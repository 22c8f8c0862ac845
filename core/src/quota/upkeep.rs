//! What is done with accounts beside all requests: they are listed, credited, and freed of what dead workers held.

use alloc::string::String;
use alloc::vec::Vec;

use super::account::Standing;
use super::bucket::{Changed, Whose, change, change_each, each};
use super::limit::Limit;
use super::workers;
use crate::shared::Store;
use crate::time::Instant;

/// The accounts of a limit: whose each is, and how it stands. `(shared)` are the values that have no account of their own.
pub fn accounts(store: &dyn Store, limit: &Limit, now: Instant) -> Vec<(String, Standing)> {
    let mut all = Vec::new();
    each(store, limit, now, |subject, account| all.push((subject.into_owned(), account.standing(limit, now))));
    all
}

/// Gives back what workers hold of which `is_live` says no, also under former names of the limits: they cannot settle it any more.
pub fn forget(store: &dyn Store, limits: &[Limit], now: Instant, is_live: impl Fn(u64) -> bool) {
    for limit in limits {
        for name in core::iter::once(&limit.name).chain(&limit.was) {
            change_each(store, (limit, name), now, |account| account.forget(limit, &is_live));
        }
    }
}

/// Gives back what these workers hold, which were found dead, and what those hold that nobody knows: they were found dead before.
pub fn bury(store: &dyn Store, limits: &[Limit], dead: &[u64], now: Instant) {
    forget(store, limits, now, |worker| !dead.contains(&worker) && workers::is_known(store, worker));
    workers::bury(store, dead);
}

/// Gives a subject more of a limit, in the limit's unit, as if it had used less in the window that is now. Whether it could be
/// written.
pub fn credit(store: &dyn Store, limit: &Limit, subject: &str, amount: u128, now: Instant) -> bool {
    let changed = change(store, limit, Whose::own(subject), now, |account| {
        account.advance(limit, now);
        account.credit(limit, amount);
        (true, ())
    });
    matches!(changed, Changed::Done(()))
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use core::time::Duration;

    use super::super::limit::{Alone, Kind, Meter, VALUES};
    use super::super::testing::Memory;
    use super::super::workers::{Life, beat};
    use super::super::{Asking, Want, Worker, admit};
    use super::*;

    /// A worker died while its limit was not in the configuration, and another one under the limit's former name.
    #[test]
    fn what_dead_workers_hold_comes_back_under_any_name_and_at_any_time() {
        let (store, now) = (Memory::default(), Instant::default().after(Duration::from_secs(100)));
        let old = Limit {
            name: "old".into(),
            was: None,
            subjects: vec![],
            meter: Meter::Requests,
            kind: Kind::Concurrency { amount: 3 },
            soft: false,
            alone: Alone::Open,
            values: VALUES,
        };
        for worker in 1..=3 {
            beat(&store, worker, Life::Own, now);
            let mut wants = [Want { number: 0, limit: &old, subject: String::new(), amount: 1 }];
            assert!(admit(&store, &mut Worker::new(worker), &mut wants, Asking::Never, now).is_ok());
        }
        let held = |limit: &Limit| accounts(&store, limit, now)[0].1.held;
        bury(&store, &[], &[1], now);
        assert_eq!(held(&old), 3, "the limit is not there");
        bury(&store, core::slice::from_ref(&old), &[], now);
        assert_eq!(held(&old), 2, "it is there again");
        let new = Limit { name: "new".into(), was: Some("old".into()), ..old.clone() };
        bury(&store, core::slice::from_ref(&new), &[2], now);
        assert_eq!(held(&old), 1);
    }
}
