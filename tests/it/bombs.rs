//! A few bytes that unpack to very many, from a provider or a caller: they cost one try or one request, and disturb no other.

use std::io::Write;

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::join_all;
use serde_json::json;
use weir_hub::endpoint::Endpoint;
use weir_tests::{Answer, Canned, Ended, Gateway, Manner, Stream, Upstream};

use crate::SAID;

/// Longer than anything that Envoy holds for the filter.
const LONG: usize = 64 << 20;

/// The answer of a provider that speaks OpenAI.
fn answer(kind: &str, coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\nconnection: \
         close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Packs `start`, then `filler` until there are `length` bytes of it, then `end`.
fn packed(coding: &str, start: &str, filler: &str, length: usize, end: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let write = |to: &mut dyn Write| {
        to.write_all(start.as_bytes())?;
        let block = filler.repeat((1 << 20) / filler.len());
        for _ in 0..length / block.len() {
            to.write_all(block.as_bytes())?;
        }
        to.write_all(end.as_bytes())
    };
    if coding == "br" {
        write(&mut CompressorWriter::new(&mut bytes, 1 << 16, 9, 24)).unwrap();
    } else {
        let mut gzip = GzEncoder::new(&mut bytes, Compression::best());
        write(&mut gzip).unwrap();
        gzip.finish().unwrap();
    }
    bytes
}

const BEFORE: &str = r#"{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":""#;
const AFTER: &str =
    r#""},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
const TOKEN: &str = "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";

/// A stream that has begun: what happens to another request must not disturb it.
async fn neighbour(gateway: &Gateway) -> Stream {
    let mut stream = gateway.chat("neighbour", "Hi").streamed().slowly_read().open().await;
    assert!(stream.event().await.is_some());
    stream
}

async fn unharmed(gateway: &Gateway, neighbour: Stream) {
    let rest = neighbour.rest().await;
    assert!(rest.is_done() && rest.ended() == Ended::Cleanly, "a neighbour was cut");
    let next = gateway.chat("neighbour", "Hi").streamed().await;
    assert_eq!(next.status(), 200, "{}", next.text());
    let log = gateway.envoy_log();
    assert!(!log.contains("panicked") && !log.contains("VM"), "{log}");
}

fn spoken_by_sim(manner: Manner, answer: &Answer) {
    assert_eq!((answer.status(), manner.said(answer).as_str()), (200, SAID), "{manner:?}: {}", answer.text());
    assert!(manner.is_complete(answer), "{manner:?}: {}", answer.text());
}

#[tokio::test]
async fn an_answer_that_unpacks_to_too_much_is_a_failed_try() {
    let bomb = |coding| answer("application/json", coding, &packed(coding, BEFORE, "a", LONG, AFTER));
    let stream = |coding| answer("text/event-stream", coding, &packed(coding, "", ": nothing\n\n", LONG, TOKEN));
    for coding in ["gzip", "br"] {
        assert!((100..255 << 10).contains(&bomb(coding).len()), "{} bytes", bomb(coding).len());
        let upstream = Upstream::sim().await;
        let (whole, streamed) = (Canned::answering(bomb(coding)).await, Canned::answering(stream(coding)).await);
        let gateway = Gateway::with(&upstream)
            .and(whole.called("whole"))
            .and(streamed.called("streamed"))
            .model("neighbour", ["sim/m+size-2m"])
            .model("whole", ["whole/m", "sim/m"])
            .model("streamed", ["streamed/m", "sim/m"])
            .start()
            .await;
        let beside = neighbour(&gateway).await;
        for manner in Manner::all() {
            let model = if manner.is_streamed() { "streamed" } else { "whole" };
            let answers = join_all((0..4).map(|_| manner.ask(&gateway, model, "Hi").into_future())).await;
            for answer in &answers {
                spoken_by_sim(manner, answer);
                let record = gateway.record(answer.id()).await;
                assert!(record.tries()[0].ends_with("/m malformed"), "{:?}", record.tries());
            }
        }
        unharmed(&gateway, beside).await;
    }
}

#[tokio::test]
async fn a_stream_that_unpacks_to_too_much_after_its_first_token_breaks_off() {
    for coding in ["gzip", "br"] {
        let bytes = packed(coding, TOKEN, TOKEN, LONG, "");
        let upstream = Upstream::sim().await;
        let canned = Canned::answering(answer("text/event-stream", coding, &bytes)).await;
        let gateway = Gateway::with(&upstream)
            .and(canned.called("canned"))
            .model("neighbour", ["sim/m+size-2m"])
            .model("gpt", ["canned/m"])
            .start()
            .await;
        let beside = neighbour(&gateway).await;
        for manner in Manner::all().filter(|manner| manner.is_streamed()) {
            let answer = manner.ask(&gateway, "gpt", "Hi").await;
            assert!(!manner.is_complete(&answer), "{manner:?}");
            assert!(answer.body().len() < LONG, "{} bytes", answer.body().len());
        }
        unharmed(&gateway, beside).await;
    }
}

/// A field of 28 bytes in one dialect needs 90 in another.
#[tokio::test]
async fn a_request_that_grows_beyond_what_is_held_is_refused_as_such() {
    let upstream = Upstream::called("anthropic").await.speaking("anthropic");
    let gateway = Gateway::with(&upstream)
        .model("neighbour", ["anthropic/m+size-2m"])
        .model("claude", ["anthropic/m"])
        // As many as the body has room for.
        .limit("parts", 1_000_000)
        .start()
        .await;
    let beside = neighbour(&gateway).await;
    let tool = r#"{"type":"custom","name":"f"}"#;
    let body = format!(r#"{{"model":"claude","input":"Hi","tools":[{}]}}"#, vec![tool; 400_000].join(","));
    let ask = gateway.post(Endpoint::Responses.path(), json!({})).raw(body);
    let answer = ask.await;
    assert_eq!((answer.status(), answer.code().as_str()), (413, "request_too_large"), "{}", answer.text());
    assert!(answer.message().contains("grew"), "{}", answer.message());
    assert_eq!(upstream.served(), 1, "only the neighbour's");
    unharmed(&gateway, beside).await;
}

/// Envoy then answers from within the filter's call and destroys the try.
#[tokio::test]
async fn a_body_that_envoy_does_not_hold_ends_its_own_request_and_no_other() {
    let upstream = Upstream::called("anthropic").await.speaking("anthropic");
    let gateway = Gateway::with(&upstream)
        .model("neighbour", ["anthropic/m+size-2m"])
        .model("long", ["anthropic/fault-gzip+size-1m"])
        .model("claude", ["anthropic/m"])
        .holding(256 << 10)
        .start()
        .await;
    let mut beside = gateway.chat("claude", "Hi").streamed().slowly_read().open().await;
    assert!(beside.event().await.is_some());
    for _ in 0..2 {
        let answer = gateway.chat("long", "Hi").await;
        assert_eq!((answer.status(), answer.code().as_str()), (502, "upstream_bad_answer"), "{}", answer.text());
        let record = gateway.record(answer.id()).await;
        let tried = &record["tries"][0];
        assert_eq!(
            (record["outcome"].as_str(), tried["outcome"].as_str()),
            (Some("upstream_bad_answer"), Some("malformed"))
        );
        let tools = vec![json!({ "type": "custom", "name": "f" }); 6000];
        let body = json!({ "model": "claude", "input": "Hi", "tools": tools });
        let answer = gateway.post(Endpoint::Responses.path(), body).await;
        // What is written in place of a request's last bytes Envoy counts later, if at all.
        assert!([200, 413].contains(&answer.status()), "{}", answer.text());
    }
    unharmed(&gateway, beside).await;
}
