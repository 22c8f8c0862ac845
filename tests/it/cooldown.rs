//! Targets that rest: a target that asked for a pause gets one, and not a longer one.

use serde_json::json;
use weir_sim::Fault;
use weir_tests::{Gateway, Upstream};

#[tokio::test]
async fn a_target_that_asked_for_a_pause_gets_it_and_is_asked_again_after_it() {
    let first = Upstream::called("first").await;
    let second = Upstream::called("second").await;
    let gateway = Gateway::with(&first).and(&second).model("gpt", ["first/m", "second/m"]).start().await;
    first.set_fault_times("m", Fault::RetryAfter(1), 1);

    let failed_over = gateway.chat("gpt", "Hi").await;
    assert_eq!(gateway.record(failed_over.id()).await.tries(), ["first/m rate_limited", "second/m ok"]);
    let spared = gateway.chat("gpt", "Hi").await;
    let record = gateway.record(spared.id()).await;
    assert_eq!(record.tries(), ["second/m ok"]);
    assert_eq!(record["passed_over"], json!([{ "target": "first/m", "why": "resting after rate_limited" }]));
    assert_eq!((first.served(), second.served()), (1, 2));

    // Nobody says when the pause is over; asking tells.
    while first.served() == 1 {
        assert_eq!(gateway.chat("gpt", "Hi").await.status(), 200);
    }
    let again = gateway.chat("gpt", "Hi").await;
    assert_eq!(gateway.record(again.id()).await.tries(), ["first/m ok"]);
}

#[tokio::test]
async fn when_all_rest_for_a_rate_limit_the_caller_is_told_how_long() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/fault-429-retry-60"]).start().await;
    assert_eq!(gateway.chat("gpt", "Hi").await.status(), 429);
    let spared = gateway.chat("gpt", "Hi").await;
    assert_eq!((spared.status(), spared.code().as_str()), (429, "rate_limited"), "{}", spared.text());
    let wait: u64 = spared.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(spared.header("x-should-retry"), "true");
    assert_eq!(upstream.served(), 1, "the second request was answered without asking");
}

#[tokio::test]
async fn a_wrong_key_of_ours_rests_its_target_only_while_another_can_answer() {
    let first = Upstream::called("first").await;
    let second = Upstream::called("second").await;
    let gateway = Gateway::with(&first)
        .and(&second)
        .model("two", ["first/m", "second/m"])
        .model("one", ["first/m"])
        .start()
        .await;
    first.set_fault_times("m", Fault::Status(401), 1);
    for _ in 0..2 {
        assert_eq!(gateway.chat("two", "Hi").await.status(), 200);
    }
    assert_eq!((first.served(), second.served()), (1, 2));
    // The operator may have mended it, and there is nobody else to ask.
    assert_eq!(gateway.chat("one", "Hi").await.status(), 200);
}

#[tokio::test]
async fn a_rest_is_known_to_every_worker() {
    let first = Upstream::called("first").await;
    let second = Upstream::called("second").await;
    let gateway = Gateway::with(&first).and(&second).model("gpt", ["first/m", "second/m"]).workers(4).start().await;
    first.set_fault("m", Fault::RetryAfter(60));
    assert_eq!(gateway.chat("gpt", "Hi").await.status(), 200);
    for _ in 0..20 {
        assert_eq!(gateway.chat("gpt", "Hi").await.status(), 200);
    }
    assert_eq!((first.served(), second.served()), (1, 21));
}
