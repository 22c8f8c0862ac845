//! Several Envoys over a network that loses, repeats and reorders what they tell.

use super::super::super::testing::Random;
use super::super::super::upkeep;
use super::*;

/// A message that is on its way.
struct Under {
    to: usize,
    body: Vec<u8>,
    sent: Sent,
    at: Instant,
}

/// Envoys that admit, settle, die and report in random order, over a network that loses, repeats and reorders messages, or all of
/// them for some time. What was used in each window, by what control knows in the end.
fn runs(limit: &Limit, most: u128, seed: u64) {
    let random = &mut Random::of(seed);
    let (mut control, mut now) = (Control::default(), ms(0));
    let mut envoys: Vec<Envoy> = (0..3).map(|n| Envoy::new(&format!("e{n}"), n + 1, now)).collect();
    let mut under: Vec<Under> = vec![];
    let (mut used, mut debt) = (BTreeMap::<u64, u128>::new(), 0_u128);
    let mut silent_until = now;
    for _ in 0..600 {
        now = now.after(Duration::from_millis(random.below(120)));
        let at = usize::try_from(random.below(3)).unwrap();
        let envoy = &mut envoys[at];
        let silent = now < silent_until;
        match random.below(100) {
            0..45 => {
                let amount = u128::from(random.below(30) + 1);
                envoy.admits(&mut control, limit, amount, !silent && random.below(10) > 0, now);
            }
            45..75 => {
                if let Some(taken) = envoy.taken.first() {
                    // Some cost more than was reserved.
                    let more = if random.below(20) == 0 { 5 } else { 0 };
                    let amount = u128::from(random.below(u64::try_from(taken.amount).unwrap() + 1)) + more;
                    let amount = if matches!(limit.kind, Kind::Concurrency { .. }) { 1 } else { amount };
                    debt += more;
                    *used.entry(envoy.settles(limit, 0, amount, now)).or_default() += amount;
                }
            }
            75..90 => {
                if let Some((post, sent)) =
                    report(&envoy.memory, core::slice::from_ref(limit), Which::Due(0), false, now)
                {
                    if random.below(3) == 0 {
                        // It comes twice.
                        control.answers(core::slice::from_ref(limit), &post.body, now);
                    }
                    under.push(Under { to: at, body: post.body, sent, at: now });
                }
            }
            90..96 if !silent && !under.is_empty() => {
                let which = usize::try_from(random.below(under.len() as u64)).unwrap();
                let Under { to, body, sent, at } = under.swap_remove(which);
                let answer = control.answers(core::slice::from_ref(limit), &body, now);
                // A later one is dropped by a timer.
                if now - at < Duration::from_secs(1) && random.below(4) > 0 {
                    answered(&envoys[to].memory, &sent, &answer, now);
                }
            }
            96 => {
                // A worker dies, and with it what it had reserved.
                let id = envoy.worker.id();
                upkeep::forget(&envoy.memory, core::slice::from_ref(limit), now, |worker| worker != id);
                envoy.taken.clear();
                envoy.worker = Worker::new(id + 10);
                envoy.worker.shares();
            }
            97 if limit.alone == Alone::Closed => silent_until = now.after(Duration::from_secs(random.below(9))),
            _ => {}
        }
        let mut sums = BTreeMap::<u64, u128>::new();
        for envoy in &envoys {
            for (window, settled, reserved, _) in envoy.leases(limit, now) {
                *sums.entry(window).or_default() += settled + reserved;
            }
        }
        for (window, sum) in sums {
            assert!(sum <= most.saturating_add(debt), "seed {seed}: {sum} in {window}");
        }
    }
    for envoy in &mut envoys {
        while !envoy.taken.is_empty() {
            let window = envoy.settles(limit, 0, 1, now);
            *used.entry(window).or_default() += 1;
        }
    }
    for _ in 0..80 {
        now = now.after(Duration::from_millis(200));
        for envoy in &envoys {
            envoy.reports(&mut control, limit, now);
        }
    }
    for envoy in &envoys {
        assert_eq!(envoy.leases(limit, now), [], "seed {seed}: an idle account gives its lease back");
    }
    for (account, pool) in &control.pools {
        let standing = pool.standing(&Control::rule(limit, account));
        assert_eq!((standing.leased, standing.reserved), (0, 0), "seed {seed}: {standing:?}");
        if matches!(limit.kind, Kind::Budget { .. }) {
            let used = used.get(&account.window_ms).copied().unwrap_or_default();
            assert_eq!((standing.spent, standing.lost), (used, 0), "seed {seed}");
        }
    }
}

#[test]
fn a_budget_is_never_exceeded_and_all_that_was_used_arrives() {
    for seed in 0..25 {
        runs(&budget(400), 400, seed);
        let windows = Windows::Regular { from: 0, length: 7 };
        runs(&limit(Kind::Budget { amount: 150, windows }, Alone::Closed), 150, seed);
    }
}

#[test]
fn concurrency_is_never_exceeded() {
    for seed in 0..20 {
        runs(&limit(Kind::Concurrency { amount: 100 }, Alone::Closed), 100, seed);
    }
}

#[test]
fn a_rate_gives_all_back() {
    for seed in 0..15 {
        let kind = Kind::Rate { amount: 50, period: 1_000_000_000, burst: 200 };
        runs(&limit(kind, Alone::Closed), u128::MAX, seed);
    }
}
