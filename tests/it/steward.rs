//! The steward, which runs once in each Envoy beside all requests; and what happens where it fails or is not there.

use serde_json::{Value, json};
use weir_sim::Fault;
use weir_tests::{Builder, Canned, Gateway, Port, Upstream, eventually};

/// Has `first/m` fail for a reason that outlasts the try, then sees that the next request passes it over.
async fn a_cooldown_is_seen(gateway: &Gateway, first: &Upstream, seconds: u32) {
    first.set_fault_times("m", Fault::RetryAfter(seconds), 1);
    let failed_over = gateway.chat("gpt", "Hi").await;
    assert_eq!(gateway.record(failed_over.id()).await.tries(), ["first/m rate_limited", "second/m ok"]);
    let spared = gateway.chat("gpt", "Hi").await;
    assert_eq!(gateway.record(spared.id()).await.tries(), ["second/m ok"]);
}

#[tokio::test]
async fn it_ticks_and_tells_how_many_targets_cool_down() {
    let (first, second) = (Upstream::called("first").await, Upstream::called("second").await);
    let gateway = Gateway::with(&first).and(&second).model("gpt", ["first/m", "second/m"]).start().await;
    gateway.until_tick().await;
    gateway.until_tick().await;
    assert_eq!(gateway.steward_stat("weir_cooldowns").await, 0);
    a_cooldown_is_seen(&gateway, &first, 6).await;
    gateway.until_steward_stat("weir_cooldowns", 1).await;
    gateway.until_steward_stat("weir_cooldowns_begun", 1).await;
    // It is over by itself; that it is not listed any more is the steward's.
    gateway.until_steward_stat("weir_cooldowns", 0).await;
    gateway.until_tick().await;
    assert_eq!(gateway.steward_stat("weir_cooldowns_begun").await, 1);
    let asked_again = gateway.chat("gpt", "Hi").await;
    assert_eq!(gateway.record(asked_again.id()).await.tries(), ["first/m ok"]);
}

#[tokio::test]
async fn a_new_configuration_and_new_code_leave_it_running() {
    let (first, second) = (Upstream::called("first").await, Upstream::called("second").await);
    let mut gateway = Gateway::with(&first).and(&second).model("gpt", ["first/m", "second/m"]).start().await;
    gateway.until_tick().await;
    gateway.becomes(|builder| builder.model("other", ["second/m"])).await;
    assert_eq!(gateway.chat("other", "Hi").await.status(), 200);
    gateway.until_tick().await;
    a_cooldown_is_seen(&gateway, &first, 60).await;
    gateway.takes_new_code().await;
    assert_eq!(gateway.chat("other", "Hi").await.status(), 200);
    gateway.until_tick().await;
    // What the old code has learnt, the new code knows, and the reverse: attempts still run the old one.
    let spared = gateway.chat("gpt", "Hi").await;
    assert_eq!(gateway.record(spared.id()).await.tries(), ["second/m ok"]);
    second.set_fault_times("m", Fault::RetryAfter(60), 1);
    assert_eq!(gateway.chat("other", "Hi").await.status(), 429);
    assert_eq!(gateway.chat("other", "Hi").await.code(), "rate_limited");
    assert_eq!(second.served(), 6, "the last request was answered without asking");
    gateway.until_steward_stat("weir_cooldowns_begun", 2).await;
}

#[tokio::test]
async fn a_tick_that_fails_harms_no_request() {
    let (first, second) = (Upstream::called("first").await, Upstream::called("second").await);
    let builder = Gateway::with(&first).and(&second).model("gpt", ["first/m", "second/m"]);
    let mut gateway = builder.steward(json!({ "fails": true })).start().await;
    // A wasm VM is gone after the first one.
    let failures = if gateway.has_heaps() { 1 } else { 2 };
    let failed = || gateway.envoy_log().matches("panicked").count() >= failures;
    eventually("the steward's failure", || failed().then_some(())).await;
    a_cooldown_is_seen(&gateway, &first, 60).await;
    // Envoy reads configurations of filters on the thread that the steward runs on.
    gateway.becomes(|builder| builder.model("other", ["second/m"])).await;
    assert_eq!(gateway.chat("other", "Hi").await.status(), 200);
}

#[tokio::test]
async fn an_envoy_without_it_serves_as_before() {
    let (first, second) = (Upstream::called("first").await, Upstream::called("second").await);
    let builder = Gateway::with(&first).and(&second).model("gpt", ["first/m", "second/m"]).workers(2);
    let gateway = builder.without_steward().start().await;
    a_cooldown_is_seen(&gateway, &first, 60).await;
    assert_eq!(gateway.steward_stat("weir_steward_ticks").await, 0);
    assert!(!gateway.envoy_log().contains("weir:"), "{}", gateway.envoy_log());
}

/// The settings of one that shares a limit.
fn calling(cluster: &str) -> Value {
    json!({ "control": { "cluster": cluster, "node": "here" } })
}

/// Only where there is a limit is there anything to share.
fn limited(upstream: &Upstream) -> Builder {
    let quota = json!({ "budget": "100000 requests per month" });
    Gateway::with(upstream).model("gpt", ["sim/gpt-4o"]).quota("calls", quota)
}

async fn is_told(gateway: &Gateway, cluster: &str, what: &str) {
    let line = format!("weir: the steward calls cluster \"{cluster}\": {what}");
    eventually(&line, || gateway.envoy_log().contains(&line).then_some(())).await;
}

#[tokio::test]
async fn a_call_out_that_fails_is_told_as_what_it_is() {
    let silent = Port::reserve();
    let _silent = Canned::silent_at(&silent).await;
    let cases = [
        ("nowhere", "Envoy has no such cluster", "Envoy has no such cluster"),
        ("silent", "504: it did not answer in time", "504: it did not answer in time"),
        // A cluster without hosts. Envoy tells a VM no more than that.
        ("weir-no-plan", "503: it is not there, or has no room", "Envoy did not make the call"),
    ];
    for (cluster, native, wasm) in cases {
        let upstream = Upstream::sim().await;
        let builder = limited(&upstream).cluster("silent", silent.address());
        let gateway = builder.steward(calling(cluster)).start().await;
        is_told(&gateway, cluster, if gateway.has_heaps() { wasm } else { native }).await;
        gateway.until_tick().await;
        gateway.until_tick().await;
        assert_eq!(gateway.envoy_log().matches("weir: the steward calls").count(), 1, "{}", gateway.envoy_log());
    }
}

#[tokio::test]
async fn a_call_out_is_answered_once_somebody_is_there() {
    let port = Port::reserve();
    let upstream = Upstream::sim().await;
    let builder = limited(&upstream).cluster("control", port.address());
    let gateway = builder.steward(calling("control")).start().await;
    is_told(&gateway, "control", "503: it is not there, or has no room").await;
    let _control = Canned::answering_at(&port, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    is_told(&gateway, "control", "what it answers is not of Weir's control").await;
}

/// In a VM the filter had no role, and each request waited for ever.
#[tokio::test]
async fn its_settings_on_a_filter_are_an_error_and_not_a_wait() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).start().await;
    gateway.mistakes_the_edge_for_the_steward();
    let told =
        if gateway.has_heaps() { "weir: the steward is no filter" } else { "weir: the steward is no filter, but" };
    let asked = async || {
        let answer = gateway.chat("gpt", "Hi").await;
        gateway.envoy_log().contains(told).then_some(answer)
    };
    let mut answer = asked().await;
    while answer.is_none() {
        answer = asked().await;
    }
    // A native filter's configuration is refused, and the old one serves on.
    assert_eq!(answer.map(|answer| answer.status()), Some(if gateway.has_heaps() { 503 } else { 200 }));
}
