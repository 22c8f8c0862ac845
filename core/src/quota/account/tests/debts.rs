//! Debts of a budget, and what is none.

use super::*;

fn days(amount: u128, length: u64) -> Limit {
    limit(Kind::Budget { amount, windows: Windows::Regular { from: 0, length } })
}

#[test]
fn a_smaller_amount_makes_no_debt_of_what_was_allowed() {
    let mut account = Account::of("");
    let window = account.advance(&budget(100), secs(150)).start;
    account.hold(&budget(100), W, window, 90);
    settle(&mut account, &budget(100), window, 90, 90);
    assert_eq!(left(&mut account, &budget(10), secs(150)), 0);
    settle(&mut account, &budget(10), window, 0, 3);
    assert_eq!(left(&mut account, &budget(10), secs(200)), 7, "only what nobody had reserved");
}

#[test]
fn shorter_windows_make_no_debt_of_what_was_allowed() {
    let (long, short) = (days(1000, 1000), days(10, 100));
    let mut account = Account::of("");
    let window = account.advance(&long, secs(1150)).start;
    account.hold(&long, W, window, 500);
    settle(&mut account, &long, window, 300, 300);
    assert_eq!(left(&mut account, &short, secs(1160)), 10);
    settle(&mut account, &long, window, 200, 200);
    assert_eq!(left(&mut account, &short, secs(1160)), 10, "it was admitted in the long one");
}

#[test]
fn a_debt_that_comes_of_two_is_one_and_less_use_pays_it() {
    let limit = &budget(100);
    let mut account = Account::of("");
    let window = account.advance(limit, secs(150)).start;
    account.hold(limit, W, window, 100);
    settle(&mut account, limit, window, 50, 60);
    assert_eq!(account.debts.own, 10);
    account.advance(limit, secs(200));
    assert_eq!(left(&mut account, limit, secs(200)), 100, "nothing is owed yet");
    settle(&mut account, limit, window, 25, 25);
    settle(&mut account, limit, window, 20, 20);
    assert_eq!(left(&mut account, limit, secs(200)), 95);
    settle(&mut account, limit, window, 5, 0);
    assert_eq!(left(&mut account, limit, secs(200)), 95);
    assert_eq!(left(&mut account, limit, secs(300)), 100, "it was paid");
}

#[test]
fn a_credit_and_a_larger_amount_pay_a_debt() {
    let overdrawn = || {
        let mut account = Account::of("");
        let window = account.advance(&budget(100), secs(150)).start;
        settle(&mut account, &budget(100), window, 0, 120);
        account
    };
    let mut account = overdrawn();
    account.credit(&budget(100), 15);
    assert_eq!(left(&mut account, &budget(50), secs(200)), 45);
    let mut account = overdrawn();
    assert_eq!(left(&mut account, &budget(115), secs(200)), 110);
}

/// A debt of more than a window's amount takes the next ones.
#[test]
fn a_large_debt_goes_from_window_to_window() {
    let limit = &budget(10);
    let mut account = Account::of("");
    let window = account.advance(limit, secs(150)).start;
    settle(&mut account, limit, window, 0, 35);
    for (second, left_over) in [(200, 0), (300, 0), (400, 5), (500, 10)] {
        assert_eq!(left(&mut account, limit, secs(second)), left_over, "{second}");
    }
    settle(&mut account, limit, 500_000, 0, 15);
    assert_eq!(left(&mut account, limit, secs(700)), 10, "a window in which nothing was used has paid");
}

/// A worker that has the earlier configuration still goes by shorter windows: what either counts is lost for neither.
#[test]
fn two_configurations_at_once_lose_nothing_of_longer_windows() {
    let (short, long) = (days(100, 100), days(1000, 1000));
    let mut account = Account::of("");
    let day = account.advance(&short, secs(1150)).start;
    account.hold(&short, W, day, 50);
    settle(&mut account, &short, day, 30, 30);
    let month = account.advance(&long, secs(1151)).start;
    assert_eq!(account.standing(&long, secs(1151)).left(), 950, "with what is under way");
    settle(&mut account, &long, month, 0, 40);
    settle(&mut account, &short, day, 20, 5);
    assert_eq!(account.standing(&long, secs(1151)).left(), 925);
    let day = account.advance(&short, secs(1152)).start;
    settle(&mut account, &short, day, 0, 7);
    assert_eq!(left(&mut account, &short, secs(1152)), 58);
    assert_eq!(left(&mut account, &long, secs(1152)), 918);
    // And back again: the shorter windows were a mistake.
    let mut account = Account::of("");
    let month = account.advance(&long, secs(1150)).start;
    settle(&mut account, &long, month, 0, 100);
    let day = account.advance(&short, secs(1151)).start;
    settle(&mut account, &short, day, 0, 7);
    assert_eq!(left(&mut account, &long, secs(1152)), 893);
}
