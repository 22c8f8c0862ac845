//! What holds for every answer and every conversation, not only for those of the corpus.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod fixture;

use std::sync::LazyLock;

use fixture::{Fixture, all, collected, received};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use weir_core::exchange;
use weir_core::provider::{self, Body};
use weir_core::upstream::Upstream;
use weir_hub::call::{Call, ReplyStart};
use weir_hub::codec::json::scan;
use weir_hub::embed::Encoding;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::piece::Calls;

static CORPUS: LazyLock<Vec<Fixture>> = LazyLock::new(all);

static ANSWERS: LazyLock<Vec<&Fixture>> = LazyLock::new(|| CORPUS.iter().filter(|case| case.status == 200).collect());

/// `bytes` in pieces, cut at these places.
fn pieces<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect()
}

#[test]
fn a_byte_at_a_time_changes_nothing() {
    for case in ANSWERS.iter() {
        let whole = case.received([&case.answer[..]]);
        assert_eq!(case.received(case.answer.chunks(1)), settle(whole, case), "{}", case.name);
    }
}

/// A whole answer passes as it comes, also one that turns out to be broken: the host holds it back until it is complete.
/// What of it was let pass before the fault therefore depends on the chunks, and nobody sees it.
fn settle(mut received: fixture::Received, case: &Fixture) -> fixture::Received {
    if case.delivery == Delivery::Whole && received.end.is_err() && case.passes() {
        let chunks = case.received(case.answer.chunks(1));
        received.bytes = chunks.bytes;
    }
    received
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn cutting_an_answer_anywhere_changes_nothing(
        case in any::<Index>(),
        cuts in proptest::collection::vec(any::<Index>(), 0..12),
    ) {
        let case = ANSWERS[case.index(ANSWERS.len())];
        let mut whole = case.received([&case.answer[..]]);
        let mut cut = case.received(pieces(&case.answer, &cuts));
        if case.delivery == Delivery::Whole && whole.end.is_err() {
            (whole.bytes, cut.bytes) = Default::default();
        }
        prop_assert_eq!(cut, whole, "{}", &case.name);
    }

    #[test]
    fn a_damaged_answer_is_read_without_a_panic_and_alike_however_it_is_cut(
        case in any::<Index>(),
        damage in proptest::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        end in any::<Index>(),
        cuts in proptest::collection::vec(any::<Index>(), 0..6),
    ) {
        let case = &CORPUS[case.index(CORPUS.len())];
        let mut answer = case.answer.clone();
        for (at, byte) in damage.into_iter().filter(|_| !case.answer.is_empty()) {
            let at = at.index(answer.len());
            answer[at] = byte;
        }
        answer.truncate(end.index(answer.len() * 2 + 1).min(answer.len()));
        let mut whole = case.received([&answer[..]]);
        let mut cut = case.received(pieces(&answer, &cuts));
        if case.delivery == Delivery::Whole && whole.end.is_err() {
            (whole.bytes, cut.bytes) = Default::default();
            // A body that breaks off inside what is broken is both cut and malformed.
            prop_assert!(cut.end.is_err());
        } else {
            prop_assert_eq!(cut, whole, "{}", &case.name);
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        status in any::<u16>(),
        streamed in any::<bool>(),
    ) {
        for provider in provider::ALL {
            for endpoint in Endpoint::ALL {
                let delivery = if streamed { Delivery::Streamed } else { Delivery::Whole };
                let start = ReplyStart { asked: Asked { endpoint, delivery, usage: UsageChunk::Wanted }, ..START };
                let reply = || exchange::reply(provider, &upstream(provider.name()), &start);
                let _ = received(reply(), bytes.chunks(7));
                let _ = received(reply(), [&[&b"data: "[..], &bytes, b"\n\n"].concat()[..]]);
            }
            let _ = provider.fault(status, &bytes);
        }
    }

    #[test]
    fn any_request_is_read_without_a_panic(
        case in any::<Index>(),
        member in any::<Index>(),
        value in nonsense(),
    ) {
        // A good request with one value anywhere replaced by another.
        let case = &CORPUS[case.index(CORPUS.len())];
        let mut body: Value = serde_json::from_slice(&case.caller).unwrap();
        let count = values(&mut body, &mut |_| {});
        let (mut at, target) = (0, member.index(count));
        values(&mut body, &mut |slot| {
            if at == target {
                *slot = value.clone();
            }
            at += 1;
        });
        let body = body.to_string();
        let Ok(scan) = scan(body.as_bytes()) else { return Ok(()) };
        let models = ["claude-opus-4-6", "gemini-3-flash-preview"];
        for (provider, model) in provider::ALL.into_iter().flat_map(|provider| models.map(|model| (provider, model))) {
            let call = Call { body: body.as_bytes(), scan: &scan, ..case.call() };
            let upstream = upstream(provider.name());
            let accepted = exchange::accepts(&call, &upstream, model);
            if !provider.relays(model, call.asked.endpoint, &upstream) {
                // Judged by less work, and alike.
                prop_assert_eq!(&accepted, &exchange::ask(&call, &upstream, model).map(drop));
            }
            match exchange::ask(&call, &upstream, model) {
                Ok(ask) => {
                    prop_assert!(accepted.is_ok());
                    if let Body::Replaced(body) = ask.body {
                        prop_assert!(serde_json::from_slice::<Value>(&body).is_ok());
                    }
                }
                // Every refusal that is not about the whole body names its field.
                Err(reject) => prop_assert!(reject.problem().param.is_some(), "{:?}", reject),
            }
        }
    }
}

/// Calls `on` for every value inside `value` (itself included) and gives their number.
fn values(value: &mut Value, on: &mut impl FnMut(&mut Value)) -> usize {
    let inner: usize = match value {
        Value::Object(members) => members.values_mut().map(|value| values(value, on)).sum(),
        Value::Array(items) => items.iter_mut().map(|value| values(value, on)).sum(),
        _ => 0,
    };
    on(value);
    inner + 1
}

fn nonsense() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!([])),
        Just(json!([{}])),
        Just(json!({"type": "function"})),
        Just(json!(-1)),
        Just(json!(0.5)),
        Just(json!(true)),
        Just(json!("")),
        Just(json!("assistant")),
        Just(json!([{"type": "input_audio", "input_audio": {}}])),
        "\\PC{0,8}".prop_map(Value::from),
    ]
}

proptest! {
    /// An answer that a caller puts into its next request arrives as the provider gave it: thinking with its signature,
    /// text, and tool calls. And it makes no difference whether it was streamed.
    #[test]
    fn an_answer_sent_back_is_what_the_provider_said(
        blocks in proptest::collection::vec(thought(), 0..3),
        text in "[a-z é😀\"\\\\\n]{0,20}[a-z]",
        calls in proptest::collection::vec(("[a-z]{1,8}", "[a-z\"é]{0,8}"), 0..3),
        cut in 1usize..9,
    ) {
        let mut content = blocks;
        content.push(json!({"type": "text", "text": text}));
        content.extend(calls.iter().enumerate().map(|(index, (name, value))| {
            json!({"type": "tool_use", "id": format!("toolu_{index}"), "name": name, "input": {"value": value}})
        }));
        let stop = if calls.is_empty() { "end_turn" } else { "tool_use" };
        let whole = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content,
            "stop_reason": stop, "usage": {"input_tokens": 3, "output_tokens": 5}}).to_string();
        let whole = answered(Delivery::Whole, &whole);
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        let streamed = collected(&answered(Delivery::Streamed, &streamed(&content, stop, cut)));
        let message = &whole["choices"][0]["message"];
        for field in ["content", "reasoning_content", "tool_calls"] {
            prop_assert_eq!(&streamed[field], &message[field], "{}", field);
        }
        for message in [message, &streamed] {
            let body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}, message]}).to_string();
            let up = asked_of_anthropic(&body);
            let sent = match &up["messages"][1]["content"] {
                Value::String(text) => json!([{"type": "text", "text": text}]),
                blocks => blocks.clone(),
            };
            prop_assert_eq!(&sent, &Value::from(content.clone()));
        }
    }
}

fn thought() -> impl Strategy<Value = Value> {
    prop_oneof![
        ("[a-z \n\"é]{1,12}", "[A-Za-z0-9+/]{4,12}")
            .prop_map(|(text, signature)| json!({"type": "thinking", "thinking": text, "signature": signature})),
        "[A-Za-z0-9]{4,12}".prop_map(|data| json!({"type": "redacted_thinking", "data": data})),
    ]
}

const START: ReplyStart<'_> = ReplyStart {
    asked: Asked { endpoint: Endpoint::Chat, delivery: Delivery::Whole, usage: UsageChunk::Unwanted },
    encoding: Encoding::Float,
    model: "m",
    id: "weir-1-1",
    created: 0,
    echo: "",
    content_type: "",
    calls: Calls::All,
    renamed: &[],
    texts: None,
};

fn upstream(dialect: &str) -> Upstream {
    Upstream { provider: dialect.to_owned(), dialect: dialect.to_owned(), ..Upstream::default() }
}

fn asked_of_anthropic(body: &str) -> Value {
    let scan = scan(body.as_bytes()).unwrap();
    let (endpoint, delivery, usage) = (Endpoint::Chat, Delivery::Whole, UsageChunk::Unwanted);
    let call = Call {
        asked: Asked { endpoint, delivery, usage },
        model: "asked",
        betas: "",
        body: body.as_bytes(),
        scan: &scan,
    };
    let ask = exchange::ask(&call, &upstream("anthropic"), "claude").unwrap();
    let Body::Replaced(body) = ask.body else { panic!("it is translated") };
    serde_json::from_slice(&body).unwrap()
}

fn answered(delivery: Delivery, answer: &str) -> Vec<u8> {
    let start = ReplyStart { asked: Asked { delivery, ..START.asked }, ..START };
    let reply = exchange::reply(provider::by_name("anthropic").unwrap(), &upstream("anthropic"), &start);
    let received = received(reply, [answer.as_bytes()]);
    received.end.unwrap();
    received.bytes
}

/// `content` as a stream, its texts in fragments of `cut` characters.
fn streamed(content: &[Value], stop: &str, cut: usize) -> String {
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude", "usage": {"input_tokens": 3, "output_tokens": 1}}}),
    ];
    for (index, block) in content.iter().enumerate() {
        let fragments = |text: &str| -> Vec<String> {
            text.chars().collect::<Vec<_>>().chunks(cut).map(|chunk| chunk.iter().collect()).collect()
        };
        let delta = |kind: &str, name: &str, text: &str| json!({"type": "content_block_delta", "index": index, "delta": {"type": kind, name: text}});
        let (start, deltas): (Value, Vec<Value>) = match block["type"].as_str().unwrap() {
            "text" => (
                json!({"type": "text", "text": ""}),
                fragments(block["text"].as_str().unwrap())
                    .iter()
                    .map(|text| delta("text_delta", "text", text))
                    .collect(),
            ),
            "thinking" => {
                let mut deltas: Vec<_> = fragments(block["thinking"].as_str().unwrap())
                    .iter()
                    .map(|text| delta("thinking_delta", "thinking", text))
                    .collect();
                deltas.push(delta("signature_delta", "signature", block["signature"].as_str().unwrap()));
                (json!({"type": "thinking", "thinking": "", "signature": ""}), deltas)
            }
            "tool_use" => (
                json!({"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}}),
                fragments(&block["input"].to_string())
                    .iter()
                    .map(|json| delta("input_json_delta", "partial_json", json))
                    .collect(),
            ),
            _ => (block.clone(), Vec::new()),
        };
        events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
        events.extend(deltas);
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 5}}));
    events.push(json!({"type": "message_stop"}));
    let text = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    events.iter().map(text).collect::<Vec<_>>().concat()
}
