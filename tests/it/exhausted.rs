//! Every target has failed: one clean error that names each try, and nothing that is the operator's secret.

use serde_json::json;
use tokio::sync::OnceCell;
use weir_tests::{Answer, Canned, Ended, Gateway, Port, Provider, Upstream};

struct Shared {
    _upstreams: (Upstream, [Canned; 5], Port),
    gateway: Gateway,
}

async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    let start = || async {
        let upstream = Upstream::sim().await;
        let dead = Port::reserve();
        let canned = [
            Canned::answering("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await,
            Canned::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await,
            Canned::answering("HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n").await,
            Canned::answering("HTTP/1.1 204 No Content\r\n\r\n").await,
            Canned::answering("").await,
        ];
        let [empty_503, empty_200, empty_429, empty_204, closing] = &canned;
        let gateway = Gateway::with(&upstream)
            .and(Provider::at("dead", &format!("http://{}/v1", dead.address())))
            .and(empty_503.called("empty-503"))
            .and(empty_200.called("empty-200"))
            .and(empty_429.called("empty-429"))
            .and(empty_204.called("empty-204"))
            .and(closing.called("closing"))
            .model("status", ["sim/fault-503+a", "sim/fault-500+a"])
            .model("auth", ["sim/fault-503+b", "sim/fault-401+b"])
            .model("billing", ["sim/fault-503+c", "sim/fault-insufficient-quota+c"])
            .model("not found", ["sim/fault-404+d"])
            .model("limited", ["sim/fault-503+e", "sim/fault-429-retry-7+e"])
            .model("bad answer", ["sim/fault-cut-before+f"])
            .model("slow", ["sim/fault-503+g", "sim/fault-hang+g"])
            .within(json!({ "first_token": "300ms", "gap": "300ms", "whole": "300ms" }))
            .model("dead", ["dead/gpt-4o"])
            .model("reset", ["sim/fault-503+i", "closing/m"])
            .model("empty 503", ["empty-503/m"])
            .model("empty 200", ["empty-200/m"])
            .model("empty 429", ["empty-429/m"])
            .model("empty 204", ["empty-204/m"])
            .start()
            .await;
        Shared { _upstreams: (upstream, canned, dead), gateway }
    };
    SHARED.get_or_init(start).await
}

/// Asks for `model`, streamed and whole, and checks the one error that comes of it.
async fn check(model: &str, status: u16, code: &str, tries: &str) {
    let Shared { gateway, .. } = shared().await;
    for ask in [gateway.chat(model, "Hi"), gateway.chat(model, "Hi").streamed()] {
        checked(&ask.await, status, code, tries).await;
    }
}

async fn checked(answer: &Answer, status: u16, code: &str, tries: &str) {
    let Shared { gateway, .. } = shared().await;
    assert_eq!((answer.status(), answer.code().as_str()), (status, code), "{}", answer.text());
    assert!(answer.message().contains(tries), "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.ended(), Ended::Cleanly);
    assert_eq!(answer.header("content-length"), answer.body().len().to_string());
    let operators =
        code.starts_with("upstream_") && ["auth", "billing", "not_found"].iter().any(|kind| code.ends_with(kind));
    assert_eq!(answer.header("x-should-retry"), if operators { "false" } else { "" }, "what may pass is not forbidden");
    assert!(!answer.text().contains("sk-"), "a provider's key: {}", answer.text());
    let record = gateway.record(answer.id()).await;
    assert_eq!((&record["outcome"], &record["status"]), (&json!(code), &json!(status)), "{}", *record);
    assert_eq!(record.tries().len(), tries.split("; ").count(), "{}", *record);
}

#[tokio::test]
async fn each_try_is_named() {
    let tries =
        "sim/fault-503+a: unavailable (503); sim/fault-500+a: unavailable (500); sim/fault-500+a: unavailable (500)";
    check("status", 503, "upstream_unavailable", tries).await;
}

#[tokio::test]
async fn our_key_or_bill_never_blames_the_caller() {
    let Shared { gateway, .. } = shared().await;
    for (model, code, tries) in [
        ("auth", "upstream_auth", "sim/fault-503+b: unavailable (503); sim/fault-401+b: auth (401)"),
        (
            "billing",
            "upstream_billing",
            "sim/fault-503+c: unavailable (503); sim/fault-insufficient-quota+c: billing (429)",
        ),
        ("not found", "upstream_not_found", "sim/fault-404+d: not_found (404)"),
    ] {
        checked(&gateway.chat(model, "Hi").await, 502, code, tries).await;
    }
}

#[tokio::test]
async fn a_rate_limit_says_how_long_to_wait() {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat("limited", "Hi").await;
    assert_eq!((answer.status(), answer.code().as_str()), (429, "rate_limited"), "{}", answer.text());
    assert_eq!((answer.header("retry-after"), answer.header("x-should-retry")), ("7", "true"));
}

#[tokio::test]
async fn an_answer_that_is_none_is_an_error_of_the_providers() {
    check(
        "bad answer",
        502,
        "upstream_bad_answer",
        "sim/fault-cut-before+f: cut (200); sim/fault-cut-before+f: cut (200)",
    )
    .await;
}

#[tokio::test]
async fn a_timeout_at_the_end_names_each_try_too() {
    check("slow", 504, "upstream_timeout", "sim/fault-503+g: unavailable (503); sim/fault-hang+g: timeout").await;
}

#[tokio::test]
async fn a_connect_failure_or_a_reset_at_the_end_names_each_try_too() {
    check("dead", 503, "upstream_unavailable", "dead/gpt-4o: connect_failure").await;
    // Once: a connection that was made for nobody is left, and one from before is replaced.
    let Shared { gateway, .. } = shared().await;
    let tries = "sim/fault-503+i: unavailable (503); closing/m: reset";
    checked(&gateway.chat("reset", "Hi").await, 503, "upstream_unavailable", tries).await;
}

#[tokio::test]
async fn an_answer_without_a_body_becomes_an_error_with_one() {
    check("empty 503", 503, "upstream_unavailable", "empty-503/m: unavailable (503); empty-503/m: unavailable (503)")
        .await;
    check("empty 200", 502, "upstream_bad_answer", "empty-200/m: cut (200); empty-200/m: cut (200)").await;
    check("empty 204", 502, "upstream_bad_answer", "empty-204/m: cut (204); empty-204/m: cut (204)").await;
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat("empty 429", "Hi").await;
    assert_eq!((answer.status(), answer.code().as_str()), (429, "rate_limited"), "{}", answer.text());
    assert_eq!(answer.header("retry-after"), "7");
}
