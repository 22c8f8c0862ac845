//! What a stream's writer or reader collects of an answer is bounded, however long the answer goes on: measured as memory.
//!
//! One test alone, because all of a process's memory is counted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use peak_alloc::PeakAlloc;
use weir_core::upstream::Upstream;
use weir_core::{exchange, provider};
use weir_hub::call::ReplyStart;
use weir_hub::embed::Encoding;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::fault::FaultKind;
use weir_hub::piece::Calls;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What may be collected of one answer, and how much comes.
const BOUND: usize = 16 << 20;
const COMES: usize = BOUND + (4 << 20);

/// How much more memory than that it may take: a vector that grows has twice the room, beside what it had before, and so has
/// what one event makes.
const ROOM: usize = 4;

/// How long each fragment is.
const FRAGMENT: usize = 256 << 10;

/// One kind of answer that does not end: what it begins with, and an event that is repeated. `$` stands for its number, and
/// `%` for what is long.
struct Endless {
    what: &'static str,
    provider: &'static str,
    first: &'static [&'static str],
    then: &'static str,
}

const fn endless(
    what: &'static str,
    provider: &'static str,
    first: &'static [&'static str],
    then: &'static str,
) -> Endless {
    Endless { what, provider, first, then }
}

/// What each writer keeps or does not.
const MISTRAL: [Endless; 13] = [
    endless("text", "mistral", &[], r#"{"choices":[{"delta":{"content":"%"}}]}"#),
    endless("a refusal", "mistral", &[], r#"{"choices":[{"delta":{"refusal":"%"}}]}"#),
    endless("what is said of sound", "mistral", &[], r#"{"choices":[{"delta":{"audio":{"transcript":"%"}}}]}"#),
    endless("thoughts", "mistral", &[], r#"{"choices":[{"delta":{"reasoning_content":"%"}}]}"#),
    endless(
        "proofs",
        "mistral",
        &[],
        r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","index":0,"signature":"%"}]}}]}"#,
    ),
    endless(
        "encrypted thoughts",
        "mistral",
        &[],
        r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.encrypted","index":$,"data":"%"}]}}]}"#,
    ),
    endless(
        "arguments",
        "mistral",
        &[r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{"}}]}}]}"#],
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"%"}}]}}]}"#,
    ),
    endless(
        "arguments of the second call",
        "mistral",
        &[
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{"}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"d","function":{"name":"f","arguments":"{"}}]}}]}"#,
        ],
        r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"%"}}]}}]}"#,
    ),
    endless(
        "text behind a call that has no end",
        "mistral",
        &[r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{"}}]}}]}"#],
        r#"{"choices":[{"delta":{"content":"%"}}]}"#,
    ),
    endless(
        "calls with long names",
        "mistral",
        &[],
        r#"{"choices":[{"delta":{"tool_calls":[{"index":$,"id":"c$","function":{"name":"%","arguments":"{}"}}]}}]}"#,
    ),
    endless(
        "arguments of nothing",
        "mistral",
        &[],
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"%"}}]}}]}"#,
    ),
    endless(
        "images",
        "mistral",
        &[],
        r#"{"choices":[{"delta":{"images":[{"image_url":{"url":"data:image/png;base64,%"}}]}}]}"#,
    ),
    endless(
        "probabilities",
        "mistral",
        &[],
        r#"{"choices":[{"delta":{"content":"a"},"logprobs":{"content":[{"token":"%","logprob":-1}]}}]}"#,
    ),
];

/// What other readers read.
const OTHERS: [Endless; 5] = [
    endless(
        "arguments",
        "anthropic",
        &[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"c","name":"f","input":{}}}"#,
        ],
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"%"}}"#,
    ),
    endless(
        "thoughts",
        "anthropic",
        &[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        ],
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"%"}}"#,
    ),
    endless(
        "text",
        "gemini",
        &[],
        r#"{"candidates":[{"content":{"parts":[{"text":"%"}],"role":"model"}}],"modelVersion":"m"}"#,
    ),
    endless(
        "calls",
        "gemini",
        &[],
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":"%"}}}]}}],"modelVersion":"m"}"#,
    ),
    endless(
        "arguments",
        "cohere",
        &[
            r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"c","function":{"name":"f","arguments":"{"}}}}}"#,
        ],
        r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"%"}}}}}"#,
    ),
];

/// Small events of which each leaves something behind, though nothing is told of it.
const SMALL: [Endless; 2] = [
    endless("calls of nothing", "mistral", &[], r#"{"choices":[{"delta":{"tool_calls":[{"index":$}]}}]}"#),
    endless(
        "answers in calls",
        "cohere",
        &[],
        r#"{"type":"tool-call-start","index":$,"delta":{"message":{"tool_calls":{"id":"c","function":{"name":"weir_json_answer","arguments":"{}"}}}}}"#,
    ),
];

/// How much memory an answer takes at most while so many bytes of it come, and what ends it.
fn held(endless: &Endless, endpoint: Endpoint, fragment: usize, comes: usize) -> (usize, Option<FaultKind>) {
    let provider = provider::by_name(endless.provider).unwrap();
    let upstream = Upstream { dialect: endless.provider.into(), ..Upstream::default() };
    let start = ReplyStart {
        asked: Asked { endpoint, delivery: Delivery::Streamed, usage: UsageChunk::Unwanted },
        encoding: Encoding::Float,
        model: "m",
        texts: None,
        id: "weir-1-1",
        created: 0,
        content_type: "text/event-stream",
        echo: "",
        calls: Calls::All,
        renamed: &[],
    };
    let mut reply = exchange::reply(provider, &upstream, &start);
    let (head, tail) = endless.then.split_once('%').unwrap_or((endless.then, ""));
    let number = |text: &str, at: usize| text.replace('$', &at.to_string());
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut read = |event: &str| {
        let mut out = Vec::new();
        reply.read(format!("data: {event}\n\n").as_bytes(), &mut out).map(drop).map_err(|fault| fault.kind)
    };
    let first = endless.first.iter().try_for_each(|event| read(event));
    assert_eq!(first, Ok(()), "{} of {}", endless.what, endless.provider);
    let (mut come, mut at, mut end) = (0, 0, None);
    while come < comes && end.is_none() {
        let event = number(head, at) + &"x".repeat(fragment) + &number(tail, at);
        come += event.len();
        at += 1;
        end = read(&event).err();
    }
    (MEMORY.peak_usage().saturating_sub(before), end)
}

/// One long answer of a provider took all the memory that the wasm module may have, and with it every stream of its worker.
#[test]
fn no_answer_is_collected_without_end() {
    let check = |endless: &Endless, endpoint: Endpoint, fragment: usize, comes: usize| {
        let (held, end) = held(endless, endpoint, fragment, comes);
        let name = format!("{} of {} to {}", endless.what, endless.provider, endpoint.name());
        assert!(held < ROOM * BOUND, "{name}: {held}");
        match end {
            Some(kind) => assert_eq!(kind, FaultKind::Malformed, "{name}"),
            // What goes on has left nothing behind.
            None => assert!(held < BOUND / 2 && endpoint != Endpoint::Responses, "{name}: {held}"),
        }
    };
    for endless in &MISTRAL {
        // A chat's writer keeps nothing of any.
        for endpoint in [Endpoint::Responses, Endpoint::Messages, Endpoint::GenerateContent] {
            check(endless, endpoint, FRAGMENT, COMES);
        }
    }
    for endless in &OTHERS {
        check(endless, Endpoint::Responses, FRAGMENT, COMES);
    }
    check(&MISTRAL[0], Endpoint::Chat, FRAGMENT, COMES);
    for endless in &SMALL {
        check(endless, Endpoint::Messages, 0, COMES);
    }
}
