//! Behind a route of an operator's Envoy and the internal listener, everything works as at Weir's own port.

use serde_json::json;
use tokio::sync::OnceCell;
use weir_tests::{Ended, Gateway, Upstream};

use crate::{SAID, Shared};

async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    let start = || async {
        let upstream = Upstream::sim().await;
        let gateway = Gateway::with(&upstream)
            .model("gpt", ["sim/fault-503", "sim/gpt-4o"])
            .model("steady", ["sim/gpt-4o+gap-300ms"])
            .model("break", ["sim/fault-break+gap-20ms"])
            .model("long", ["sim/gpt-4o+gap-20ms+tokens-500"])
            .limit("body", json!({ "chat": "1MiB" }))
            .inside();
        Shared { gateway: gateway.start().await, upstream }
    };
    SHARED.get_or_init(start).await
}

#[tokio::test]
async fn an_answer_comes_whole_after_a_failed_target() {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat("gpt", "Hi").await;
    assert_eq!((answer.status(), answer.said().as_str()), (200, SAID), "{}", answer.text());
    let record = gateway.record(answer.id()).await;
    assert_eq!((record["outcome"].as_str(), record.tries().len()), (Some("ok"), 2), "{}", *record);
}

#[tokio::test]
async fn tokens_come_as_they_are_made() {
    let Shared { gateway, upstream } = shared().await;
    let mut stream = gateway.chat("steady", "Inside").streamed().open().await;
    let mut said = String::new();
    while said.is_empty() {
        let event = stream.event().await.expect("a token").json();
        said.push_str(event["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    }
    let seen = upstream.requests();
    let this = seen.iter().find(|seen| String::from_utf8_lossy(&seen.body).contains("Inside")).unwrap();
    assert_eq!(this.outcome, weir_sim::Outcome::Open, "the first token is here before the last is made");
    assert!(stream.rest().await.is_done());
}

#[tokio::test]
async fn a_break_is_one_for_callers_of_either_protocol() {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat("break", "Hi").streamed().await;
    assert_eq!((answer.status(), answer.ended()), (200, Ended::Broken));
    let answer = gateway.chat("break", "Hi").streamed().by_http2().await;
    assert_eq!((answer.status(), answer.ended()), (200, Ended::Broken));
}

#[tokio::test]
async fn a_caller_who_hangs_up_is_noticed() {
    let Shared { gateway, .. } = shared().await;
    let mut stream = gateway.chat("long", "Hi").streamed().open().await;
    stream.event().await.expect("a token");
    let id = stream.id();
    stream.hang_up();
    assert_eq!(gateway.record(&id).await["outcome"], "client_left");
}

#[tokio::test]
async fn errors_are_weirs_own() {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat("gpt", "Hi").key("weir-nobodys").await;
    assert_eq!((answer.status(), answer.code().as_str()), (401, "invalid_api_key"));
    let long = "long ".repeat(300_000);
    for ask in [gateway.chat("gpt", &long), gateway.chat("gpt", &long).chunked(), gateway.chat("gpt", &long).by_http2()]
    {
        let answer = ask.await;
        assert_eq!((answer.status(), answer.code().as_str()), (413, "request_too_large"), "{}", answer.text());
    }
    let answer = gateway.get("/nothing").await;
    assert_eq!((answer.status(), answer.code().as_str()), (404, "unknown_path"));
}
