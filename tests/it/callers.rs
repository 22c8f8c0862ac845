//! Who may call: keys with a team, keys that are disabled, and keys that are limited to endpoints and networks.

use serde_json::json;
use weir_tests::{Gateway, Upstream};

use crate::SAID;

#[tokio::test]
async fn a_key_is_limited_in_time_to_endpoints_and_to_networks_and_the_record_says_who_it_was() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("gpt", ["sim/gpt-4o"])
        .section("teams", json!({ "search": {}, "apart": { "networks": ["192.0.2.0/24"] } }))
        .section("application_header", json!("X-Application"))
        .key_with("ada", "weir-ada", json!({ "team": "search", "networks": ["127.0.0.0/8"], "endpoints": ["chat"] }))
        .key_with("off", "weir-off", json!({ "disabled": true }))
        .key_with("far", "weir-far", json!({ "networks": ["192.0.2.0/24", "::1"] }))
        .key_with("bob", "weir-bob", json!({ "team": "apart" }))
        .start()
        .await;
    let asked = gateway.chat("gpt", "Hi").with(json!({ "user": "u-1", "safety_identifier": "u-2" }));
    // Who forwards for whom is for a proxy to say, and none is trusted here.
    let asked = asked.header("x-application", "search-ui").header("x-forwarded-for", "192.0.2.7");
    let answer = asked.key("weir-ada").await;
    assert_eq!((answer.status(), answer.said().as_str()), (200, SAID), "{}", answer.text());
    let record = gateway.record(answer.id()).await;
    let who = ["key", "tenant", "team", "user", "application"].map(|field| record[field].clone());
    assert_eq!(who, ["ada", "ada", "search", "u-1", "search-ui"], "{}", *record);
    let seen = upstream.requests();
    assert_eq!((seen.len(), seen[0].header("x-application")), (1, None));

    for (ask, key, expect) in [
        (gateway.embed("gpt", "Hi"), "weir-ada", (403, "endpoint_not_allowed")),
        (gateway.chat("gpt", "Hi"), "weir-off", (401, "disabled_api_key")),
        (gateway.chat("gpt", "Hi"), "weir-far", (403, "network_not_allowed")),
        (gateway.chat("gpt", "Hi").header("x-forwarded-for", "192.0.2.7"), "weir-far", (403, "network_not_allowed")),
        (gateway.chat("gpt", "Hi"), "weir-bob", (403, "network_not_allowed")),
    ] {
        let answer = ask.key(key).await;
        assert_eq!((answer.status(), answer.code().as_str()), expect, "{key}: {}", answer.text());
        assert!(!answer.text().contains("192.0.2"), "{}", answer.text());
        let record = gateway.record(answer.id()).await;
        assert_eq!((&record["outcome"], &record["key"]), (&json!(expect.1), &json!(key.replace("weir-", ""))));
    }
    assert_eq!(upstream.requests().len(), 1);
    let message = json!({ "model": "gpt", "max_tokens": 9, "messages": [{ "role": "user", "content": "Hi" }] });
    let answer = gateway.post("/v1/messages", message).key("weir-off").await;
    let error = answer.json();
    assert_eq!((answer.status(), &error["error"]["type"]), (401, &json!("authentication_error")), "{error}");
}

#[tokio::test]
async fn a_key_is_disabled_while_the_gateway_runs() {
    let upstream = Upstream::sim().await;
    let builder = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]);
    let mut gateway = builder.key_with("ada", "weir-ada", json!({})).start().await;
    assert_eq!(gateway.chat("gpt", "Hi").key("weir-ada").await.status(), 200);
    let disabled = json!({ "disabled": true });
    gateway.becomes(|builder| builder.without_keys().key_with("ada", "weir-ada", disabled)).await;
    let answer = gateway.chat("gpt", "Hi").key("weir-ada").await;
    assert_eq!((answer.status(), answer.code().as_str()), (401, "disabled_api_key"));
}
