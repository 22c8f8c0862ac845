//! What a rate lets pass, whatever ends when.

use super::super::super::testing::Random;
use super::*;

/// One that gave back what had drained already took others' parts out of the level: then three bursts passed at once.
#[test]
fn reservations_that_all_end_later_let_no_bursts_pass_at_once() {
    let limit = &rate(60, 10);
    let mut account = Account::of("");
    let mut under_way = vec![];
    for second in [0, 10, 20, 30] {
        account.advance(limit, secs(1000 + second));
        assert!(account.has_room(limit, 10, |_| true));
        under_way.push(account.drained());
        account.hold(limit, W, 0, 10);
    }
    // Only the last one's is in the level still.
    for drained in under_way.drain(..3) {
        account.settle(limit, W, (0, drained), 10, 0);
        assert_eq!(left(&mut account, limit, secs(1030)), 0);
    }
    account.settle(limit, W, (0, under_way[0]), 10, 4);
    assert_eq!(left(&mut account, limit, secs(1030)), 6);
}

/// A reservation, when it was made, and what was used of it.
struct Request {
    at: u64,
    drained: Drained,
    reserved: u128,
    used: u128,
}

/// Requests begin and end in an order that a seed decides. In no time is more used, by when it was admitted, than the burst and what
/// has refilled meanwhile.
#[test]
fn no_more_is_used_in_any_time_than_burst_and_refill() {
    for seed in 0..300 {
        let random = &mut Random::of(seed);
        let limit = &limit(Kind::Rate { amount: 7, period: 1_000_000_000, burst: 50 });
        let mut account = Account::of("");
        let (mut ms, mut under_way, mut ended) = (5000, vec![], vec![]);
        for _ in 0..300 {
            ms += random.below(3) * random.below(2000);
            let now = Instant::default().after(Duration::from_millis(ms));
            account.advance(limit, now);
            let reserved = u128::from(random.below(50) + 1);
            if random.below(2) == 0 && account.has_room(limit, reserved, |_| true) {
                under_way.push(Request { at: ms, drained: account.drained(), reserved, used: 0 });
                account.hold(limit, W, 0, reserved);
            } else if !under_way.is_empty() {
                let at = usize::try_from(random.below(under_way.len() as u64)).unwrap();
                let mut one = under_way.swap_remove(at);
                one.used = u128::from(random.below(u64::try_from(one.reserved).unwrap() + 1));
                // Some cost more than was reserved: a debt, which is none of what was let pass.
                let debt = if random.below(10) == 0 { 20 } else { 0 };
                let used = if debt > 0 { one.reserved + debt } else { one.used };
                one.used = one.used.max(used - debt);
                account.settle(limit, W, (0, one.drained), one.reserved, used);
                ended.push(one);
            }
        }
        // What is under way may be used to its end.
        ended.extend(under_way.into_iter().map(|one| Request { used: one.reserved, ..one }));
        ended.sort_by_key(|one| one.at);
        for (at, first) in ended.iter().enumerate() {
            let mut sum = 0;
            for one in &ended[at..] {
                sum += one.used;
                let most = 50_000 + 7 * u128::from(one.at - first.at);
                assert!(sum * 1000 <= most, "seed {seed}: {sum} from {} to {}", first.at, one.at);
            }
        }
    }
}

/// A level has others' parts, so nobody knows what of a dead worker's is there still.
#[test]
fn what_a_dead_worker_took_of_a_rate_refills() {
    let limit = &rate(60, 10);
    let mut account = Account::of("");
    account.advance(limit, secs(100));
    account.hold(limit, 8, 0, 6);
    assert!(account.forget(limit, |worker| worker != 8));
    assert!(account.held.is_empty());
    assert_eq!((left(&mut account, limit, secs(100)), left(&mut account, limit, secs(106))), (4, 10));
}

#[test]
fn a_new_period_gives_nobody_back_what_has_drained() {
    let hourly = &limit(Kind::Rate { amount: 3600, period: 3_600_000_000_000, burst: 10 });
    let by_minute = &rate(60, 10);
    let mut account = Account::of("");
    account.advance(by_minute, secs(100));
    let drained = account.drained();
    account.hold(by_minute, W, 0, 10);
    account.advance(hourly, secs(106));
    account.hold(hourly, 8, 0, 6);
    account.settle(by_minute, W, (0, drained), 10, 0);
    assert_eq!(left(&mut account, hourly, secs(106)), 0);
    account.advance(by_minute, secs(107));
    account.settle(by_minute, W, (0, drained), 0, 0);
    assert!(left(&mut account, by_minute, secs(107)) <= 1);
}
