//! Two Envoys with a control each, over one store that is killed under load: what was spent, what the ledger says and what the
//! provider bills are the same.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use weir_control::state::store::Address;
use weir_tests::{Control, Gateway, Postgres, Redis, Upstream, booked};

const CALLERS: usize = 16;

/// Asks until it is told to stop. A refusal may be tried again: nothing is spent.
async fn ask(gateway: &Gateway, ends: &AtomicBool, served: &AtomicU64) {
    while !ends.load(Ordering::Relaxed) {
        let answer = gateway.chat("gpt", "Tell me more").with(json!({ "max_tokens": 20 })).await;
        match answer.status() {
            200 => drop(served.fetch_add(1, Ordering::Relaxed)),
            429 => {
                assert_eq!(answer.header("x-should-retry"), "true", "{}", answer.text());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            _ => panic!("{}", answer.text()),
        }
    }
}

/// Kills the store again and again while two Envoys use one budget, with a control each.
async fn is_killed(store: &Address, mut kill: impl FnMut(), mut start_again: impl FnMut()) {
    let upstream = Upstream::sim().await;
    let quota = json!({ "budget": "1000000 tokens per month", "alone": "closed" });
    let builder = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).quota("shared", quota).workers(2);
    let limits = builder.limits();
    let (mut first, mut second) = (Control::over(store.clone()), Control::over(store.clone()));
    first.start(&limits).await;
    second.start(&limits).await;
    let one = builder.clone().shares(first.address(), "one").start().await;
    let gateways = [one, builder.shares(second.address(), "two").start().await];
    let (ends, served) = (AtomicBool::new(false), AtomicU64::new(0));
    let more = async || {
        let before = served.load(Ordering::Relaxed);
        while served.load(Ordering::Relaxed) < before + 50 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let breaks = async {
        for pause in [200, 7000] {
            more().await;
            kill();
            tokio::time::sleep(Duration::from_millis(pause)).await;
            start_again();
        }
        more().await;
        ends.store(true, Ordering::Relaxed);
    };
    tokio::join!(breaks, join_all((0..CALLERS).map(|caller| ask(&gateways[caller % 2], &ends, &served))));
    let billed: u64 = upstream.spent().values().map(|spent| spent.input + spent.output).sum();
    let mut standing = first.standing(&limits, "shared").await;
    while (standing.spent, standing.reserved) != (u128::from(billed), 0) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        standing = first.standing(&limits, "shared").await;
    }
    assert_eq!((standing.debts, standing.lost), (0, 0));
    assert_eq!(booked(&gateways, "shared"), u128::from(billed));
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_killed_under_load() {
    let Some(redis) = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]) else { return };
    let (address, redis) = (redis.address(), std::cell::RefCell::new(redis));
    is_killed(&address, || redis.borrow_mut().kill(), || redis.borrow_mut().start_again()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_killed_under_load() {
    let Some(postgres) = Postgres::start() else { return };
    let (address, postgres) = (postgres.address(), std::cell::RefCell::new(postgres));
    is_killed(&address, || postgres.borrow_mut().kill(), || postgres.borrow_mut().start_again()).await;
}
