//! A limit with a new name, and what is under way under the old one.

use alloc::string::String;
use std::sync::Mutex;
use std::thread;

use super::super::super::testing::{Order, Stepped};
use super::super::super::{Taken, Want, Worker, admit, settle};
use super::*;

fn renamed(limit: &Limit) -> Limit {
    Limit { name: "new".into(), was: Some(limit.name.clone()), ..limit.clone() }
}

fn take(store: &dyn Store, limit: &Limit, subject: &str, amount: u128, now: Instant) -> Option<Taken> {
    let mut wants = [Want { number: 0, limit, subject: subject.into(), amount }];
    admit(store, &mut Worker::new(1), &mut wants, Asking::Never, now).ok()?.pop()
}

/// What is settled and held in all accounts of a limit.
fn sums(store: &dyn Store, limit: &Limit, now: Instant) -> (u128, u128) {
    let mut sums = (0, 0);
    each(store, limit, now, |_, account| {
        let standing = account.standing(limit, now);
        sums = (sums.0 + standing.settled, sums.1 + standing.held);
    });
    sums
}

#[test]
fn a_renamed_limit_takes_over_what_was_spent_and_what_is_under_way() {
    for values in [1, 1000] {
        let (store, old) = (Memory::default(), limit(values));
        let new = renamed(&old);
        spend(&store, &old, "a", 30, secs(1));
        let under_way = take(&store, &old, "a", 20, secs(1)).unwrap();
        assert_eq!(spend(&store, &new, "a", 5, secs(1)), (true, 45));
        assert_eq!(spend(&store, &new, "b", 5, secs(1)), (true, 95));
        settle(&store, &old, &under_way, 8, secs(1));
        assert_eq!(spend(&store, &new, "a", 0, secs(1)), (true, 57));
        // A worker that knows only the old name goes on for a while.
        let late = take(&store, &old, "a", 10, secs(2)).unwrap();
        assert_eq!(spend(&store, &new, "a", 0, secs(2)), (true, 47));
        assert!(take(&store, &old, "a", 50, secs(2)).is_none(), "the limit is one");
        settle(&store, &old, &late, 1, secs(90));
        assert_eq!(spend(&store, &new, "a", 0, secs(90)), (true, 56));
        // Later the old name may be that of another limit.
        assert_eq!(spend(&store, &old, "a", 1, secs(90)), (true, 99));
    }
}

/// The former account was copied again, with what it had spent.
#[test]
fn what_was_taken_over_comes_back_never_again() {
    let (store, old) = (Memory::default(), limit(1000));
    let new = renamed(&old);
    let number = |user: u32| Place::of("l", 1000, &user.to_string()).number;
    let crowd: Vec<String> = (0..).filter(|user| number(*user) == 7).take(5).map(|user| user.to_string()).collect();
    spend(&store, &old, &crowd[0], 30, secs(1));
    assert_eq!(spend(&store, &new, &crowd[0], 0, secs(1)).1, 70);
    let _ = change(&store, &new, Whose::own(&crowd[0]), secs(1), |account| {
        account.credit(&new, 30);
        (true, ())
    });
    for user in &crowd[1..] {
        spend(&store, &new, user, 1, secs(1));
    }
    let bucket = Bucket::read(&store.get(&Place::numbered("new", 7).key).unwrap().0).unwrap();
    assert!(bucket.find(&crowd[0], new.unit()).is_none(), "its place was given away");
    let _ = change(&store, &new, Whose::own(&crowd[1]), secs(1), |account| {
        account.credit(&new, 1);
        (true, ())
    });
    assert_eq!(spend(&store, &new, &crowd[0], 0, secs(1)), (true, 100));
}

#[test]
fn a_limit_that_is_renamed_twice_still_gets_what_is_under_way() {
    let (store, first) = (Memory::default(), limit(1));
    let second = Limit { name: "m".into(), was: Some("l".into()), ..first.clone() };
    let third = Limit { name: "n".into(), was: Some("m".into()), ..first.clone() };
    let under_way = take(&store, &first, "a", 20, secs(1)).unwrap();
    assert_eq!(spend(&store, &second, "a", 1, secs(1)).1, 79);
    assert_eq!(spend(&store, &third, "a", 1, secs(1)).1, 78);
    settle(&store, &first, &under_way, 2, secs(1));
    assert_eq!(spend(&store, &third, "a", 0, secs(1)).1, 96);
}

/// A worker that ends between the steps leaves the rest to the next one.
#[test]
fn a_move_that_was_broken_off_goes_on() {
    let (store, old) = (Memory::default(), limit(1));
    let new = renamed(&old);
    spend(&store, &old, "a", 30, secs(1));
    let place = Place::of("l", 1, "a");
    let (bytes, number) = store.get(&place.key).unwrap();
    let mut bucket = Bucket::read(&bytes).unwrap();
    bucket.moved = Some(super::super::Moved { to: "new".into(), at: 1000, is_going: true });
    assert_eq!(store.replace(&place.key, &bucket.write(), number), Swap::Done);
    // It has arrived, but was not removed.
    let left = Bucket::read(&store.get(&place.key).unwrap().0).unwrap();
    assert_eq!(left, bucket, "it is read as it was written");
    assert_eq!(spend(&store, &old, "a", 1, secs(1)).1, 69, "whoever comes first goes on");
    assert_eq!(spend(&store, &new, "a", 1, secs(1)).1, 68);
    assert_eq!(Bucket::read(&store.get(&place.key).unwrap().0).unwrap().accounts, []);
}

/// Workers of the old and of the new configuration, in every order of their steps.
#[test]
fn whatever_the_order_nothing_is_lost_and_the_limit_holds() {
    for seed in 0..200 {
        let (memory, old) = (Memory::default(), limit(1));
        let new = renamed(&old);
        spend(&memory, &old, "a", 30, secs(1));
        let (order, spent) = (Order::of(4, seed), Mutex::new(30));
        thread::scope(|scope| {
            for thread in 0..4 {
                let (memory, order, spent, limit) =
                    (&memory, &order, &spent, if thread % 2 == 0 { &old } else { &new });
                scope.spawn(move || {
                    let store = Stepped { memory, order, thread, seen: |_: &str, _: &[u8]| () };
                    let mut worker = Worker::new(thread as u64 + 1);
                    for round in 0..4 {
                        let mut wants = [Want { number: 0, limit, subject: "a".into(), amount: 9 }];
                        let Ok(taken) = admit(&store, &mut worker, &mut wants, Asking::Never, secs(1)) else {
                            continue;
                        };
                        settle(&store, limit, &taken[0], 3 + round, secs(1));
                        *spent.lock().unwrap() += 3 + round;
                    }
                    order.leave(thread);
                });
            }
        });
        spend(&memory, &new, "a", 0, secs(1));
        let spent = spent.into_inner().unwrap();
        assert!(spent <= 100, "seed {seed}");
        assert_eq!((sums(&memory, &new, secs(1)), sums(&memory, &old, secs(1))), ((spent, 0), (0, 0)), "seed {seed}");
    }
}
