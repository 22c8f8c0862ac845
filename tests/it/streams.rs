//! What goes wrong after the first token: a stream that is cut short never ends as if it were whole.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::OnceCell;
use weir_tests::{Answer, Canned, Ended, Gateway, Upstream};

use crate::{SAID, Shared};

async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    let start = || async {
        let upstream = Upstream::sim().await;
        let mut builder = Gateway::with(&upstream);
        for fault in ["cut", "break", "reset", "error-event-late", "malformed", "no-done"] {
            builder = builder.model(fault, [format!("sim/fault-{fault}+gap-20ms").as_str(), "sim/gpt-4o"]);
        }
        let gateway = builder
            .model("stall", ["sim/fault-stall+gap-20ms", "sim/gpt-4o"])
            .within(json!({ "first_token": "500ms", "gap": "500ms" }))
            .model("late stall", ["sim/fault-stall+gap-20ms"])
            .within(json!({ "first_token": "500ms", "gap": "600ms" }))
            .model("steady", ["sim/gpt-4o+gap-300ms"])
            .within(json!({ "first_token": "600ms", "gap": "600ms" }))
            .start()
            .await;
        Shared { upstream, gateway }
    };
    SHARED.get_or_init(start).await
}

/// Asks for a stream and checks that some tokens came, and no sign of an end as it should be.
async fn cut_short(model: &str, how: &str) -> Answer {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat(model, "Hi").streamed().await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert!(!answer.said().is_empty() && SAID.starts_with(&answer.said()), "{}", answer.text());
    assert!(!answer.is_done() && !answer.text().contains("[DONE]"), "{}", answer.text());
    let record = gateway.record(answer.id()).await;
    assert_eq!(record["outcome"], "stream_incomplete", "{}", *record);
    let tries = record["tries"].as_array().unwrap();
    assert_eq!((&tries[0]["outcome"], &tries[0]["status"]), (&json!(how), &json!(200)), "{}", *record);
    assert_eq!(tries.len(), 1, "an answer that has begun is not asked for again");
    answer
}

#[tokio::test]
async fn a_clean_end_without_a_finish_becomes_an_error_event() {
    let answer = cut_short("cut", "cut").await;
    assert_eq!((answer.ended(), answer.code().as_str()), (Ended::Cleanly, "stream_incomplete"));
}

#[tokio::test]
async fn a_clean_end_after_a_finish_is_whole() {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat("no-done", "Hi").streamed().await;
    assert_eq!((answer.said().as_str(), answer.is_done(), answer.ended()), (SAID, true, Ended::Cleanly));
    let record = gateway.record(answer.id()).await;
    assert_eq!(record["outcome"], "ok", "{}", *record);
    assert_eq!(record["tries"].as_array().map(Vec::len), Some(1), "{}", *record);
}

/// A provider keeps its stream open after its last event: the caller has been told the end of the answer, or an error.
#[tokio::test]
async fn a_stream_that_is_over_ends_though_its_provider_goes_on() {
    const BEGINNING: &str = concat!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n",
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n",
    );
    const ERROR: &str = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
    const REST: &str =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let failing = Canned::staying(BEGINNING, ERROR).await;
    let complete = Canned::staying(BEGINNING, REST).await;
    // Nothing but what is tested here ends a stream within the patience of a test.
    let hour = json!({ "first_token": "1h", "gap": "1h" });
    let gateway = Gateway::with(failing.called("failing"))
        .and(complete.called("complete"))
        .model("failing", ["failing/m"])
        .within(hour.clone())
        .model("complete", ["complete/m"])
        .within(hour)
        .start()
        .await;
    let rest = async |model: &str, provider: &Canned| {
        let mut stream = gateway.chat(model, "Hi").streamed().open().await;
        let first = stream.event().await.expect("the first token");
        assert_eq!(first.json()["choices"][0]["delta"]["content"], "Hi");
        provider.go_on();
        stream.rest().await
    };
    let answer = rest("failing", &failing).await;
    assert_eq!(answer.code(), "stream_incomplete");
    // A wasm filter can only break the stream.
    let clean = if gateway.has_heaps() { Ended::Broken } else { Ended::Cleanly };
    assert_eq!(answer.ended(), clean);
    let record = gateway.record(answer.id()).await;
    assert_eq!(
        (&record["outcome"], record.tries()),
        (&json!("stream_incomplete"), vec!["failing/m error_event".to_owned()])
    );
    let answer = rest("complete", &complete).await;
    assert_eq!((answer.is_done(), answer.ended()), (true, clean));
    assert_eq!(gateway.record(answer.id()).await["outcome"], "ok");
}

/// Comments, pings and opening events say that a provider lives. Without another target, Weir waits for it, as a caller without a
/// gateway would. With one, it asks that one once `first_token` has passed.
#[tokio::test]
async fn a_provider_that_thinks_and_says_so_is_waited_for_where_there_is_no_other() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let openai = [
        ": OPENROUTER PROCESSING\n\n",
        concat!(
            "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
        ),
    ];
    let anthropic = [
        "event: ping\ndata: {\"type\":\"ping\"}\n\n",
        concat!(
            "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":1}}}\n\n",
            "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
            "data: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
            "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}\n\n",
            "data: {\"type\":\"message_stop\"}\n\n"
        ),
    ];
    let sim = Upstream::sim().await;
    for (dialect, [beat, rest]) in [("openai", openai), ("anthropic", anthropic)] {
        let mut more = vec![(Duration::from_millis(400), Bytes::from(beat)); 8];
        more.push((Duration::from_millis(400), Bytes::from(rest)));
        let thinks = Canned::going_on(head, more).await.called("thinks").speaking(dialect);
        for (first, gap) in [("1s", "1s"), ("1s", "2s")] {
            let limits = json!({ "first_token": first, "gap": gap });
            let gateway = Gateway::with(thinks.clone())
                .and(&sim)
                .model("alone", ["thinks/m"])
                .within(limits.clone())
                .model("first", ["thinks/m", "sim/m"])
                .within(limits.clone())
                .model("last", ["sim/fault-503", "thinks/m"])
                .within(limits)
                .start()
                .await;
            let ask = |model| gateway.chat(model, "Hi").streamed().into_future();
            let answers = tokio::join!(ask("alone"), ask("first"), ask("last"));
            for (model, said, answer) in
                [("alone", "Hi", answers.0), ("first", SAID, answers.1), ("last", "Hi", answers.2)]
            {
                assert_eq!((answer.status(), answer.said().as_str()), (200, said), "{dialect}, {model}, {gap}");
                assert!(answer.is_done(), "{dialect}, {model}, {gap}: {}", answer.text());
            }
        }
    }
}

/// Envoy stops reading the provider while the caller does not read; its timer of the gap goes on.
#[tokio::test]
async fn a_caller_who_does_not_read_is_not_taken_for_a_silent_provider() {
    // More than all the buffers on the way hold.
    const EVENTS: usize = 400;
    let event = |delta: &str, finish: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n")
    };
    let token = event(&format!("{{\"content\":\"{}\"}}", "a".repeat(64 << 10)), "null");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let answer = [head, &token.repeat(EVENTS), &event("{}", "\"stop\""), "data: [DONE]\n\n"].concat();
    let provider = Canned::answering(answer).await;
    for (first, gap) in [("2s", "2s"), ("1s", "2s")] {
        let limits = json!({ "first_token": first, "gap": gap });
        let gateway = Gateway::with(provider.called("p")).model("m", ["p/m"]).within(limits).start().await;
        let mut stream = gateway.chat("m", "Hi").streamed().open().await;
        assert!(stream.event().await.is_some());
        // The record is written when the stream has ended; until then nothing more is read.
        let record = gateway.record(&stream.id()).await;
        let outcome = if gateway.has_heaps() { "stream_incomplete" } else { "slow_caller" };
        assert_eq!(record["outcome"], outcome, "{}", *record);
        assert_eq!(stream.rest().await.ended(), Ended::Broken);
    }
}

#[tokio::test]
async fn a_late_error_event_becomes_one_of_ours() {
    for (model, outcome) in [("error-event-late", "error_event"), ("malformed", "malformed")] {
        let answer = cut_short(model, outcome).await;
        assert_eq!(answer.code(), "stream_incomplete", "{model}");
        // A wasm filter can only break a stream that its provider does not end.
        assert!(shared().await.gateway.has_heaps() || answer.ended() == Ended::Cleanly, "{model}");
    }
}

#[tokio::test]
async fn a_break_breaks_the_callers_connection() {
    assert_eq!(cut_short("break", "cut").await.ended(), Ended::Broken);
}

#[tokio::test]
async fn a_break_resets_the_callers_stream_over_http2() {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat("break", "Hi").streamed().by_http2().await;
    assert_eq!((answer.status(), answer.ended()), (200, Ended::Broken));
}

#[tokio::test]
async fn a_stall_breaks_the_callers_connection() {
    assert_eq!(cut_short("stall", "cut").await.ended(), Ended::Broken);
}

/// Envoy deletes the timer that would notice when the limit of the first token passes in the middle of an answer: with
/// both limits on one try, this stream hung forever.
#[tokio::test]
async fn a_stall_breaks_the_connection_also_where_the_limits_differ() {
    assert_eq!(cut_short("late stall", "cut").await.ended(), Ended::Broken);
}

#[tokio::test]
async fn a_stream_may_take_longer_than_any_limit_as_long_as_it_goes_on() {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat("steady", "Hi").streamed().await;
    assert_eq!((answer.said().as_str(), answer.is_done()), (SAID, true), "{}", answer.text());
    let record = gateway.record(answer.id()).await;
    assert!(record["duration_ms"].as_u64() > Some(1500), "{}", *record);
}

#[tokio::test]
async fn tokens_come_as_they_are_made() {
    let Shared { gateway, upstream } = shared().await;
    let mut stream = gateway.chat("steady", "As they are made").streamed().open().await;
    let mut said = String::new();
    while said.is_empty() {
        let event = stream.event().await.expect("a token").json();
        said.push_str(event["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    }
    let seen = upstream.requests();
    let this = seen.iter().find(|seen| String::from_utf8_lossy(&seen.body).contains("As they are made")).unwrap();
    assert_eq!(this.outcome, weir_sim::Outcome::Open, "the first token is here before the last is made");
}

#[tokio::test]
async fn a_caller_who_hangs_up_ends_the_providers_work() {
    let Shared { gateway, upstream } = shared().await;
    let mut stream = gateway.chat("steady", "Not any more").streamed().open().await;
    stream.event().await.expect("a token");
    stream.hang_up();
    let aborted = |seen: &weir_sim::Seen| {
        String::from_utf8_lossy(&seen.body).contains("Not any more") && seen.outcome == weir_sim::Outcome::Aborted
    };
    upstream.until(|seen| seen.iter().any(aborted)).await;
}
