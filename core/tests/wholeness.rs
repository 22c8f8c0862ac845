//! A stream is whole after a finish, and only then: whatever ends it otherwise is a failed try before the first token and an
//! honest break after it; and one that has finished needs no more than its end.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod fixture;

use fixture::{Received, framed, received};
use weir_core::upstream::Upstream;
use weir_core::{exchange, provider};
use weir_hub::call::ReplyStart;
use weir_hub::embed::Encoding;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::fault::FaultKind;
use weir_hub::piece::Calls;

/// How one API streams an answer: each is events, framed.
struct Api {
    provider: &'static str,
    model: &'static str,
    /// The endpoints whose callers are served by it.
    callers: &'static [Endpoint],
    /// Up to the last token.
    tokens: Vec<u8>,
    /// Why it ended, and what was used.
    finish: Vec<u8>,
    /// The event that says that it is over; empty where there is none.
    over: Vec<u8>,
}

const CHATS: [Endpoint; 5] =
    [Endpoint::Chat, Endpoint::Messages, Endpoint::Responses, Endpoint::GenerateContent, Endpoint::Completions];

const STRAYS: [&str; 7] = [
    r#"{"detail":"Internal error"}"#,
    r#"{"success":false}"#,
    r#"{"choices":null,"object":"chat.completion.chunk","id":null,"error":null}"#,
    r#"{"message":"Internal error","status":500}"#,
    "{}",
    "null",
    r#""no""#,
];

fn data(events: &[&str]) -> Vec<u8> {
    events.iter().flat_map(|event| format!("data: {event}\n\n").into_bytes()).collect()
}

fn apis() -> Vec<Api> {
    let chunk =
        |choice: &str| format!(r#"{{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{choice}]}}"#);
    let said = chunk(r#"{"index":0,"delta":{"content":"Hi"},"finish_reason":null}"#);
    let finish = chunk(r#"{"index":0,"delta":{},"finish_reason":"stop"}"#);
    let usage = r#"{"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
    let openai = |provider| Api {
        provider,
        model: "m",
        callers: &CHATS,
        tokens: data(&[&said, &said]),
        finish: data(&[&finish, usage]),
        over: data(&["[DONE]"]),
    };
    let anthropic = |provider, model| Api {
        provider,
        model,
        callers: &CHATS,
        tokens: data(&[
            r#"{"type":"message_start","message":{"id":"m","model":"m","usage":{"input_tokens":3,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#,
        ]),
        finish: data(&[
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
        ]),
        over: data(&[r#"{"type":"message_stop"}"#]),
    };
    let gemini = |provider, model| Api {
        provider,
        model,
        callers: &CHATS,
        tokens: data(&[r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"}}],"modelVersion":"m"}"#]),
        finish: data(&[
            r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2}}"#,
        ]),
        over: Vec::new(),
    };
    vec![
        openai("openai"),
        Api {
            provider: "openai",
            model: "m",
            callers: &[Endpoint::Responses],
            tokens: data(&[
                r#"{"type":"response.created","response":{"id":"r","model":"m","status":"in_progress"}}"#,
                r#"{"type":"response.output_text.delta","delta":"Hi"}"#,
            ]),
            // It has no event for the one without the other.
            finish: data(&[
                r#"{"type":"response.completed","response":{"id":"r","output":[],"usage":{"input_tokens":3,"output_tokens":2}}}"#,
            ]),
            over: Vec::new(),
        },
        openai("azure"),
        openai("mistral"),
        anthropic("anthropic", "claude-x"),
        anthropic("vertex", "claude-x"),
        gemini("gemini", "gemini-x"),
        gemini("vertex", "gemini-x"),
        Api {
            provider: "cohere",
            model: "command-a",
            callers: &CHATS,
            tokens: data(&[
                r#"{"type":"message-start","id":"a"}"#,
                r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hi"}}}}"#,
            ]),
            // It has no event for the one without the other.
            finish: data(&[
                r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":3,"output_tokens":2}}}}"#,
            ]),
            over: Vec::new(),
        },
        Api {
            provider: "bedrock",
            model: "m",
            callers: &CHATS,
            tokens: framed(concat!(
                r#"{"event":"messageStart","data":{"role":"assistant"}}"#,
                "\n",
                r#"{"event":"contentBlockDelta","data":{"contentBlockIndex":0,"delta":{"text":"Hi"}}}"#
            )),
            finish: framed(r#"{"event":"messageStop","data":{"stopReason":"end_turn"}}"#),
            over: framed(r#"{"event":"metadata","data":{"usage":{"inputTokens":3,"outputTokens":2}}}"#),
        },
        Api {
            provider: "oneinfer",
            model: "m",
            callers: &CHATS,
            tokens: data(&[r#"{"delta":"Hi"}"#, r#"{"delta":" there"}"#]),
            finish: data(&[r#"{"data":{"finish_reason":"stop"}}"#]),
            over: data(&["[DONE]"]),
        },
    ]
}

#[test]
fn every_provider_is_here() {
    let apis = apis();
    for provider in provider::ALL.into_iter().filter(|provider| provider.reach() == provider::Reach::Url) {
        assert!(apis.iter().any(|api| api.provider == provider.name()), "{}", provider.name());
    }
}

fn answered(api: &Api, endpoint: Endpoint, delivery: Delivery, parts: &[&[u8]]) -> Received {
    let provider = provider::by_name(api.provider).unwrap();
    let mut upstream = Upstream { dialect: api.provider.into(), ..Upstream::default() };
    if api.callers.len() > 1 {
        // A host that has no responses: their callers are served with chats.
        upstream.quirks.endpoints = vec![Endpoint::Chat, Endpoint::Completions, Endpoint::Images];
    }
    let content_type = if delivery == Delivery::Streamed { "text/event-stream" } else { "application/json" };
    let start = ReplyStart {
        asked: Asked { delivery, ..start(endpoint).asked },
        model: api.model,
        content_type,
        ..start(endpoint)
    };
    received(exchange::reply(provider, &upstream, &start), parts.iter().copied())
}

/// What is asked for as a stream.
fn start(endpoint: Endpoint) -> ReplyStart<'static> {
    ReplyStart {
        asked: Asked { endpoint, delivery: Delivery::Streamed, usage: UsageChunk::Wanted },
        encoding: Encoding::Float,
        model: "m",
        id: "weir-1-1",
        created: 0,
        echo: "",
        content_type: "text/event-stream",
        calls: Calls::All,
        renamed: &[],
        texts: None,
    }
}

/// Each API with each of its callers; what some do not serve is left out, as it is by the edge.
fn each(mut check: impl FnMut(&str, &dyn Fn(&[&[u8]]) -> Received, &Api)) {
    for api in apis() {
        for endpoint in api.callers {
            let name = format!("{} for {endpoint:?}", api.provider);
            check(&name, &|parts| answered(&api, *endpoint, Delivery::Streamed, parts), &api);
        }
    }
}

/// Signs that a caller of any dialect takes for the end of a whole answer.
fn looks_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    ["[DONE]", "message_stop", "end_turn", "\"STOP\"", "response.completed", "\"finish_reason\":\"stop\""]
        .iter()
        .any(|sign| text.contains(sign))
}

fn stray(api: &Api, event: &str) -> Vec<u8> {
    if api.provider == "bedrock" { framed(&format!(r#"{{"event":"","data":{event}}}"#)) } else { data(&[event]) }
}

#[test]
fn what_is_no_part_of_an_answer_fails_a_try_before_the_first_token_and_breaks_it_after() {
    each(|name, answered, api| {
        for event in STRAYS {
            if event == "{}" && api.model == "gemini-x" {
                // There it is a message without news.
                continue;
            }
            let stray = stray(api, event);
            for done in [&b""[..], &data(&["[DONE]"])] {
                if api.provider == "bedrock" && !done.is_empty() {
                    continue;
                }
                let first = answered(&[&stray, done]);
                assert!(first.end.is_err() && !first.begun, "{name}, {event}: {first:?}");
                let late = answered(&[&api.tokens, &stray, done]);
                assert!(late.end.is_err() && late.begun && !late.done, "{name}, {event}: {late:?}");
                assert!(!looks_whole(&late.bytes), "{name}, {event}: {}", String::from_utf8_lossy(&late.bytes));
            }
        }
    });
}

#[test]
fn an_end_without_a_finish_is_a_cut_whatever_says_that_it_is_over() {
    each(|name, answered, api| {
        for over in [&b""[..], &api.over, &data(&["[DONE]"])] {
            // Nothing but that says of this one that it is over.
            if api.provider == "oneinfer" && !over.is_empty() || api.provider == "bedrock" && over.starts_with(b"data")
            {
                continue;
            }
            let first = answered(&[over]);
            assert!(first.end.is_err() && !first.begun, "{name}: {first:?}");
            let late = answered(&[&api.tokens, over]);
            assert!(late.end.is_err() && late.begun && !late.done, "{name}: {late:?}");
            assert!(!looks_whole(&late.bytes), "{name}: {}", String::from_utf8_lossy(&late.bytes));
        }
    });
}

#[test]
fn after_a_finish_nothing_lacks_but_the_end() {
    each(|name, answered, api| {
        let whole = answered(&[&api.tokens, &api.finish, &api.over]);
        assert_eq!(whole.end, Ok(()), "{name}");
        let without = answered(&[&api.tokens, &api.finish]);
        assert_eq!((&without.end, without.done), (&Ok(()), true), "{name}");
        assert!(looks_whole(&without.bytes), "{name}: {}", String::from_utf8_lossy(&without.bytes));
        // What Bedrock counts comes with the event that lacks.
        if api.provider != "bedrock" {
            let events = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches("data: ").count();
            assert_eq!(events(&without.bytes), events(&whole.bytes), "{name}");
        }
        // And what comes between changes nothing.
        let late = answered(&[&api.tokens, &api.finish, &stray(api, "{}"), &api.over]);
        assert!(late.end.is_ok() || api.over.is_empty(), "{name}: {late:?}");
    });
}

#[test]
fn a_last_event_counts_without_its_blank_line_and_half_of_one_does_not() {
    let api = &apis()[0];
    let finish = data(&[r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#]);
    let read = |parts: &[&[u8]]| answered(api, Endpoint::Chat, Delivery::Streamed, parts);
    let whole = read(&[&api.tokens, finish.trim_ascii_end()]);
    assert_eq!((&whole.end, whole.done), (&Ok(()), true));
    assert!(whole.bytes.ends_with(b"\"stop\"}]}\n\ndata: [DONE]\n\n"));
    let half = read(&[&api.tokens, &finish[..40]]);
    assert_eq!(half.end.unwrap_err().kind, FaultKind::Cut);
    let after = read(&[&api.tokens, &finish, b"data: {\"choi"]);
    assert_eq!(after.end, Ok(()));
    assert!(after.bytes.ends_with(b"\"stop\"}]}\n\ndata: [DONE]\n\n"));
}

#[test]
fn each_of_several_choices_finishes() {
    let api = &apis()[0];
    let said = |index: u8| format!(r#"{{"choices":[{{"delta":{{"content":"a"}},"index":{index}}}]}}"#);
    let ended = |index: u8| format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop","index":{index}}}]}}"#);
    for endpoint in CHATS {
        let read = |events: &[&str]| answered(api, endpoint, Delivery::Streamed, &[&data(events)]).end;
        assert_eq!(read(&[&said(0), &said(1), &ended(1), &ended(0), "[DONE]"]), Ok(()), "{endpoint:?}");
        let cut = read(&[&said(0), &said(1), &ended(1), "[DONE]"]);
        assert_eq!(cut.unwrap_err().kind, FaultKind::Cut, "{endpoint:?}");
    }
}

/// Azure's first event, Groq's last, usage by itself, pings: a host's own ways, and no error.
#[test]
fn what_a_host_tells_besides_is_no_error() {
    let api = &apis()[0];
    let besides = [
        r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}"#,
        r#"{"prompt_filter_results":[]}"#,
        r#"{"id":"c","x_groq":{"id":"r"}}"#,
        r#"{"choices":[]}"#,
        r#"{"usage":{"prompt_tokens":3,"completion_tokens":2}}"#,
        r#"{"type":"ping"}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":""}]}"#,
    ];
    for endpoint in CHATS {
        for beside in besides {
            let beside = data(&[beside]);
            for ping in
                [&b": comment\n\n"[..], b"event: ping\ndata: {}\n\n", b"event: heartbeat\ndata: null\n\n", &beside]
            {
                let read = answered(api, endpoint, Delivery::Streamed, &[ping, &beside]);
                assert!(!read.begun, "{endpoint:?}");
                let parts = [ping, &beside, &api.tokens, ping, &beside, &api.finish, ping, &beside, &api.over];
                let read = answered(api, endpoint, Delivery::Streamed, &parts);
                let shown = String::from_utf8_lossy(&beside).into_owned();
                assert_eq!(read.end, Ok(()), "{endpoint:?}: {shown}");
            }
        }
    }
}

#[test]
fn a_model_that_failed_has_not_answered() {
    let api = &apis()[0];
    for (endpoint, delivery) in
        CHATS.into_iter().flat_map(|endpoint| [(endpoint, Delivery::Whole), (endpoint, Delivery::Streamed)])
    {
        let told = if delivery == Delivery::Whole { "message" } else { "delta" };
        for reason in ["error", "insufficient_system_resource"] {
            let answer = format!(
                r#"{{"id":"a","choices":[{{"index":0,"{told}":{{"content":"Hi"}},"finish_reason":"{reason}"}}]}}"#
            );
            let bytes = if delivery == Delivery::Whole { answer.into_bytes() } else { data(&[&answer, "[DONE]"]) };
            let fault = answered(api, endpoint, delivery, &[&bytes]).end.unwrap_err();
            assert_eq!(fault.kind, FaultKind::ErrorEvent, "{endpoint:?} {delivery:?}");
        }
    }
    for choices in ["[]", "null", "{}", "[null]", "[{}]", r#"[{"index":0,"message":{"content":""}}]"#] {
        for endpoint in CHATS {
            let answer =
                format!(r#"{{"id":"a","choices":{choices},"usage":{{"prompt_tokens":3,"completion_tokens":2}}}}"#);
            let fault = answered(api, endpoint, Delivery::Whole, &[answer.as_bytes()]).end.unwrap_err();
            assert_eq!(fault.kind, FaultKind::Malformed, "{endpoint:?} {choices}");
        }
    }
    let image = answered(api, Endpoint::Images, Delivery::Whole, &[br#"{"created":1,"data":[]}"#]);
    assert_eq!(image.end.unwrap_err().kind, FaultKind::Malformed);
}

/// <https://ai.google.dev/api/generate-content#FinishReason>
#[test]
fn a_model_that_gave_up_without_a_word_has_not_answered() {
    for (provider, reason) in ["gemini", "vertex"].into_iter().flat_map(|provider| {
        ["OTHER", "NO_IMAGE", "IMAGE_OTHER", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "A_KIND_TO_COME"]
            .map(|reason| (provider, reason))
    }) {
        let api = Api { provider, model: "gemini-x", callers: &CHATS, tokens: vec![], finish: vec![], over: vec![] };
        let answer = format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"Hm","thought":true}}]}},"finishReason":"{reason}"}}],"modelVersion":"m"}}"#
        );
        for endpoint in CHATS {
            for delivery in [Delivery::Whole, Delivery::Streamed] {
                let bytes = if delivery == Delivery::Whole { answer.clone().into_bytes() } else { data(&[&answer]) };
                let fault = answered(&api, endpoint, delivery, &[&bytes]).end.unwrap_err();
                assert_eq!(fault.kind, FaultKind::Malformed, "{endpoint:?} {delivery:?} {reason}");
                assert!(fault.message.contains(reason), "{}", fault.message);
            }
        }
    }
}

/// How a whole answer of OpenAI's dialect gets to callers of `endpoint`.
fn whole(provider: &str, endpoint: Endpoint, answer: &str) -> Result<(), FaultKind> {
    let provider = provider::by_name(provider).unwrap();
    let upstream = Upstream { dialect: provider.name().into(), ..Upstream::default() };
    let start = ReplyStart {
        asked: Asked { delivery: Delivery::Whole, ..start(endpoint).asked },
        content_type: "application/json",
        ..start(endpoint)
    };
    let mut reply = exchange::reply(provider, &upstream, &start);
    let mut out = Vec::new();
    reply.read(answer.as_bytes(), &mut out).map_err(|fault| fault.kind)?;
    reply.end(&mut out).map(drop).map_err(|fault| fault.kind)
}

/// Hosts leave the reason out where all is said (<https://github.com/mudler/LocalAI/issues/788>), and OpenAI itself once did
/// (<https://github.com/openai/openai-openapi/pull/20>). But arguments that were cut off would run a tool with half of what it needs.
#[test]
fn a_whole_answer_that_does_not_say_why_it_ended_is_whole_unless_a_call_is_cut() {
    let call = |arguments: &str, reason: &str| {
        let function = format!(r#"{{"name":"f","arguments":{arguments}}}"#);
        let calls = format!(r#"[{{"id":"c","type":"function","function":{function}}}]"#);
        format!(r#"{{"id":"a","choices":[{{"index":0,"message":{{"content":null,"tool_calls":{calls}}}{reason}}}]}}"#)
    };
    let legacy = r#"{"choices":[{"message":{"function_call":{"name":"f","arguments":"{\"a\":"}}}]}"#;
    let text = r#"{"choices":[{"message":{"content":"Hi"},"finish_reason":null}]}"#;
    let second = r#"{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"},{"index":1,"message":{"tool_calls":[{"function":{"name":"f","arguments":"{"}}]}}]}"#;
    for (provider, endpoint) in [
        ("openai", Endpoint::Chat),
        ("azure", Endpoint::Chat),
        ("mistral", Endpoint::Chat),
        ("openai", Endpoint::Messages),
        ("openai", Endpoint::GenerateContent),
        ("mistral", Endpoint::Responses),
    ] {
        let whole = |answer: &str| whole(provider, endpoint, answer);
        assert_eq!(whole(text), Ok(()), "{provider} to {endpoint:?}");
        for reason in ["", r#","finish_reason":null"#, r#","finish_reason":"""#] {
            for (arguments, expect) in [
                (r#""{\"a\":1}""#, Ok(())),
                (r#"{"a":1}"#, Ok(())),
                (r#""""#, Ok(())),
                (r#""{\"a\":""#, Err(FaultKind::Cut)),
                (r#""{\"a\":1""#, Err(FaultKind::Cut)),
            ] {
                assert_eq!(whole(&call(arguments, reason)), expect, "{provider} to {endpoint:?}: {arguments} {reason}");
            }
        }
        assert_eq!(whole(&call(r#""{\"a\":""#, r#","finish_reason":"length""#)), Ok(()), "{provider} to {endpoint:?}");
        assert_eq!(whole(legacy), Err(FaultKind::Cut), "{provider} to {endpoint:?}");
        assert_eq!(whole(second), Err(FaultKind::Cut), "{provider} to {endpoint:?}");
    }
}

/// <https://platform.openai.com/docs/api-reference/responses/object>, `status` and `background`
#[test]
fn a_response_is_whole_by_its_status() {
    let upstream = Upstream { dialect: "openai".into(), ..Upstream::default() };
    let openai = provider::by_name("openai").unwrap();
    assert!(openai.relays("m", Endpoint::Responses, &upstream));
    let answer = |status: &str, more: &str| format!(r#"{{"id":"r","model":"m","output":[]{status}{more}}}"#);
    for (status, more, expect) in [
        (r#","status":"completed""#, "", Ok(())),
        (r#","status":"incomplete""#, "", Ok(())),
        ("", "", Ok(())),
        (r#","status":"in_progress""#, "", Err(FaultKind::Cut)),
        (r#","status":"queued""#, r#","background":false"#, Err(FaultKind::Cut)),
        (r#","status":"queued""#, r#","background":true"#, Ok(())),
        (r#","status":"in_progress""#, r#","background":true"#, Ok(())),
        (r#","status":"cancelled""#, "", Err(FaultKind::Cut)),
        (r#","status":"failed""#, "", Err(FaultKind::ErrorEvent)),
    ] {
        assert_eq!(whole("openai", Endpoint::Responses, &answer(status, more)), expect, "{status} {more}");
        if more.is_empty() {
            let mut reply = exchange::reply(openai, &upstream, &start(Endpoint::Responses));
            let last = format!(r#"{{"type":"response.completed","response":{}}}"#, answer(status, ""));
            let said = r#"{"type":"response.output_text.delta","delta":"a"}"#;
            let read = reply.read(&data(&[said, &last]), &mut Vec::new());
            // vLLM says so of one that ran out of tokens: <https://github.com/vllm-project/agentic-api/issues/273>
            assert_eq!(read.map(drop).map_err(|fault| fault.kind), expect, "streamed: {status}");
        }
    }
}
