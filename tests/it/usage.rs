//! What callers are told of their own usage: by control, from the ledger.

use serde_json::json;
use weir_tests::{Control, Gateway, KEY, Upstream, book};

/// Bob's key.
const BOB: &str = "weir-bob-0123456789";

#[tokio::test]
async fn each_caller_is_told_their_own_usage_and_limits() {
    let (upstream, mut control) = (Upstream::sim().await, Control::new());
    let builder = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).key("bob", BOB, &["gpt"]).workers(2);
    let builder = builder.quota("each", json!({ "key": "each", "budget": "100 requests per month" }));
    control.start(&builder.limits()).await;
    let gateway = builder.shares(control.address(), "one").start().await;
    for (key, times) in [(KEY, 3), (BOB, 1)] {
        for _ in 0..times {
            let answer = gateway.chat("gpt", "Hi").key(key).await;
            assert_eq!(answer.status(), 200, "{}", answer.text());
            gateway.record(answer.id()).await;
        }
    }
    book(&gateway, &control.ledger());
    for (key, name, times) in [(KEY, "team", 3), (BOB, "bob", 1)] {
        // Whom the caller claims to be does not count.
        let ask = gateway.get("/v1/usage?by=model&since=today&until=now").header("x-weir-asker", "key=team");
        let answer = ask.key(key).await;
        assert_eq!((answer.status(), answer.header("content-type")), (200, "application/json"), "{}", answer.text());
        let told = answer.json();
        assert_eq!(told["lines"][0]["model"], "gpt", "{told}");
        assert_eq!(told["total"]["requests"], times, "{told}");
        let limits = told["limits"].as_array().unwrap();
        assert!(limits.len() <= 1 && limits.iter().all(|limit| limit["limit"] == "each"), "{told}");
        let record = gateway.record(answer.id()).await;
        assert_eq!((&record["key"], &record["outcome"], &record["status"]), (&json!(name), &json!("ok"), &json!(200)));
        assert!(record["limits"].is_null(), "it is not metered: {}", *record);
    }
    let head = gateway.ask("HEAD", "/v1/usage").await;
    assert_eq!((head.status(), head.text().as_str()), (200, ""));

    let answer = gateway.get("/v1/usage?by=key").await;
    assert_eq!((answer.status(), answer.code().as_str()), (400, "invalid_value"));
    assert_eq!(answer.json()["error"]["param"], "by");
    assert_eq!(gateway.record(answer.id()).await["outcome"], "invalid_value");
    assert_eq!(gateway.get("/v1/usage").key("weir-nobody").await.code(), "invalid_api_key");

    control.kill();
    let answer = gateway.get("/v1/usage").await;
    assert_eq!((answer.status(), answer.code().as_str()), (503, "usage_unavailable"), "{}", answer.text());
    assert_eq!(gateway.record(answer.id()).await["outcome"], "usage_unavailable");
}

#[tokio::test]
async fn without_control_it_is_said_that_nobody_knows() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).start().await;
    let answer = gateway.get("/v1/usage").await;
    assert_eq!((answer.status(), answer.code().as_str()), (501, "usage_unavailable"), "{}", answer.text());
    assert_eq!(gateway.get("/v1/usage").header("anthropic-version", "2023-06-01").await.json()["type"], "error");
}

#[tokio::test]
async fn a_key_or_team_with_endpoints_may_ask_if_usage_is_among_them() {
    let (upstream, mut control) = (Upstream::sim().await, Control::new());
    let builder = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]);
    let builder = builder.section("teams", json!({ "batch": { "endpoints": ["embeddings"] } }));
    let builder = builder.key_with("narrow", "weir-narrow", json!({ "endpoints": ["chat"] }));
    let builder = builder.key_with("own", "weir-own", json!({ "endpoints": ["usage"] }));
    let builder = builder.key_with("batch", "weir-batch", json!({ "team": "batch" }));
    control.start(&builder.limits()).await;
    let gateway = builder.shares(control.address(), "one").start().await;
    for (key, status) in [("weir-narrow", 403), ("weir-batch", 403), ("weir-own", 200)] {
        let answer = gateway.get("/v1/usage").key(key).await;
        assert_eq!(answer.status(), status, "{key}: {}", answer.text());
    }
    assert_eq!(gateway.chat("gpt", "Hi").key("weir-own").await.code(), "endpoint_not_allowed");
}

#[tokio::test]
async fn behind_an_operators_route_it_is_answered_too() {
    let (upstream, mut control) = (Upstream::sim().await, Control::new());
    let builder = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).inside();
    control.start(&builder.limits()).await;
    let gateway = builder.shares(control.address(), "one").start().await;
    let answer = gateway.get("/v1/usage").await;
    assert_eq!((answer.status(), answer.json()["total"]["requests"].clone()), (200, json!(0)), "{}", answer.text());
}
