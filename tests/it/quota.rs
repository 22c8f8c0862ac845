//! Limits of what callers may use: exact at any concurrency, and told in the caller's words.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use weir_tests::{Gateway, Manner, Upstream, eventually};

/// What a request of [`spend_it`] may at most answer with, in tokens.
const CAP: u64 = 20;

#[tokio::test]
async fn a_rate_of_requests_refuses_the_next_one_in_the_callers_words() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("gpt", ["sim/gpt-4o"])
        .quota("calls", json!({ "key": "each", "rate": "3 requests per hour" }))
        .start()
        .await;
    for left in ["2", "1", "0"] {
        let answer = gateway.chat("gpt", "Hi").await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(answer.header("x-ratelimit-limit-requests"), "3");
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), left);
        assert!(answer.header("x-ratelimit-reset-requests").contains('m'), "{:?}", answer.header_names());
        assert_eq!(answer.header("x-ratelimit-limit-tokens"), "", "the provider's are not the caller's");
    }
    for manner in Manner::all() {
        let refused = manner.ask(&gateway, "gpt", "Hi").await;
        assert_eq!(refused.status(), 429, "{}", refused.text());
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1190..=1200).contains(&wait), "{wait}");
        assert_eq!(refused.header("x-should-retry"), "false", "nobody waits for so long");
        assert!(refused.text().contains("calls"), "{}", refused.text());
    }
    let refused = gateway.chat("gpt", "Hi").await;
    assert_eq!(refused.code(), "rate_limit_exceeded");
    let record = gateway.record(refused.id()).await;
    assert_eq!((&record["outcome"], &record["status"]), (&json!("rate_limit_exceeded"), &json!(429)));
    assert_eq!(upstream.requests().len(), 3);
}

#[tokio::test]
async fn where_no_limit_applies_the_providers_headers_pass() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("gpt", ["sim/gpt-4o"])
        .quota("others", json!({ "user": "somebody", "rate": "3 requests per hour" }))
        .start()
        .await;
    let direct = upstream.asked_directly("/v1/chat/completions").json(json!({
        "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hi" }]
    }));
    let (direct, through) = (direct.await, gateway.chat("gpt", "Hi").await);
    let name = "x-ratelimit-limit-requests";
    assert_eq!(through.header(name), direct.header(name));
}

/// Asks with every caller until the budget is spent, as each is told to. How many tokens the simulator has billed.
async fn spend_it(gateway: &Gateway, upstream: &Upstream, callers: usize) -> u64 {
    let refused = AtomicU64::new(0);
    let ask = |_| async {
        loop {
            let answer = gateway.chat("gpt", "Tell me more").with(json!({ "max_tokens": CAP })).await;
            match answer.status() {
                200 => {}
                429 => {
                    assert_eq!(answer.code(), "insufficient_quota");
                    if answer.header("x-should-retry") == "false" {
                        return;
                    }
                    refused.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                _ => panic!("{}", answer.text()),
            }
        }
    };
    join_all((0..callers).map(ask)).await;
    let spent = upstream.spent();
    spent.values().map(|spent| spent.input + spent.output).sum()
}

#[tokio::test]
async fn sixty_four_callers_spend_a_budget_and_not_a_token_more() {
    const BUDGET: u64 = 20_000;
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("gpt", ["sim/gpt-4o"])
        .quota("tokens", json!({ "key": "team", "budget": format!("{BUDGET} tokens per month") }))
        .quota("calls", json!({ "budget": "100000 requests per day" }))
        .quota("each", json!({ "model": "each", "concurrency": 1000 }))
        .workers(4)
        .start()
        .await;
    let spent = spend_it(&gateway, &upstream, 64).await;
    assert!(spent <= BUDGET && spent * 100 >= BUDGET * 98, "{spent} of {BUDGET}");
}

#[tokio::test]
async fn a_hard_limit_of_tokens_caps_what_a_caller_leaves_open() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("gpt", ["sim/gpt-4o"])
        .quota("tokens", json!({ "budget": "100000 tokens per month" }))
        .quota("soft", json!({ "budget": "5 output tokens per month", "soft": true }))
        .start()
        .await;
    let sent = || upstream.requests().last().unwrap().json();
    assert_eq!(gateway.chat("gpt", "Hi").await.status(), 200);
    assert_eq!(sent()["max_completion_tokens"], 8192);
    assert_eq!(gateway.chat("gpt", "Hi").with(json!({ "max_tokens": 20 })).await.status(), 200);
    assert_eq!((&sent()["max_tokens"], &sent()["max_completion_tokens"]), (&json!(20), &Value::Null));
    let answer = gateway.chat("gpt", "Hi").with(json!({ "max_tokens": 9000 })).await;
    assert_eq!((answer.status(), &sent()["max_tokens"]), (200, &json!(8192)));
    assert_eq!(answer.header("x-weir-over-limit"), "soft");
    let too_much = "word ".repeat(400_000);
    let never = gateway.chat("gpt", &too_much).await;
    assert_eq!((never.status(), never.code().as_str()), (400, "request_exceeds_limit"), "{}", never.text());
    assert_eq!(never.header("retry-after"), "");
}

#[tokio::test]
async fn so_many_are_under_way_and_one_that_leaves_makes_room() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("gpt", ["sim/gpt-4o"])
        .model("slow", ["sim/gpt-4o+gap-50ms+tokens-500"])
        .quota("parallel", json!({ "key": "each", "concurrency": 2 }))
        .workers(2)
        .start()
        .await;
    for _ in 0..3 {
        let mut first = gateway.chat("slow", "Hi").streamed().open().await;
        let mut second = gateway.chat("slow", "Hi").streamed().open().await;
        assert!(first.event().await.is_some() && second.event().await.is_some());
        let refused = gateway.chat("gpt", "Hi").await;
        assert_eq!((refused.status(), refused.code().as_str()), (429, "rate_limit_exceeded"), "{}", refused.text());
        assert_eq!((refused.header("retry-after"), refused.header("x-should-retry")), ("1", "true"));
        first.hang_up();
        second.hang_up();
        while gateway.chat("gpt", "Hi").await.status() != 200 {}
    }
}

#[tokio::test]
async fn a_target_whose_limit_is_spent_is_passed_over_and_the_last_one_is_told() {
    let (first, second) = (Upstream::called("first").await, Upstream::called("second").await);
    let gateway = Gateway::with(&first)
        .and(&second)
        .model("gpt", ["first/gpt-4o", "second/gpt-4o"])
        .quota("first", json!({ "provider": "first", "budget": "2 requests per day" }))
        .quota("targets", json!({ "target": "each", "budget": "3 requests per day" }))
        .start()
        .await;
    for provider in ["first", "first", "second", "second", "second"] {
        let answer = gateway.chat("gpt", "Hi").await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let record = gateway.record(answer.id()).await;
        assert_eq!(record["provider"], provider);
        if provider == "second" {
            assert_eq!(record["passed_over"], json!([{ "target": "first/gpt-4o", "why": "limit first" }]));
        }
    }
    let refused = gateway.chat("gpt", "Hi").await;
    assert_eq!((refused.status(), refused.code().as_str()), (429, "insufficient_quota"), "{}", refused.text());
    assert_eq!(gateway.record(refused.id()).await["passed_over"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_new_configuration_goes_on_with_what_was_spent() {
    let upstream = Upstream::sim().await;
    let quota = |amount: u64| json!({ "key": "each", "budget": format!("{amount} requests per month") });
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).quota("calls", quota(2));
    let mut gateway = gateway.start().await;
    for status in [200, 200, 429] {
        assert_eq!(gateway.chat("gpt", "Hi").await.status(), status);
    }
    gateway.becomes(|builder| builder.quota("calls", quota(3))).await;
    for status in [200, 429] {
        assert_eq!(gateway.chat("gpt", "Hi").await.status(), status);
    }
}

/// A wasm VM that fails takes with it what its requests had reserved, without a word; natively only the role fails.
#[tokio::test]
async fn what_a_worker_that_failed_had_reserved_is_given_back() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("gpt", ["sim/gpt-4o"])
        .model("fails", ["sim/gpt-4o"])
        .model("slow", ["sim/gpt-4o+gap-50ms+tokens-900"])
        .quota("parallel", json!({ "concurrency": 2 }))
        .quota("tokens", json!({ "budget": "10000 tokens per day" }))
        .failing_on("fails")
        .start()
        .await;
    let mut stream = gateway.chat("slow", "Hi").with(json!({ "max_tokens": 1000 })).streamed().open().await;
    assert!(stream.event().await.is_some());
    assert!(gateway.chat("fails", "Hi").with(json!({ "max_tokens": 8000 })).await.status() >= 500);
    drop(stream);
    let ask = || gateway.chat("gpt", "Hi").with(json!({ "max_tokens": 8000 }));
    loop {
        let answer = ask().await;
        match answer.status() {
            200 => break,
            429 | 500.. => tokio::time::sleep(Duration::from_millis(200)).await,
            _ => panic!("{}", answer.text()),
        }
    }
    assert_eq!(ask().await.status(), 200, "all of it is back");
}

#[tokio::test]
async fn a_later_try_takes_what_its_own_target_allows() {
    let (first, second) = (Upstream::called("first").await, Upstream::called("second").await);
    let gateway = Gateway::with(&first)
        .and(&second)
        .model("gpt", ["first/fault-503", "second/gpt-4o", "first/gpt-4o"])
        .quota("second", json!({ "provider": "second", "budget": "2 requests per day" }))
        .start()
        .await;
    for (provider, tries) in [("second", 2), ("second", 2), ("first", 2), ("first", 2)] {
        let answer = gateway.chat("gpt", "Hi").await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let record = gateway.record(answer.id()).await;
        assert_eq!((record["provider"].as_str(), record.tries().len()), (Some(provider), tries), "{}", *record);
        let passed_over = json!([{ "target": "second/gpt-4o", "why": "limit second" }]);
        assert_eq!(record["passed_over"], if provider == "first" { passed_over } else { json!([]) });
    }
    assert_eq!(second.requests().len(), 2);
}

/// Both providers may bill, and only one try was reserved for.
#[tokio::test]
async fn a_failover_needs_room_for_what_the_failed_try_may_be_billed() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("billed", ["sim/fault-503", "sim/gpt-4o"])
        .model("unbilled", ["sim/fault-429", "sim/gpt-4o"])
        .quota("tokens", json!({ "budget": "2000 tokens per month" }))
        .start()
        .await;
    let ask = |model, cap: u64| gateway.chat(model, "Hi").with(json!({ "max_tokens": cap }));
    assert_eq!(ask("billed", 900).await.status(), 200);
    let answer = ask("unbilled", 1800).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let told = ask("billed", 1800).await;
    assert_eq!((told.status(), told.code().as_str()), (503, "upstream_unavailable"), "{}", told.text());
    assert!(told.message().contains("Not asked: sim/gpt-4o (limit tokens)"), "{}", told.message());
    let record = gateway.record(told.id()).await;
    assert_eq!(record.tries().len(), 1, "{}", *record);
    assert_eq!(record["passed_over"], json!([{ "target": "sim/gpt-4o", "why": "limit tokens" }]));
    assert_eq!(ask("unbilled", 1800).await.status(), 200, "nothing stays taken");
}

/// The sum of what a limit's accounts were settled with, by the records.
fn spent(gateway: &Gateway, limit: &str) -> u64 {
    let records = gateway.records();
    let limits = records.iter().filter_map(|record| record["limits"].as_array()).flatten();
    limits.filter(|spent| spent["limit"] == limit).filter_map(|spent| spent["spent"].as_u64()).sum()
}

#[tokio::test]
async fn a_budget_of_dollars_holds_and_the_records_sum_is_what_was_spent() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("gpt", ["sim/gpt-4o"])
        .costing(&json!({ "input": 2.5, "output": 10 }))
        .quota("dollars", json!({ "key": "each", "budget": "0.02 USD per month" }))
        .quota("tokens", json!({ "budget": "1000000 tokens per month" }))
        .workers(4)
        .start()
        .await;
    let billed = spend_it(&gateway, &upstream, 16).await;
    let sums = upstream.spent();
    // Pico-dollars: 2.5 dollars a million tokens, and 10.
    let cost: u64 = sums.values().map(|spent| spent.input * 2_500_000 + spent.output * 10_000_000).sum();
    let budget = 20_000_000_000;
    assert!(cost <= budget && cost * 100 >= budget * 95, "{cost}");
    while gateway.records().iter().filter(|record| record["outcome"] == "ok").count() < upstream.requests().len() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((spent(&gateway, "dollars"), spent(&gateway, "tokens")), (cost, billed));
    let told: u64 = gateway.records().iter().filter_map(|record| record["cost_picodollars"].as_u64()).sum();
    assert_eq!(told, cost);
}

/// A caller who hangs up pays for what was made for it, and an answer that bills more than was reserved leaves a debt.
#[tokio::test]
async fn what_was_used_is_settled_however_the_request_ends() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("slow", ["sim/gpt-4o+gap-20ms+tokens-500"])
        .model("hidden", ["sim/gpt-4o+reasoning-5000"])
        .model("gpt", ["sim/gpt-4o"])
        .model("fails", ["sim/fault-429"])
        .quota("tokens", json!({ "budget": "6000 tokens per month" }))
        .start()
        .await;
    let cap = || json!({ "max_tokens": 600 });
    let mut stream = gateway.chat("slow", "Hi").with(cap()).streamed().open().await;
    let id = stream.id();
    for _ in 0..10 {
        stream.event().await.expect("a token");
    }
    stream.hang_up();
    let record = gateway.record(&id).await;
    let left = record["limits"][0]["spent"].as_u64().unwrap();
    assert!((10..200).contains(&left), "{}", *record);
    assert_eq!(record["tries"][0]["tokens"]["estimated"], true);

    let refused = gateway.chat("fails", "Hi").with(cap()).await;
    assert_eq!(gateway.record(refused.id()).await["limits"][0]["spent"], 0, "nobody bills a 429");

    let answer = gateway.chat("hidden", "Hi").with(cap()).await;
    let record = gateway.record(answer.id()).await;
    assert!(record["limits"][0]["spent"].as_u64() > Some(5000), "{}", *record);
    let refused = gateway.chat("gpt", "Hi").with(json!({ "max_tokens": 1500 })).await;
    assert_eq!((refused.status(), refused.header("x-should-retry")), (429, "false"), "{}", refused.text());
}

#[tokio::test]
async fn teams_users_and_applications_have_limits_of_their_own() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("gpt", ["sim/gpt-4o"])
        .section("teams", json!({ "search": {}, "ads": {} }))
        .section("application_header", json!("x-application"))
        .key_with("one", "weir-test-key-of-one", json!({ "team": "search" }))
        .key_with("two", "weir-test-key-of-two", json!({ "team": "search" }))
        .key_with("three", "weir-test-key-of-three", json!({ "team": "ads" }))
        .quota("team", json!({ "team": "search", "budget": "3 requests per day" }))
        .quota("users", json!({ "team": "ads", "user": "each", "budget": "1 requests per day" }))
        .quota("apps", json!({ "application": "each", "budget": "1 requests per day" }))
        .start()
        .await;
    let ask = |key: &str, more: Value| gateway.chat("gpt", "Hi").key(&format!("weir-test-key-of-{key}")).with(more);
    for (key, status) in [("one", 200), ("two", 200), ("one", 200), ("two", 429), ("three", 200)] {
        let answer = ask(key, json!({})).await;
        assert_eq!(answer.status(), status, "{}", answer.text());
    }
    for (user, status) in [("a", 200), ("b", 200), ("a", 429)] {
        assert_eq!(ask("three", json!({ "user": user })).await.status(), status, "{user}");
    }
    for (application, status) in [("x", 200), ("y", 200), ("x", 429)] {
        let answer = ask("three", json!({})).header("x-application", application).await;
        assert_eq!(answer.status(), status, "{application}: {}", answer.text());
    }
    // The refused one may be written first, and has spent nothing.
    let of_a = || gateway.records().into_iter().find(|record| record["user"] == "a" && record["outcome"] == "ok");
    let record = eventually("the record", of_a).await;
    assert_eq!(record["limits"][0]["subject"], "ads/a", "{}", *record);
}

/// The second try of the same target met the reservation of the first.
#[tokio::test]
async fn a_request_does_not_stand_in_its_own_way() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("gpt", ["sim/fault-503+times-1", "sim/gpt-4o"])
        .quota("provider", json!({ "provider": "sim", "concurrency": 1 }))
        .quota("calls", json!({ "provider": "sim", "budget": "10 requests per day" }))
        .start()
        .await;
    let answer = gateway.chat("gpt", "Hi").await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(gateway.record(answer.id()).await.tries().len(), 2);
    assert_eq!(gateway.chat("gpt", "Hi").await.status(), 200, "and nothing stays taken");
}
