use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::ToString;
use core::time::Duration;

use super::super::Asking;
use super::super::limit::{Alone, Dimension, Kind, Meter, Subject};
use super::super::testing::Memory;
use super::super::window::Windows;
use super::*;

mod renamed;
mod units;

fn limit(values: u32) -> Limit {
    Limit {
        name: "l".into(),
        was: None,
        subjects: vec![Subject { of: Dimension::User, value: None }],
        meter: Meter::Tokens,
        kind: Kind::Budget { amount: 100, windows: Windows::Regular { from: 0, length: 100 } },
        soft: false,
        alone: Alone::Open,
        values,
    }
}

fn secs(secs: u64) -> Instant {
    Instant::default().after(Duration::from_secs(secs))
}

/// Uses some of a subject's budget; whether it has an account of its own, and what is left.
fn spend(store: &Memory, limit: &Limit, subject: &str, amount: u128, now: Instant) -> (bool, u128) {
    let spent = change(store, limit, Whose::own(subject), now, |account| {
        let window = account.advance(limit, now).start;
        account.settle(limit, 1, (window, account.drained()), 0, amount);
        (true, (account.subject == subject, account.standing(limit, now).left()))
    });
    let Changed::Done(spent) = spent else { panic!("lost") };
    spent
}

#[test]
fn as_many_values_as_promised_have_accounts_of_their_own_and_all_are_listed() {
    let (store, limit) = (Memory::default(), limit(10_000));
    let own = (0..10_000).filter(|n| spend(&store, &limit, &format!("user-{n}"), 1, secs(1)).0).count();
    assert_eq!(own, 10_000);
    let mut listed = BTreeSet::new();
    each(&store, &limit, secs(2), |subject, _| _ = listed.insert(subject.to_string()));
    assert_eq!(listed.len(), 10_000);
    // A day later they are others, who take the places of those.
    let before = store.bytes();
    let own = (0..10_000).filter(|n| spend(&store, &limit, &format!("other-{n}"), 1, secs(101)).0).count();
    assert_eq!(own, 10_000);
    for _ in 0..3 {
        let own = (0..10_000).filter(|n| spend(&store, &limit, &format!("other-{n}"), 0, secs(301)).0).count();
        assert_eq!(own, 10_000);
    }
    assert!(store.bytes() < before * 4, "{before} {}", store.bytes());
}

#[test]
fn values_beyond_the_most_share_an_account_and_settle_there() {
    let (store, limit) = (Memory::default(), limit(1000));
    let mut shared = Vec::new();
    for n in 0..40_000 {
        let subject = format!("user-{n}");
        if !spend(&store, &limit, &subject, 1, secs(1)).0 {
            shared.push(subject);
        }
    }
    let places = Place::all(&store, "l").len();
    assert!(shared.len() > 10_000 && places == 4096, "{} {places}", shared.len());
    let mut worker = super::super::Worker::new(1);
    let subject = shared[0].clone();
    let mut want = [super::super::Want { number: 0, limit: &limit, subject: subject.clone(), amount: 5 }];
    let left = |now| spend(&store, &limit, &subject, 0, now).1;
    let before = left(secs(1));
    let taken = super::super::admit(&store, &mut worker, &mut want, Asking::Never, secs(1)).unwrap();
    assert!(taken[0].shared);
    assert_eq!(left(secs(1)), before - 5);
    super::super::settle(&store, &limit, &taken[0], 2, secs(1));
    assert_eq!(left(secs(1)), before - 2);
}

#[test]
fn a_cell_of_another_layout_is_never_overwritten() {
    let (store, limit) = (Memory::default(), limit(1));
    let key = Place::of("l", 1, "a").key;
    store.create(&key, &[9, 1, 2]);
    let changed = change(&store, &limit, Whose::own("a"), secs(1), |_| (true, ()));
    assert!(matches!(changed, Changed::Lost));
    assert_eq!(store.get(&key).unwrap().0, [9, 1, 2]);
}

/// Who has used the shared account has no clean slate when a place of its own becomes free.
#[test]
fn nobody_gains_by_coming_out_of_a_shared_account() {
    let (store, limit) = (Memory::default(), limit(1000));
    let number = |user: u32| Place::of("l", 1000, &user.to_string()).number;
    let crowd: Vec<String> = (0..).filter(|user| number(*user) == 7).take(6).map(|user| user.to_string()).collect();
    let (shared, own) = (&crowd[4], &crowd[..4]);
    for subject in own {
        assert_eq!(spend(&store, &limit, subject, 10, secs(1)), (true, 90));
    }
    assert_eq!(spend(&store, &limit, shared, 60, secs(1)), (false, 40));
    // A place becomes free.
    let _ = change(&store, &limit, Whose::own(&own[0]), secs(1), |account| {
        account.credit(&limit, 10);
        (true, ())
    });
    assert_eq!(spend(&store, &limit, shared, 5, secs(2)), (false, 35));
    assert_eq!(spend(&store, &limit, &crowd[5], 5, secs(2)), (false, 30), "who has used it, nobody knows");
    assert_eq!(spend(&store, &limit, shared, 5, secs(101)), (true, 95), "in the next window all begin anew");
}
