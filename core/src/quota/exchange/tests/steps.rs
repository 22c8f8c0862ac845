//! Workers and a steward of one Envoy, whose every read and write is a step in an order that a seed decides.

use std::sync::Mutex;
use std::thread;

use super::super::super::testing::{Order, Stepped};
use super::*;

/// What a thread does.
#[derive(Clone, Copy)]
enum Part {
    /// Admits so much, so often, by two limits, and settles.
    Admits(u128, usize),
    /// Reports so often, as the steward does.
    Reports(usize),
}

/// No write may leave more reserved and used up than was granted; in the end control knows what was used.
fn interleave(parts: &[Part], seed: u64) {
    let limits = [budget(40), Limit { name: "m".into(), ..budget(60) }];
    let (memory, order) = (Memory::default(), Order::of(parts.len(), seed));
    memory.create(Link::KEY.as_str(), &Link::new("control", "a", ms(0)).write());
    let control = Mutex::new(Control::default());
    let (problems, used) = (Mutex::new(vec![]), Mutex::new(0));
    thread::scope(|scope| {
        for (thread, part) in parts.iter().enumerate() {
            let (limits, memory, order) = (&limits, &memory, &order);
            let (control, problems, used) = (&control, &problems, &used);
            scope.spawn(move || {
                let check = |key: &str, _: &[u8]| {
                    if !key.starts_with("weir.quota/") {
                        return;
                    }
                    for limit in limits {
                        each(memory, limit, ms(0), |_, account| {
                            let broken = account.leases.iter().filter(|lease| lease.held.debt() > 0);
                            problems.lock().unwrap().extend(broken.map(|lease| format!("{lease:?}")));
                        });
                    }
                };
                let store = Stepped { memory, order, thread, seen: check };
                let exchanged = |(post, sent): (Post, Sent)| {
                    let answer = control.lock().unwrap().answers(limits, &post.body, ms(1));
                    answered(&store, &sent, &answer, ms(1));
                };
                match *part {
                    Part::Reports(times) => {
                        for _ in 0..times {
                            report(&store, limits, Which::Due(0), false, ms(1)).map(exchanged);
                        }
                    }
                    Part::Admits(amount, times) => {
                        let mut worker = Worker::new(thread as u64 + 1);
                        worker.shares();
                        for round in 0..times {
                            let want =
                                |number: usize| Want { number, limit: &limits[number], subject: String::new(), amount };
                            let mut wants = [want(0), want(1)];
                            let mut taken = admit(&store, &mut worker, &mut wants, Asking::Again(0), ms(1));
                            for asked in 1..3 {
                                let Err(Refused::Lease(claims)) = &taken else { break };
                                ask(&store, claims, ms(1)).map(exchanged);
                                taken = admit(&store, &mut worker, &mut wants, Asking::Again(asked), ms(1));
                            }
                            let spends = u128::from(round % 2 == 0);
                            for taken in taken.unwrap_or_default() {
                                settle(&store, &limits[taken.number], &taken, spends, ms(1));
                                *used.lock().unwrap() += spends;
                            }
                        }
                    }
                }
                order.leave(thread);
            });
        }
    });
    assert_eq!(problems.into_inner().unwrap(), Vec::<String>::new(), "seed {seed}");
    let mut control = control.into_inner().unwrap();
    for tick in 0..80 {
        let now = ms(200 * tick + 2);
        if let Some((post, sent)) = report(&memory, &limits, Which::Due(0), false, now) {
            let answer = control.answers(&limits, &post.body, now);
            assert!(answered(&memory, &sent, &answer, now));
        }
    }
    let known = control.pools.values().map(|pool| pool.standing(&MONTH)).map(|known| (known.spent, known.leased));
    let known = known.fold((0, 0), |sum, known| (sum.0 + known.0, sum.1 + known.1));
    assert_eq!(known, (*used.lock().unwrap(), 0), "seed {seed}");
}

#[test]
fn no_lease_is_exceeded_whatever_the_order() {
    for seed in 0..60 {
        let parts = [Part::Admits(7, 5), Part::Admits(11, 5), Part::Reports(6), Part::Admits(3, 5)];
        interleave(&parts, seed);
    }
}
