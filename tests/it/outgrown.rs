//! Answers that outgrow what was reserved for them: they go on while there is room, and end as at a limit of tokens.

use serde_json::{Value, json};
use weir_hub::endpoint::{Delivery, Endpoint};
use weir_tests::{Answer, Builder, Ended, Gateway, Manner, Upstream};

/// What is reserved for an answer, in tokens.
const RESERVED: u64 = 300;

/// Asks without a cap for more than is reserved, of models that ignore the cap that is written for them.
async fn gateway(upstream: &Upstream, quota: Value) -> Gateway {
    let keys = |builder, manner: Manner| {
        Builder::key_with(builder, &format!("{:?}", manner.endpoint), &key(manner), json!({}))
    };
    streamed()
        .fold(Gateway::with(upstream), keys)
        .model("long", ["sim/gpt-4o+no-cap+gap-1ms+tokens-3000"])
        .model("gpt", ["sim/gpt-4o"])
        .section("reserve_output", json!(RESERVED))
        .quota("output", quota)
        .start()
        .await
}

/// Whether the answer ends as its API has it where a limit of tokens is reached, and then as HTTP has it.
fn is_too_long(manner: Manner, answer: &Answer) -> bool {
    let events = answer.events();
    let json = |event: &weir_tests::Event| event.json();
    let says_so = match manner.endpoint {
        Endpoint::Chat | Endpoint::Completions => {
            let finishes = events.iter().filter(|event| event.data != "[DONE]").map(json);
            let finishes: Vec<Value> =
                finishes.filter(|event| !event["choices"][0]["finish_reason"].is_null()).collect();
            answer.is_done() && finishes.len() == 1 && finishes[0]["choices"][0]["finish_reason"] == "length"
        }
        Endpoint::Messages => {
            let [.., stop, delta, last] = &events[..] else { return false };
            let reason = json(delta)["delta"]["stop_reason"].clone();
            json(stop)["type"] == "content_block_stop" && reason == "max_tokens" && json(last)["type"] == "message_stop"
        }
        Endpoint::Responses => {
            let last = events.last().map(json).unwrap_or_default();
            let reason = &last["response"]["incomplete_details"]["reason"];
            last["type"] == "response.incomplete" && *reason == "max_output_tokens"
        }
        _ => events.last().map(json).unwrap_or_default()["candidates"][0]["finishReason"] == "MAX_TOKENS",
    };
    says_so && answer.ended() == Ended::Cleanly
}

/// Each API has a caller of its own, with a budget of its own.
fn key(manner: Manner) -> String {
    format!("weir-test-key-of-{:?}", manner.endpoint)
}

fn streamed() -> impl Iterator<Item = Manner> {
    Manner::all().filter(|manner| manner.delivery == Delivery::Streamed)
}

/// In each caller's API, of a provider that speaks it and whose bytes pass, and of another.
#[tokio::test]
async fn a_stream_that_no_limit_has_room_for_ends_as_too_long() {
    for dialect in ["openai", "anthropic", "gemini", "bedrock"] {
        let upstream = Upstream::sim().await.speaking(dialect);
        let budget = json!({ "key": "each", "budget": "500 output tokens per month" });
        let gateway = gateway(&upstream, budget).await;
        for manner in streamed() {
            if manner.endpoint == Endpoint::Completions && dialect != "openai" {
                continue;
            }
            let ask = manner.ask(&gateway, "long", "Hi").key(&key(manner));
            let before = upstream.spent().values().map(|spent| spent.output).sum::<u64>();
            let answer = ask.await;
            let shown = || format!("{dialect} {manner:?}: {}", answer.text());
            assert_eq!(answer.status(), 200, "{}", shown());
            assert!(is_too_long(manner, &answer), "{}", shown());
            let record = gateway.record(answer.id()).await;
            assert_eq!((&record["outcome"], &record["ended_by"]), (&json!("ok"), &json!("output")), "{}", *record);
            let spent = record["limits"][0]["spent"].as_u64().unwrap();
            assert!((RESERVED..2 * RESERVED).contains(&spent), "{dialect} {manner:?} {}", *record);
            let billed = upstream.spent().values().map(|spent| spent.output).sum::<u64>() - before;
            // A wasm filter leaves it 10 s later.
            let is_left = billed < 3000 || gateway.has_heaps();
            assert!(is_left, "{dialect} {manner:?}: the provider is left, and has billed {billed}");
        }
    }
}

#[tokio::test]
async fn a_stream_goes_on_while_there_is_room() {
    for soft in [false, true] {
        let upstream = Upstream::sim().await;
        let amount = if soft { 10 } else { 10_000 };
        let quota = json!({ "budget": format!("{amount} output tokens per month"), "soft": soft });
        let gateway = gateway(&upstream, quota).await;
        let answer = gateway.chat("long", "Hi").streamed().await;
        assert!(answer.is_done() && answer.ended() == Ended::Cleanly, "{}", answer.text());
        let record = gateway.record(answer.id()).await;
        assert_eq!((&record["ended_by"], &record["limits"][0]["spent"]), (&Value::Null, &json!(3000)), "{}", *record);
    }
}

/// A form with these fields, and a file of so many bytes.
fn form(fields: &[(&str, &str)], name: &str, bytes: usize) -> Vec<u8> {
    let part = |named: &str, value: &[u8]| {
        [format!("--cut\r\nContent-Disposition: form-data; {named}\r\n\r\n").as_bytes(), value, b"\r\n"].concat()
    };
    let fields: Vec<u8> =
        fields.iter().flat_map(|(name, value)| part(&format!("name=\"{name}\""), value.as_bytes())).collect();
    let file = part(&format!("name=\"file\"; filename=\"{name}\""), &vec![7; bytes]);
    [fields, file, b"--cut--\r\n".to_vec()].concat()
}

/// Nobody tells how long audio was, so what was reserved for it is spent. A form's `user` counts, too.
#[tokio::test]
async fn what_is_no_text_reserves_what_it_may_use() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("heard", ["sim/whisper-1"])
        .costing(&json!({ "audio_second": 0.0001 }))
        .model("made", ["sim/gpt-image-1"])
        .model("spoken", ["sim/tts-1"])
        .quota("dollars", json!({ "model": "heard", "budget": "0.025 USD per month" }))
        .quota("images", json!({ "model": "made", "budget": "10000 output tokens per month" }))
        .quota("speech", json!({ "model": "spoken", "budget": "10000 output tokens per month" }))
        .quota("users", json!({ "user": "each", "budget": "1 requests per month" }))
        .start()
        .await;
    // 100 s at 4 kB a second.
    let upload = |user| {
        let form = form(&[("model", "heard"), ("user", user)], "a.mp3", 400_000);
        let ask = gateway.ask("POST", "/v1/audio/transcriptions").raw(form);
        ask.header("content-type", "multipart/form-data; boundary=cut")
    };
    let answer = upload("a").await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let record = gateway.record(answer.id()).await;
    let spent: Vec<_> = record["limits"].as_array().unwrap().iter().map(|spent| spent["spent"].clone()).collect();
    assert!(spent.contains(&json!(10_000_000_000_u64)), "{}", *record);
    assert_eq!(upload("a").await.status(), 429, "this user has asked");
    assert_eq!(upload("b").await.status(), 200);
    let refused = upload("c").await;
    assert!(refused.status() == 429 && refused.text().contains("dollars"), "{}", refused.text());
    let made =
        |more: Value| gateway.post("/v1/images/generations", json!({ "model": "made", "prompt": "Fish" })).with(more);
    assert_eq!(made(json!({ "n": 2 })).await.code(), "request_exceeds_limit");
    let answer = made(json!({ "n": 2, "quality": "low" })).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let spoken = |bytes| {
        let input = "a".repeat(bytes);
        gateway.post("/v1/audio/speech", json!({ "model": "spoken", "input": input, "voice": "alloy" }))
    };
    assert_eq!(spoken(5001).await.code(), "request_exceeds_limit");
    let answer = spoken(400).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
}

/// Others do not get what it has taken.
#[tokio::test]
async fn what_a_stream_has_taken_is_nobody_elses() {
    let upstream = Upstream::sim().await;
    let gateway = gateway(&upstream, json!({ "budget": "3500 output tokens per month" })).await;
    let mut stream = gateway.chat("long", "Hi").streamed().open().await;
    for _ in 0..2400 {
        stream.event().await.expect("a token");
    }
    let answer = gateway.chat("gpt", "Hi").with(json!({ "n": 2 })).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let refused = gateway.chat("gpt", "Hi").with(json!({ "n": 7 })).await;
    assert_eq!(refused.status(), 429, "{}", refused.text());
    stream.hang_up();
}
