use alloc::vec;
use core::time::Duration;

use super::super::admission::settle;
use super::super::bucket::each;
use super::super::limit::{Alone, Dimension, Kind, Limit, Subject, VALUES};
use super::super::testing::Memory;
use super::super::window::Windows;
use super::*;

fn limit(name: &str, meter: Meter, amount: u128, of: Option<Dimension>) -> Limit {
    Limit {
        name: name.into(),
        was: None,
        subjects: of.into_iter().map(|of| Subject { of, value: None }).collect(),
        meter,
        kind: Kind::Budget { amount, windows: Windows::Ever },
        soft: false,
        alone: Alone::Open,
        values: VALUES,
    }
}

fn now() -> Instant {
    Instant::default().after(Duration::from_secs(1000))
}

fn claim(number: usize, limit: &Limit, subject: &str, amount: u128) -> Claim {
    Claim { number, limit: limit.clone(), subject: subject.into(), amount }
}

/// What is held of a limit.
fn held(store: &Memory, limit: &Limit) -> u128 {
    let mut sum = 0;
    each(store, limit, now(), |_, account| sum += account.standing(limit, now()).held);
    sum
}

const STEP: Step = Step { output: 300, cost: 7 };

/// What the edge takes first, and leaves.
fn admitted(store: &Memory, worker: &mut Worker, claims: Vec<Vec<Claim>>, every: Vec<Claim>) -> (Later, Vec<Taken>) {
    let first = claims.first().into_iter().flatten().chain(&every);
    let mut wants: Vec<Want<'_>> = first.map(Claim::want).collect();
    let taken = admit(store, worker, &mut wants, Asking::Never, now()).unwrap();
    (Later::new(claims, every, 1000, STEP), taken)
}

#[test]
fn an_answer_takes_more_of_all_limits_or_of_none() {
    let (store, mut worker) = (Memory::default(), Worker::new(1));
    let key = limit("key", Meter::Tokens, 2000, None);
    let dollars = limit("dollars", Meter::Cost, 100, None);
    let calls = limit("calls", Meter::Requests, 100, None);
    let target = limit("target", Meter::OutputTokens, 10_000, Some(Dimension::Provider));
    let every = vec![claim(0, &key, "", 1100), claim(1, &dollars, "", 30)];
    let of_target = vec![claim(2, &target, "p", 1000), claim(3, &calls, "", 1)];
    let (mut later, mut taken) = admitted(&store, &mut worker, vec![of_target], every);
    let (room, more) = later.extend(&store, &mut worker, (0, 1001), now()).unwrap();
    assert_eq!((room, more.len()), (1300, 3), "requests are not what an answer has more of");
    taken.extend(more);
    let standing = || [&key, &dollars, &target].map(|limit| held(&store, limit));
    assert_eq!(standing(), [1400, 37, 1300]);
    let (room, more) = later.extend(&store, &mut worker, (0, 1700), now()).unwrap();
    assert_eq!((room, standing()), (1900, [2000, 51, 1900]), "as many steps as it needs");
    taken.extend(more);
    assert_eq!(later.extend(&store, &mut worker, (0, 1901), now()), Err("key".into()));
    assert_eq!(standing(), [2000, 51, 1900], "nothing of the others");
    for taken in &taken {
        let limit = [&key, &dollars, &target, &calls][taken.number];
        settle(&store, limit, taken, 1, now());
    }
    assert_eq!(standing(), [0, 0, 0]);
}

#[test]
fn a_soft_limit_always_has_room() {
    let (store, mut worker) = (Memory::default(), Worker::new(1));
    let soft = Limit { soft: true, ..limit("soft", Meter::Tokens, 10, None) };
    let (mut later, _) = admitted(&store, &mut worker, vec![], vec![claim(0, &soft, "", 1100)]);
    assert_eq!(later.extend(&store, &mut worker, (0, 5000), now()).map(|(room, _)| room), Ok(5200));
}

/// A request that failed over was reserved for one try, and settled for all that were billed.
#[test]
fn a_try_that_may_be_billed_keeps_what_was_reserved_for_it() {
    let (store, mut worker) = (Memory::default(), Worker::new(1));
    let key = limit("key", Meter::Tokens, 2500, None);
    let target = limit("target", Meter::Tokens, 10_000, Some(Dimension::Provider));
    let of = |provider| vec![claim(1, &target, provider, 1000)];
    let (mut later, _) = admitted(&store, &mut worker, vec![of("a"), of("b"), of("a")], vec![claim(0, &key, "", 1000)]);
    let standing = || [&key, &target].map(|limit| held(&store, limit));
    let mut take = |target, billed: &[usize]| later.take(&store, &mut worker, (target, billed), now());
    assert_eq!(take(1, &[]).map(|taken| taken.len()), Ok(1), "nobody bills the first one");
    assert_eq!(standing(), [1000, 2000]);
    assert_eq!(take(2, &[0]).map(|taken| taken.len()), Ok(2), "of the key, and of the provider that is asked again");
    assert_eq!(standing(), [2000, 3000]);
    assert_eq!(take(2, &[0]), Ok(vec![]), "it is there already");
    assert_eq!(take(1, &[0, 2]), Err(Unmet::Every("key".into())));
    assert_eq!(standing(), [2000, 3000]);
}

#[test]
fn a_target_whose_limit_is_spent_tells_it() {
    let (store, mut worker) = (Memory::default(), Worker::new(1));
    let target = limit("target", Meter::Requests, 1, Some(Dimension::Provider));
    let of = |provider| vec![claim(0, &target, provider, 1)];
    let (mut later, _) = admitted(&store, &mut worker, vec![of("a"), of("b")], vec![]);
    let mut other = Later::new(vec![vec![], of("b")], vec![], 0, STEP);
    other.take(&store, &mut worker, (1, &[]), now()).unwrap();
    let Err(Unmet::Target(problem)) = later.take(&store, &mut worker, (1, &[0]), now()) else { panic!("it is spent") };
    assert_eq!(problem.status, 429);
    assert_eq!(later.take(&store, &mut worker, (0, &[0]), now()), Ok(vec![]), "its own reservation serves it");
}
