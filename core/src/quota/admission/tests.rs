use alloc::format;
use alloc::vec;
use core::time::Duration;
use std::sync::Mutex;
use std::thread;

use super::super::bucket::each;
use super::super::limit::{Alone, Kind, Meter, VALUES};
use super::super::testing::{Memory, Order, Stepped};
use super::super::window::Windows;
use super::*;

fn budget(name: &str, amount: u128) -> Limit {
    Limit {
        name: name.into(),
        was: None,
        subjects: vec![],
        meter: Meter::Tokens,
        kind: Kind::Budget { amount, windows: Windows::Ever },
        soft: false,
        alone: Alone::Open,
        values: VALUES,
    }
}

fn now() -> Instant {
    Instant::default().after(Duration::from_secs(1000))
}

fn want(limit: &Limit, amount: u128) -> Want<'_> {
    Want { number: 0, limit, subject: String::new(), amount }
}

/// What is settled and what is held of a limit.
fn taken_of(store: &dyn Store, limit: &Limit) -> (u128, u128) {
    let mut sums = (0, 0);
    each(store, limit, now(), |_, account| {
        let standing = account.standing(limit, now());
        sums = (sums.0 + standing.settled, sums.1 + standing.held);
    });
    sums
}

/// Settles all that was taken with so much.
fn give_back(store: &dyn Store, limits: &[Limit], taken: &[Taken], used: u128) {
    for taken in taken {
        settle(store, &limits[taken.number], taken, used, now());
    }
}

#[test]
fn all_are_taken_or_none() {
    let store = Memory::default();
    let (a, b) = (budget("a", 10), budget("b", 5));
    let mut worker = Worker::new(1);
    let taken = admit(&store, &mut worker, &mut [want(&b, 3), want(&a, 3)], Asking::Never, now()).unwrap();
    assert_eq!((taken_of(&store, &a), taken_of(&store, &b)), ((0, 3), (0, 3)));
    let refused = admit(&store, &mut worker, &mut [want(&a, 3), want(&b, 3)], Asking::Never, now());
    let Err(Refused::Short(short)) = refused else { panic!("{refused:?}") };
    assert_eq!(short.wait, Some(1000), "what is held may come back");
    assert_eq!((taken_of(&store, &a), taken_of(&store, &b)), ((0, 3), (0, 3)));
    for taken in &taken {
        let limit = if taken.amount == 3 { &a } else { &b };
        settle(&store, limit, taken, 2, now());
    }
}

/// A store that refuses the writes of one cell, from the second on.
struct Refusing<'m>(&'m Memory, &'static str, Mutex<u32>);

impl Store for Refusing<'_> {
    fn get(&self, key: &str) -> Option<(Vec<u8>, crate::shared::Number)> {
        self.0.get(key)
    }

    fn replace(&self, key: &str, with: &[u8], number: crate::shared::Number) -> crate::shared::Swap {
        let mut writes = self.2.lock().unwrap();
        *writes += u32::from(key == self.1);
        if *writes > 1 && key == self.1 { crate::shared::Swap::Refused } else { self.0.replace(key, with, number) }
    }

    fn create(&self, key: &str, with: &[u8]) -> crate::shared::Swap {
        self.0.create(key, with)
    }
}

/// The accounts that had been confirmed before stayed reserved.
#[test]
fn an_admission_that_cannot_be_written_to_its_end_holds_nothing() {
    let (memory, limits) = (Memory::default(), [budget("a", 10), budget("b", 10), budget("c", 10)]);
    for limit in &limits {
        let taken = admit(&memory, &mut Worker::new(3), &mut [want(limit, 1)], Asking::Never, now()).unwrap();
        settle(&memory, limit, &taken[0], 0, now());
    }
    let store = Refusing(&memory, "weir.quota/b/0", Mutex::new(0));
    let mut wants: Vec<Want<'_>> = limits.iter().map(|limit| want(limit, 4)).collect();
    assert_eq!(admit(&store, &mut Worker::new(1), &mut wants, Asking::Never, now()), Err(Refused::Lost));
    assert_eq!((taken_of(&memory, &limits[0]), taken_of(&memory, &limits[2])), ((0, 0), (0, 0)));
    assert!(admit(&memory, &mut Worker::new(2), &mut [want(&limits[0], 10)], Asking::Never, now()).is_ok());
}

#[test]
fn what_a_worker_left_pending_when_it_died_holds_nobody_up() {
    let (store, a) = (Memory::default(), budget("a", 10));
    let dead = Worker::new(9);
    assert!(open(&store, &dead.cell, 1));
    let _ = change(&store, &a, Whose::own(""), now(), |account| {
        account.pend(9, 1, 0, 10);
        (true, ())
    });
    assert!(admit(&store, &mut Worker::new(1), &mut [want(&a, 10)], Asking::Never, now()).is_ok());
    assert_eq!(taken_of(&store, &a), (0, 10));
}

/// A request of one thread: what it wants of which limits, and whether it must be admitted whenever it is asked for.
struct Ask {
    wants: Vec<(usize, u128)>,
    always_fits: bool,
}

/// Runs threads whose every read and write is a step in an order of `seed`'s. No write may exceed a limit, nobody who
/// fits may be refused, and in the end all is given back.
fn interleave(amounts: &[u128], threads: &[Vec<Ask>], seed: u64) {
    let limits: Vec<Limit> = amounts.iter().enumerate().map(|(n, amount)| budget(&format!("l{n}"), *amount)).collect();
    let (memory, order) = (Memory::default(), Order::of(threads.len(), seed));
    let problems = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (thread, asks) in threads.iter().enumerate() {
            let (limits, memory, order, problems) = (&limits, &memory, &order, &problems);
            scope.spawn(move || {
                // A write happens while no other thread does anything, so the memory is as it says.
                let check = |key: &str, _: &[u8]| {
                    if key.starts_with("weir.quota/") {
                        for limit in limits {
                            let (settled, held) = taken_of(memory, limit);
                            if settled + held > limit.most() {
                                problems.lock().unwrap().push(format!("{} has {settled} + {held}", limit.name));
                            }
                        }
                    }
                };
                let store = Stepped { memory, order, thread, seen: check };
                let mut worker = Worker::new(thread as u64 + 1);
                for ask in asks {
                    let mut wants: Vec<Want<'_>> =
                        ask.wants.iter().map(|(n, amount)| want(&limits[*n], *amount)).collect();
                    for (want, (n, _)) in wants.iter_mut().zip(&ask.wants) {
                        want.number = *n;
                    }
                    match admit(&store, &mut worker, &mut wants, Asking::Never, now()) {
                        Ok(taken) => give_back(&store, limits, &taken, 0),
                        Err(refused) if ask.always_fits => {
                            problems.lock().unwrap().push(format!("thread {thread}: {refused:?}"));
                        }
                        Err(_) => {}
                    }
                }
                order.leave(thread);
            });
        }
    });
    assert_eq!(problems.into_inner().unwrap(), Vec::<String>::new(), "seed {seed}");
    for limit in &limits {
        assert_eq!(taken_of(&memory, limit), (0, 0), "seed {seed}");
    }
}

fn ask(wants: &[(usize, u128)], always_fits: bool) -> Ask {
    Ask { wants: wants.to_vec(), always_fits }
}

/// One takes of the first limit and then finds the second too small; the other was refused because of what it gives back.
#[test]
fn nobody_is_refused_because_of_what_comes_to_nothing() {
    for seed in 0..400 {
        let hopeless = || (0..4).map(|_| ask(&[(0, 1), (1, 9)], false)).collect();
        let modest = (0..4).map(|_| ask(&[(0, 1)], true)).collect();
        interleave(&[1, 1], &[hopeless(), modest, hopeless()], seed);
        let careful = (0..4).map(|_| ask(&[(0, 1), (2, 1)], true)).collect();
        interleave(&[1, 1, 1], &[hopeless(), careful, hopeless()], seed);
    }
}

/// Each wants what the other has first.
#[test]
fn those_who_fit_together_are_all_admitted_whatever_the_order() {
    for seed in 0..300 {
        let one = |wants: &[(usize, u128)]| (0..3).map(|_| ask(wants, true)).collect::<Vec<_>>();
        interleave(&[3, 3, 3], &[one(&[(0, 1), (1, 1), (2, 1)]), one(&[(2, 1), (1, 1)]), one(&[(1, 1), (0, 1)])], seed);
    }
}

#[test]
fn no_limit_is_ever_exceeded() {
    for seed in 0..150 {
        let greedy = |amount| (0..5).map(|_| ask(&[(0, amount), (1, amount)], false)).collect::<Vec<_>>();
        interleave(&[5, 4], &[greedy(2), greedy(3), greedy(1), greedy(4)], seed);
    }
}

/// Threads as they come, without an order: a count at the end.
#[test]
fn many_threads_spend_a_budget_to_its_last_token() {
    let (memory, limits) = (Memory::default(), [budget("a", 1000), budget("b", 10_000)]);
    let spent: u128 = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let (memory, limits) = (&memory, &limits);
                scope.spawn(move || {
                    let mut worker = Worker::new(thread + 1);
                    let mut spent = 0;
                    loop {
                        let mut wants = [want(&limits[0], 3), want(&limits[1], 3)];
                        wants[1].number = 1;
                        match admit(memory, &mut worker, &mut wants, Asking::Never, now()) {
                            Ok(taken) => {
                                spent += 1;
                                give_back(memory, limits, &taken, 1);
                            }
                            Err(Refused::Short(Shortfall { wait: Some(_), .. })) => thread::yield_now(),
                            Err(_) => return spent,
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((spent, taken_of(&memory, &limits[0]), taken_of(&memory, &limits[1])), (998, (998, 0), (998, 0)));
}
