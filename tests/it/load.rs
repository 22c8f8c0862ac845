//! Many requests at once, and large ones.

use futures_util::future::join_all;
use serde_json::json;
use weir_sim::Fault;
use weir_tests::{Ended, Gateway, Upstream};

use crate::SAID;

/// Envoy's own limit of three retries at once would let 497 of them see the dead target's error.
#[tokio::test]
async fn five_hundred_callers_at_once_all_get_past_a_dead_target() {
    let dead = Upstream::called("dead").await;
    let alive = Upstream::called("alive").await;
    dead.set_fault("m", Fault::Status(503));
    let gateway = Gateway::with(&dead).and(&alive).model("gpt", ["dead/m", "alive/m"]).workers(2).start().await;
    let answers = join_all((0..500).map(|_| gateway.chat("gpt", "Hi").into_future())).await;
    for answer in answers {
        assert_eq!((answer.status(), answer.said().as_str()), (200, SAID), "{}", answer.text());
    }
    assert_eq!((dead.served(), alive.served()), (500, 500));
}

#[tokio::test]
async fn a_hundred_streams_flow_side_by_side() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o+gap-5ms+tokens-50"]).workers(2).start().await;
    let texts: Vec<String> = (0..100).map(|number| format!("I am number {number}")).collect();
    let answers = join_all(texts.iter().map(|text| gateway.chat("gpt", text).streamed().into_future())).await;
    for (answer, text) in answers.iter().zip(&texts) {
        assert!(answer.is_done() && answer.ended() == Ended::Cleanly, "{}", answer.text());
        assert!(answer.said().starts_with(&format!("You said \"{text}\"")), "{}", answer.said());
    }
}

#[tokio::test]
async fn eight_megabytes_go_up_and_come_back_also_through_a_failover() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("gpt", ["sim/gpt-4o+size-8m"])
        .model("failing", ["sim/fault-503", "sim/fault-reset", "sim/gpt-4o+size-8m"])
        .start()
        .await;
    let long = "All work and no play. ".repeat(8 << 20 >> 4).split_off(8 << 20 >> 2);
    assert!(long.len() > 8 << 20, "{}", long.len());
    for model in ["gpt", "failing"] {
        let answer = gateway.chat(model, &long).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert!(answer.said().len() >= 8 << 20, "{}", answer.said().len());
        assert_eq!(answer.header("content-length"), answer.body().len().to_string());
    }
    let seen = upstream.requests();
    let last = &seen.last().unwrap().json();
    assert_eq!(last["messages"][0]["content"], json!(long), "the third try sent what the first did");
}

#[tokio::test]
async fn a_slow_reader_gets_all_of_a_long_stream() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o+size-8m"]).start().await;
    let mut slow = gateway.chat("gpt", "Hi").streamed().slowly_read().open().await;
    slow.event().await.expect("an event");
    // While it reads nothing, others are served.
    for _ in 0..20 {
        assert_eq!(gateway.get("/v1/models").await.status(), 200);
    }
    let answer = slow.rest().await;
    assert!(answer.is_done() && answer.ended() == Ended::Cleanly);
    assert!(answer.body().len() > 8 << 20);
}

/// When a provider has too many requests, Envoy does not take one more to the next target.
#[tokio::test]
async fn one_request_too_many_is_told_so() {
    let upstream = Upstream::sim().await.but(|provider| provider.at_most(1));
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o+gap-50ms+tokens-5000"]).start().await;
    let mut first = gateway.chat("gpt", "Hi").streamed().open().await;
    first.event().await.expect("a token");
    let second = gateway.chat("gpt", "Hi").await;
    assert_eq!((second.status(), second.code().as_str()), (503, "overloaded"), "{}", second.text());
    first.hang_up();
}

/// A whole answer is held until its end, and what Envoy holds is bounded.
#[tokio::test]
async fn an_answer_that_is_too_long_to_be_held_is_an_error() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o+size-40m", "sim/gpt-4o"]).start().await;
    let answer = gateway.chat("gpt", "Hi").await;
    assert_eq!((answer.status(), answer.said().as_str()), (200, SAID), "{}", answer.text());
    let streamed = gateway.chat("gpt", "Hi").streamed().await;
    assert!(streamed.is_done() && streamed.body().len() > 40 << 20, "a stream is not held");
}
