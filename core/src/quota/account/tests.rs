use alloc::vec;
use core::time::Duration;

use super::super::limit::{Alone, Meter, VALUES};
use super::super::pack::{Packed, Unpacked};
use super::super::window::Windows;
use super::*;

mod debts;
mod rate;

fn limit(kind: Kind) -> Limit {
    let (was, subjects) = (None, vec![]);
    Limit {
        name: "l".into(),
        was,
        subjects,
        meter: Meter::Tokens,
        kind,
        soft: false,
        alone: Alone::Open,
        values: VALUES,
    }
}

fn rate(amount: u64, burst: u64) -> Limit {
    limit(Kind::Rate { amount, period: 60_000_000_000, burst })
}

fn budget(amount: u128) -> Limit {
    limit(Kind::Budget { amount, windows: Windows::Regular { from: 0, length: 100 } })
}

fn secs(secs: u64) -> Instant {
    Instant::default().after(Duration::from_secs(secs))
}

fn left(account: &mut Account, limit: &Limit, now: Instant) -> u128 {
    account.advance(limit, now);
    account.standing(limit, now).left()
}

const W: u64 = 7;

/// Settles what was reserved at this moment.
fn settle(account: &mut Account, limit: &Limit, window: u64, reserved: u128, used: u128) {
    let drained = account.drained();
    account.settle(limit, W, (window, drained), reserved, used);
}

#[test]
fn a_rate_refills_continuously_up_to_its_burst() {
    let limit = &rate(60, 10);
    let mut account = Account::of("");
    assert_eq!(left(&mut account, limit, secs(1000)), 10);
    account.hold(limit, W, 0, 10);
    assert_eq!(left(&mut account, limit, secs(1000)), 0);
    assert_eq!(account.wait(limit, 3, secs(1000)), Some(3000));
    assert_eq!(left(&mut account, limit, secs(1003)), 3);
    settle(&mut account, limit, 0, 10, 4);
    assert_eq!(left(&mut account, limit, secs(1003)), 9, "six come back");
    assert_eq!(left(&mut account, limit, secs(2000)), 10, "and no more than the burst");
    settle(&mut account, limit, 0, 0, 25);
    assert_eq!(left(&mut account, limit, secs(2000)), 0, "a debt");
    assert_eq!(left(&mut account, limit, secs(2016)), 1, "it is paid first");
    assert_eq!(account.wait(limit, 11, secs(2016)), None, "never");
}

/// With an hour as its period, what refills in a microsecond is less than a unit; it was lost.
#[test]
fn a_rate_that_is_asked_often_refills_as_fast() {
    let limit = &limit(Kind::Rate { amount: 3600, period: 3_600_000_000_000, burst: 100 });
    let mut account = Account::of("");
    account.advance(limit, secs(10));
    account.hold(limit, W, 0, 100);
    for micros in 0..1_000_000 {
        account.advance(limit, secs(10).after(Duration::from_micros(micros * 5)));
    }
    assert_eq!(left(&mut account, limit, secs(15)), 5);
}

#[test]
fn a_clock_that_steps_is_followed() {
    let limit = &rate(60, 10);
    let mut account = Account::of("");
    account.advance(limit, secs(10_000));
    account.hold(limit, W, 0, 10);
    assert_eq!(left(&mut account, limit, secs(9_999)), 0, "another worker's clock is a little behind");
    assert_eq!(left(&mut account, limit, secs(10_000)), 0, "so nothing refilled twice");
    assert_eq!(left(&mut account, limit, secs(5000)), 0);
    assert_eq!(left(&mut account, limit, secs(5004)), 4, "it goes on from the new time");

    let limit = &budget(10);
    let mut account = Account::of("");
    account.advance(limit, secs(150));
    settle(&mut account, limit, 100_000, 0, 4);
    assert_eq!(left(&mut account, limit, secs(950)), 10, "the clock was wrong");
    settle(&mut account, limit, 900_000, 0, 1);
    assert_eq!(left(&mut account, limit, secs(150)), 6, "and is right again");
    assert_eq!(left(&mut account, limit, secs(950)), 9);
}

#[test]
fn a_request_counts_in_the_window_in_which_it_was_admitted() {
    let limit = &budget(10);
    let mut account = Account::of("");
    let first = account.advance(limit, secs(199)).start;
    account.hold(limit, W, first, 6);
    assert_eq!((first, left(&mut account, limit, secs(199))), (100_000, 4));
    assert_eq!(left(&mut account, limit, secs(200)), 10, "a new window");
    settle(&mut account, limit, first, 6, 5);
    assert_eq!(left(&mut account, limit, secs(200)), 10);
    assert_eq!(account.other, (100_000, 5));
    assert!(account.is_idle(limit));
    assert_eq!(left(&mut account, limit, Instant::from_nanos(199_999_000_000)), 10, "a worker that is a little behind");
}

#[test]
fn a_debt_is_taken_from_the_next_window_first() {
    let limit = &budget(10);
    let mut account = Account::of("");
    let first = account.advance(limit, secs(150)).start;
    account.hold(limit, W, first, 3);
    settle(&mut account, limit, first, 1, 12);
    assert_eq!(left(&mut account, limit, secs(150)), 0);
    assert_eq!(left(&mut account, limit, secs(200)), 8, "two too many");
    settle(&mut account, limit, first, 2, 3);
    assert_eq!(left(&mut account, limit, secs(200)), 5, "and what shows only now");
    let soft = &Limit { soft: true, ..budget(10) };
    let mut account = Account::of("");
    account.advance(soft, secs(150));
    settle(&mut account, soft, 100_000, 0, 12);
    assert_eq!(left(&mut account, soft, secs(200)), 10, "a soft limit owes nothing");
}

#[test]
fn a_new_amount_or_period_keeps_what_was_spent() {
    let mut account = Account::of("");
    account.advance(&budget(10), secs(150));
    settle(&mut account, &budget(10), 100_000, 0, 4);
    assert_eq!(left(&mut account, &budget(7), secs(150)), 3);
    let mut account = Account::of("");
    account.advance(&rate(60, 10), secs(1));
    account.hold(&rate(60, 10), W, 0, 6);
    let hourly = &limit(Kind::Rate { amount: 3600, period: 3_600_000_000_000, burst: 10 });
    assert_eq!(left(&mut account, hourly, secs(1)), 4);
    assert_eq!(left(&mut account, hourly, secs(3)), 6);
}

/// The account stayed in the short window until the next long one.
#[test]
fn a_longer_window_has_what_was_spent_in_the_shorter_one() {
    let long = &limit(Kind::Budget { amount: 50, windows: Windows::Regular { from: 50, length: 1000 } });
    let mut account = Account::of("");
    account.advance(&budget(10), secs(150));
    settle(&mut account, &budget(10), 100_000, 0, 4);
    assert_eq!(account.advance(long, secs(160)).start, 50_000);
    assert_eq!(left(&mut account, long, secs(160)), 46);
}

#[test]
fn what_a_dead_worker_held_comes_back_once() {
    for limit in [budget(10), limit(Kind::Concurrency { amount: 10 })] {
        let mut account = Account::of("");
        let window = account.advance(&limit, secs(150)).start;
        account.hold(&limit, W, window, 6);
        account.hold(&limit, 8, window, 2);
        account.pend(W, 1, window, 1);
        assert!(!account.forget(&limit, |_| true));
        assert!(account.forget(&limit, |worker| worker == 8));
        assert_eq!(left(&mut account, &limit, secs(150)), 8);
        settle(&mut account, &limit, window, 6, 0);
        assert_eq!(left(&mut account, &limit, secs(150)), 8, "it was not dead after all");
    }
}

#[test]
fn an_account_is_read_as_it_was_written_with_what_another_version_added() {
    let limit = &budget(u128::MAX);
    let mut account = Account::of("team/é");
    account.advance(limit, secs(150));
    settle(&mut account, limit, 100_000, 0, u128::MAX - 1);
    account.advance(limit, secs(250));
    account.hold(limit, u64::MAX, 200_000, 1 << 100);
    account.pend(3, 4, 200_000, 5);
    let packed = |account: &Account| {
        let mut to = Packed::default();
        account.pack(&mut to);
        to.end()
    };
    account.leased(200_000, secs(250)).reserve(7);
    account.leased(100_000, secs(250)).want(8);
    let bytes = packed(&account);
    // What versions wrote that knew no leases, or no units.
    let no_units = bytes.len() - [0_u8; 7].len();
    assert_eq!(bytes[no_units..], [0; 7], "what is new is at the end");
    assert_eq!(Account::unpack(&mut Unpacked::of(&bytes[..no_units])).as_ref(), Some(&account));
    let leases = core::mem::take(&mut account.leases);
    let no_leases = packed(&account).len() - [0_u8; 8].len();
    assert_eq!(Account::unpack(&mut Unpacked::of(&bytes[..no_leases])).as_ref(), Some(&account));
    account.leases = leases;
    (account.unit, account.drained, account.adopted) = (34, 1 << 90, u64::MAX);
    account.debts = Debts { own: 1, other: 2, moved: 3, nested: true };
    account.unknown = vec![1, 2, 3];
    let bytes = packed(&account);
    for len in (0..bytes.len() - 3).filter(|len| ![no_leases, no_units].contains(len)) {
        assert_eq!(Account::unpack(&mut Unpacked::of(&bytes[..len])), None, "{len}");
    }
    assert_eq!(Account::unpack(&mut Unpacked::of(&bytes)), Some(account));
}

#[test]
fn a_month_of_windows_passes_in_no_time() {
    let limit = &limit(Kind::Budget { amount: 10, windows: Windows::Regular { from: 0, length: 60 } });
    let mut account = Account::of("");
    for minute in 0..31 * 24 * 60_u64 {
        let window = account.advance(limit, secs(minute * 60 + 1)).start;
        assert!(account.has_room(limit, 10, |_| true), "{minute}");
        account.hold(limit, W, window, 10);
        assert!(!account.has_room(limit, 1, |_| true));
        settle(&mut account, limit, window, 10, 10);
    }
}
