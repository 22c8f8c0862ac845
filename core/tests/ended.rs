//! A stream that Weir ends at a limit of tokens, wherever that is, is an answer that its caller's API allows: it is read whole, and
//! says that it is too long.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod fixture;

use fixture::{Fixture, Received, received};
use weir_core::exchange;
use weir_core::provider;
use weir_core::upstream::Upstream;
use weir_hub::call::ReplyStart;
use weir_hub::codec::sse;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::fault::UpstreamFault;
use weir_hub::piece::Calls;
use weir_hub::reply::Passage;

/// What the caller receives of the chunks, and of an end at a limit after them; `None` if it cannot be ended there.
fn ended(case: &Fixture, chunks: &[&[u8]]) -> Option<Vec<u8>> {
    let start = ReplyStart { asked: Asked { usage: UsageChunk::Wanted, ..case.start().asked }, ..case.start() };
    let mut reply = exchange::endable(case.provider, &case.upstream, &start);
    let mut bytes = Vec::new();
    for chunk in chunks {
        let mut out = Vec::new();
        match reply.read(chunk, &mut out).ok()? {
            Passage::AsIs => bytes.extend_from_slice(chunk),
            Passage::Rewritten => bytes.extend_from_slice(&out),
        }
    }
    let before = bytes.len();
    if !reply.begun() || !reply.end_at_limit(&mut bytes) {
        assert_eq!(bytes.len(), before, "{}: nothing is written", case.name);
        return None;
    }
    assert!(reply.done() && !reply.end_at_limit(&mut bytes), "{}: it ends once", case.name);
    Some(bytes)
}

/// How the caller's own API reads these bytes, for a caller of `endpoint`.
fn read(from: Endpoint, bytes: &[u8], endpoint: Endpoint) -> Received {
    let name = match from {
        Endpoint::Messages => "anthropic",
        Endpoint::GenerateContent => "gemini",
        _ => "openai",
    };
    let upstream = Upstream { dialect: name.into(), ..Upstream::default() };
    let start = ReplyStart {
        asked: Asked { endpoint, delivery: Delivery::Streamed, usage: UsageChunk::Wanted },
        encoding: weir_hub::embed::Encoding::Float,
        model: "m",
        id: "weir-1-1",
        created: 0,
        echo: "",
        content_type: "text/event-stream",
        calls: Calls::All,
        renamed: &[],
        texts: None,
    };
    received(exchange::reply(provider::by_name(name).unwrap(), &upstream, &start), [bytes])
}

fn check(case: &Fixture, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let own = read(case.endpoint, bytes, case.endpoint);
    assert!(own.end.is_ok() && own.done, "{}: {:?}\n{text}", case.name, own.end);
    let expect = match case.endpoint {
        Endpoint::Chat | Endpoint::Completions => r#""finish_reason":"length""#,
        Endpoint::Messages => r#""stop_reason":"max_tokens""#,
        Endpoint::Responses => r#"{"reason":"max_output_tokens"}"#,
        _ => r#""finishReason":"MAX_TOKENS""#,
    };
    assert!(text.contains(expect), "{}\n{text}", case.name);
    match case.endpoint {
        // Messages have one alternative, and the first may have ended before.
        Endpoint::Chat | Endpoint::GenerateContent if !case.name.contains("two-c") => {
            let other = read(case.endpoint, bytes, Endpoint::Messages);
            let told = String::from_utf8_lossy(&other.bytes).into_owned();
            assert!(told.contains(r#""stop_reason":"max_tokens""#), "{}\n{text}\n{told}", case.name);
        }
        Endpoint::Messages => {
            let other = read(case.endpoint, bytes, Endpoint::Chat);
            let told = String::from_utf8_lossy(&other.bytes).into_owned();
            assert!(told.contains(r#""finish_reason":"length""#), "{}\n{text}\n{told}", case.name);
            blocks_are_closed(&case.name, &text);
        }
        // A part of its items is never done, and two have the same place.
        Endpoint::Responses if case.name.ends_with("/responses-stream-tools") => {}
        Endpoint::Responses => items_are_closed(&case.name, &text),
        _ => {}
    }
}

fn blocks_are_closed(name: &str, text: &str) {
    let count = |event: &str| text.matches(&format!("\"type\":\"{event}\"")).count();
    // Providers write their own JSON with a space.
    let spaced = |event: &str| text.matches(&format!("\"type\": \"{event}\"")).count();
    let all = |event: &str| count(event) + spaced(event);
    assert_eq!(all("content_block_start"), all("content_block_stop"), "{name}\n{text}");
    assert_eq!((all("message_delta"), all("message_stop")), (1, 1), "{name}\n{text}");
}

/// The last event has the items that earlier ones have told, and numbers follow each other.
fn items_are_closed(name: &str, text: &str) {
    let events: Vec<serde_json::Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter_map(|data| serde_json::from_str(data.trim()).ok())
        .collect();
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).collect::<Vec<_>>();
    let done: Vec<_> = of("response.output_item.done").iter().map(|event| event["item"].clone()).collect();
    assert_eq!(of("response.output_item.added").len(), done.len(), "{name}\n{text}");
    // Not all hosts tell a part's end.
    assert!(of("response.content_part.added").len() >= of("response.content_part.done").len(), "{name}\n{text}");
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.incomplete", "{name}\n{text}");
    assert_eq!(last["response"]["output"], serde_json::Value::Array(done), "{name}\n{text}");
    assert_eq!(last["response"]["status"], "incomplete", "{name}\n{text}");
    let numbers: Vec<_> = events.iter().filter_map(|event| event["sequence_number"].as_u64()).collect();
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1), "{name}: {numbers:?}\n{text}");
    let said: String = of("response.output_text.delta").iter().filter_map(|event| event["delta"].as_str()).collect();
    let told: String = of("response.output_text.done").iter().filter_map(|event| event["text"].as_str()).collect();
    assert_eq!(said, told, "{name}\n{text}");
}

#[test]
fn a_stream_can_be_ended_after_each_event_and_is_read_as_too_long() {
    let mut count = 0;
    let mut endpoints = Vec::new();
    for case in fixture::all() {
        let streams = case.delivery == Delivery::Streamed && case.status == 200 && case.endpoint.is_chat();
        if !streams || case.extension == "json" {
            continue;
        }
        let cuts: Vec<usize> = match case.extension {
            "sse" => blocks(&case.answer),
            _ => (1..case.answer.len()).step_by(97).collect(),
        };
        for to in cuts {
            let Some(part) = case.answer.get(..to) else { continue };
            let Some(bytes) = ended(&case, &[part]) else { continue };
            check(&case, &bytes);
            let middle = part.len() / 2;
            let (first, second) = part.split_at(middle);
            assert_eq!(ended(&case, &[first, second]), Some(bytes), "{}: wherever it is cut", case.name);
            count += 1;
            if !endpoints.contains(&(case.provider.name(), case.endpoint)) {
                endpoints.push((case.provider.name(), case.endpoint));
            }
        }
    }
    assert!(count > 500 && endpoints.len() > 15, "{count} ends, {endpoints:?}");
}

/// Where each block of a stream ends.
fn blocks(answer: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    let mut reader: sse::Reader<UpstreamFault> = sse::Reader::new(sse::MAX_EVENT);
    let _ = reader.read(answer, |block| {
        at += block.raw.len();
        ends.push(at);
        Ok(())
    });
    ends
}

#[test]
fn what_has_told_its_end_is_not_ended_again() {
    let whole = |case: &Fixture| {
        let streams = case.delivery == Delivery::Streamed && case.endpoint.is_chat();
        // Without its blank line, the last event comes only with the stream's end.
        streams && case.fault.is_none() && (case.extension != "sse" || case.answer.ends_with(b"\n\n"))
    };
    let ended = fixture::all().into_iter().filter(whole).filter(|case| ended(case, &[&case.answer]).is_some());
    assert_eq!(ended.map(|case| case.name).collect::<Vec<_>>(), Vec::<String>::new());
}
