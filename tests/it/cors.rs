//! Pages that call from a browser: what one asks first is answered without a key, and every answer says which page may read it.

use serde_json::json;
use tokio::sync::OnceCell;
use weir_tests::{Ask, Builder, Gateway, Upstream, eventually};

use crate::{SAID, Shared};

const PAGE: &str = "https://app.example.com";
const OTHER: &str = "https://other.example.com";

async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    let start = || async {
        let upstream = Upstream::sim().await;
        let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).model("limited", ["sim/fault-429"]);
        let gateway =
            gateway.model("breaks", ["sim/fault-error-event-late+gap-20ms"]).limit("body", json!({ "chat": "64KiB" }));
        Shared { gateway: gateway.page(PAGE).page("http://localhost:5173").start().await, upstream }
    };
    SHARED.get_or_init(start).await
}

/// What a browser asks before the page's own request.
fn asked_first(gateway: &Gateway, path: &str, origin: &str) -> Ask {
    let ask = gateway.ask("OPTIONS", path).without_key().header("origin", origin);
    ask.header("access-control-request-method", "POST")
        .header("access-control-request-headers", "anthropic-version,authorization,content-type,x-stainless-lang")
}

#[tokio::test]
async fn a_browser_asks_first_and_needs_no_key_for_it() {
    let Shared { gateway, .. } = shared().await;
    for path in ["/v1/chat/completions", "/v1/messages", "/v1beta/models/gpt:generateContent", "/v1/models"] {
        let answer = asked_first(gateway, path, PAGE).await;
        assert_eq!((answer.status(), answer.header("access-control-allow-origin")), (200, PAGE), "{path}");
        assert!(answer.header("access-control-allow-methods").contains("POST"));
        let headers = answer.header("access-control-allow-headers").to_owned();
        let names: Vec<&str> = headers.split(", ").collect();
        // Of a key's header `*` says nothing.
        assert!(names.contains(&"authorization") && names.contains(&"*"), "{headers}");
    }
    let line = || gateway.records().into_iter().find(|record| record["outcome"] == "preflight");
    assert_eq!(eventually("the record", line).await["status"], 200);
    let refused = asked_first(gateway, "/v1/chat/completions", OTHER).await;
    assert_eq!((refused.status(), refused.header("access-control-allow-origin")), (401, ""));
}

#[tokio::test]
async fn every_answer_says_who_may_read_it() {
    let Shared { gateway, .. } = shared().await;
    let long = "x".repeat(80 << 10);
    for (ask, status) in [
        (gateway.chat("gpt", "Hi"), 200),
        (gateway.chat("gpt", "Hi").streamed(), 200),
        (gateway.chat("breaks", "Hi").streamed(), 200),
        (gateway.get("/v1/models"), 200),
        (gateway.chat("limited", "Hi"), 429),
        (gateway.chat("gpt", "Hi").key("weir-nobody"), 401),
        (gateway.chat("gpt", &long), 413),
        (gateway.post("/chat/completions", json!({})), 404),
    ] {
        let answer = ask.header("origin", PAGE).await;
        assert_eq!(
            (answer.status(), answer.header("access-control-allow-origin")),
            (status, PAGE),
            "{}",
            answer.text()
        );
        let read = answer.header("access-control-expose-headers");
        for name in ["x-request-id", "retry-after", "x-weir-provider", "x-weir-dropped", "x-ratelimit-remaining-tokens"]
        {
            assert!(read.split(", ").any(|one| one == name), "{name}: {read}");
        }
    }
}

#[tokio::test]
async fn callers_who_are_no_page_notice_nothing() {
    let Shared { gateway, .. } = shared().await;
    for ask in [gateway.chat("gpt", "Hi"), gateway.chat("gpt", "Hi").header("origin", OTHER)] {
        let answer = ask.await;
        assert_eq!((answer.status(), answer.said().as_str()), (200, SAID));
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}

#[tokio::test]
async fn it_is_the_same_behind_an_operators_envoy_and_off_where_nobody_asked_for_it() {
    let upstream = Upstream::sim().await;
    let mut gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).page("*").inside().start().await;
    assert_eq!(asked_first(&gateway, "/v1/chat/completions", OTHER).await.status(), 200);
    let answer = gateway.chat("gpt", "Hi").streamed().header("origin", OTHER).await;
    assert_eq!((answer.status(), answer.header("access-control-allow-origin")), (200, OTHER));
    gateway.becomes(Builder::no_pages).await;
    assert_eq!(asked_first(&gateway, "/v1/chat/completions", OTHER).await.status(), 401);
    let answer = gateway.chat("gpt", "Hi").header("origin", OTHER).await;
    assert_eq!((answer.status(), answer.header("access-control-allow-origin")), (200, ""));
}
