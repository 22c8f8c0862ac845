use std::sync::Arc;
use std::time::Duration;

use weir_core::lease::{Account, Report, Standing, State};
use weir_core::quota::{Alone, Kind, Limit, Meter, Windows};
use weir_core::time::Instant;

use super::super::book::NoBook;
use super::super::limits::Limits;
use super::super::pools::Pools;
use super::super::store::{Address, Memory};

fn limit(amount: u128) -> Limit {
    Limit {
        name: "day".to_owned(),
        was: None,
        subjects: Vec::new(),
        meter: Meter::Tokens,
        kind: Kind::Budget { amount, windows: Windows::Regular { from: 0, length: 100 } },
        soft: false,
        alone: Alone::Open,
        values: 1,
    }
}

fn pools(store: &Memory, limit: &Limit) -> Pools {
    let limits = Limits::of(std::slice::from_ref(limit));
    Pools::new(Address::Memory(store.clone()), limits, Arc::new(NoBook), Arc::new(|_| {}))
}

fn secs(secs: u64) -> Instant {
    Instant::default().after(Duration::from_secs(secs))
}

/// Tells that one Envoy has used so much in a window: which was granted if control was asked, and else is a debt.
async fn used(pools: &Pools, sequence: u64, window: u64, settled: u128, unit: u32, now: Instant) -> usize {
    let account = Account { limit: "day".to_owned(), window_ms: window * 1000, ..Account::default() };
    let state = State { account, since: 1, settled, unit, ..State::default() };
    let report = Report { node: "n".to_owned(), start: 1, sequence, accounts: vec![state], ..Report::default() };
    pools.exchange(&report, now).await.unwrap().grants.len()
}

async fn standing(pools: &Pools, window: u64, now: Instant) -> Option<Standing> {
    let listed = pools.list(now).await.unwrap();
    listed.into_iter().find(|one| one.account.window_ms == window * 1000).map(|one| one.standing)
}

async fn spent(pools: &Pools, window: u64, now: Instant) -> Option<u128> {
    standing(pools, window, now).await.map(|standing| standing.spent)
}

#[tokio::test]
async fn a_debt_is_taken_from_the_next_window_first() {
    let store = Memory::default();
    let pools = pools(&store, &limit(100));
    used(&pools, 1, 100, 130, 0, secs(150)).await;
    used(&pools, 2, 200, 5, 0, secs(201)).await;
    assert_eq!(spent(&pools, 200, secs(201)).await, Some(35));
    // What shows only now, and comes twice, and too late.
    for sequence in [4, 4, 3] {
        used(&pools, sequence, 100, 140, 0, secs(210)).await;
        assert_eq!(spent(&pools, 200, secs(210)).await, Some(45));
    }
    assert_eq!(spent(&pools, 100, secs(210)).await, Some(140));
}

/// What is over of a large debt goes on, also where it shows two windows later.
#[tokio::test]
async fn a_large_debt_goes_from_window_to_window() {
    let pools = pools(&Memory::default(), &limit(100));
    used(&pools, 1, 100, 130, 0, secs(150)).await;
    used(&pools, 2, 200, 90, 0, secs(250)).await;
    used(&pools, 3, 300, 1, 0, secs(350)).await;
    assert_eq!(spent(&pools, 300, secs(350)).await, Some(21));
    used(&pools, 4, 100, 150, 0, secs(351)).await;
    assert_eq!(spent(&pools, 200, secs(351)).await, Some(140));
    assert_eq!(spent(&pools, 300, secs(351)).await, Some(41));
}

#[tokio::test]
async fn neither_a_smaller_amount_nor_a_soft_limit_makes_a_debt() {
    let store = Memory::default();
    let usual = pools(&store, &limit(100));
    used(&usual, 1, 100, 90, 0, secs(150)).await;
    let smaller = pools(&store, &limit(50));
    used(&smaller, 2, 100, 90, 0, secs(160)).await;
    used(&smaller, 3, 200, 1, 0, secs(201)).await;
    assert_eq!(spent(&smaller, 200, secs(201)).await, Some(1));
    let soft = pools(&Memory::default(), &Limit { soft: true, ..limit(100) });
    used(&soft, 1, 100, 130, 0, secs(150)).await;
    used(&soft, 2, 200, 1, 0, secs(201)).await;
    assert_eq!(spent(&soft, 200, secs(201)).await, Some(1));
}

/// Two controls at once: one wrote what the window before had owed a moment earlier.
#[tokio::test]
async fn a_sweep_brings_what_two_controls_missed() {
    let (store, limit) = (Memory::default(), limit(100));
    let one = pools(&store, &limit);
    used(&one, 1, 100, 130, 0, secs(150)).await;
    used(&one, 2, 200, 5, 0, secs(201)).await;
    // Its clock is behind, so that it brings nothing to a window that has not begun.
    used(&pools(&store, &limit), 3, 100, 135, 0, secs(199)).await;
    assert_eq!(spent(&one, 200, secs(202)).await, Some(35));
    for _ in 0..2 {
        one.sweep(secs(202)).await.unwrap();
        assert_eq!(spent(&one, 200, secs(202)).await, Some(40));
    }
}

#[tokio::test]
async fn a_credit_pays_a_debt() {
    let pools = pools(&Memory::default(), &limit(100));
    used(&pools, 1, 100, 130, 0, secs(150)).await;
    pools.credit("day", "", 20, "a test", secs(160)).await.unwrap();
    used(&pools, 2, 200, 5, 0, secs(201)).await;
    assert_eq!(spent(&pools, 200, secs(201)).await, Some(15));
}

/// Tokens were read as pico-dollars, and a rate's as a budget's.
#[tokio::test]
async fn a_limit_that_counts_something_else_begins_anew() {
    let (store, tokens) = (Memory::default(), Limit { kind: Kind::Concurrency { amount: 9 }, ..limit(100) });
    let ever = |meter| Limit { meter, kind: Kind::Budget { amount: 100, windows: Windows::Ever }, ..tokens.clone() };
    let rate = Kind::Rate { amount: 1, period: 1_000_000_000, burst: 100 };
    let kinds = [ever(Meter::Tokens), ever(Meter::Cost), Limit { kind: rate, ..tokens.clone() }, tokens.clone()];
    for (at, kind) in kinds.iter().enumerate() {
        let pools = pools(&store, kind);
        assert_eq!(used(&pools, 1, 0, 0, kind.unit(), secs(150)).await, 1, "{at}");
        assert_eq!(spent(&pools, 0, secs(150)).await, Some(0), "{at}");
        used(&pools, 2, 0, 40, kind.unit(), secs(151)).await;
        // An Envoy that knows only another configuration is not answered.
        let other = &kinds[(at + 1) % kinds.len()];
        assert_eq!(used(&pools, 3, 0, 70, other.unit(), secs(151)).await, 0, "{at}");
    }
    let pools = pools(&store, &kinds[0]);
    assert_eq!(spent(&pools, 0, secs(152)).await, Some(40), "as it was, if that was a mistake");
}
