use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;
use serde_json::{Value, json};
use weir_hub::call::{Call, ReplyStart};
use weir_hub::codec::json::{Collected, Str, scan};
use weir_hub::dialect::Dialect;
use weir_hub::dialect::anthropic::{Messages, SYSTEM, call_id, error};
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::fault::Reject;
use weir_hub::piece::{Answer, Finish, Piece};
use weir_hub::usage::Usage;

use crate::exchange::{translate, trial};
use crate::provider::{self, Body, To};
use crate::upstream::Upstream;

const START: ReplyStart<'_> =
    ReplyStart { asked: Asked { endpoint: Endpoint::Messages, ..trial::START.asked }, ..trial::START };

/// What Anthropic is sent if a request is read and written anew instead of relayed.
fn there_and_back(body: &str, model: &str) -> Result<(Value, provider::Notes), Reject> {
    let scan = scan(body.as_bytes())?;
    let (endpoint, delivery) = (Endpoint::Messages, Delivery::Whole);
    let (usage, body) = (UsageChunk::Unwanted, body.as_bytes());
    let call = Call { asked: Asked { endpoint, delivery, usage }, model: "asked", betas: "", body, scan: &scan };
    let upstream = Upstream::default();
    let anthropic = provider::by_name("anthropic").unwrap();
    let mut to = To::new(anthropic, &upstream, model, &call);
    let chat = Messages.read(&call)?;
    to.known(&chat);
    let ask = anthropic.chat_api().unwrap().write(&chat, &mut to);
    let Body::Replaced(up) = to.refuse_unsupported(ask)?.body else { panic!("it is written") };
    Ok((serde_json::from_slice(&up).unwrap(), to.notes))
}

fn refused(body: &str) -> (String, String) {
    let problem = there_and_back(body, "claude-sonnet-4-5").unwrap_err().problem();
    (problem.code, problem.param.unwrap_or_default())
}

#[test]
fn a_request_is_the_same_there_and_back() {
    let check = |mut request: Value, model: &str| {
        request["model"] = model.into();
        let (up, notes) = there_and_back(&request.to_string(), model).unwrap();
        assert_eq!(notes, provider::Notes::default());
        assert_eq!(up, request);
    };
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    check(
        json!({
            "max_tokens": 32000,
            "system": [
                {"type": "text", "text": "You are terse.", "cache_control": mark},
                {"type": "text", "text": "Never say \"no\".\n"}],
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "Compare."},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                    {"type": "image", "source": {"type": "url", "url": "https://e.org/a.png"}},
                    {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "BBBB"}, "title": "B"},
                    {"type": "document", "source": {"type": "url", "url": "https://e.org/c.pdf"}},
                    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}, "cache_control": mark}]},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "EqQBCg=="},
                    {"type": "redacted_thinking", "data": "EmwKAhgB"},
                    {"type": "text", "text": "Looking."},
                    {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"z": [1, {"a": null}], "b": "é\n"}},
                    {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "nothing", "is_error": true},
                    {"type": "tool_result", "tool_use_id": "toolu_2", "content": [
                        {"type": "text", "text": "see"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}],
                        "cache_control": mark},
                    {"type": "text", "text": "Well?"}]}],
            "tools": [
                {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {"z": {}, "a": {}}}},
                {"name": "act", "input_schema": {"type": "object"}, "strict": true, "cache_control": mark}],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
            "thinking": {"type": "enabled", "budget_tokens": 10000},
            "top_p": 0.95,
            "stop_sequences": ["END", "\n\nHuman:"],
            "metadata": {"user_id": "user_1"}
        }),
        "claude-sonnet-4-5",
    );
    check(
        json!({"max_tokens": 9, "messages": [{"role": "user", "content": "a"}], "temperature": 0.5, "top_k": 40}),
        "claude-sonnet-4-5",
    );
    check(
        json!({"max_tokens": 9, "messages": [{"role": "user", "content": "a"}], "thinking": {"type": "adaptive"},
            "output_config": {"effort": "max", "format": {"type": "json_schema", "schema": {"type": "object"}}}}),
        "claude-opus-4-6",
    );
    for choice in [json!({"type": "any"}), json!({"type": "none"}), json!({"type": "tool", "name": "f"})] {
        check(
            json!({"max_tokens": 9, "messages": [{"role": "user", "content": "a"}], "tool_choice": choice,
                "tools": [{"name": "f", "input_schema": {"type": "object"}}]}),
            "claude-haiku-4-5",
        );
    }
}

#[test]
fn what_only_advises_is_left_out_and_noted() {
    let (_, notes) = there_and_back(
        r#"{"max_tokens":9,"messages":[{"role":"user","content":"a"}],"cache_control":{"type":"ephemeral"},
            "thinking":{"type":"adaptive","display":"omitted"},"context_management":{"edits":[]},"mcp_servers":[],
            "service_tier":"standard_only","container":null,"stream":false,"top_k":0}"#,
        "claude-opus-4-6",
    )
    .unwrap();
    assert_eq!(notes.dropped, ["thinking.display", "cache_control", "context_management"]);
}

#[test]
fn refusals_name_the_field_as_this_api_does() {
    let check = |body: &str, field: &str| assert_eq!(refused(body).1, field, "{body}");
    let with = |member: &str, field: &str| {
        check(&format!(r#"{{"max_tokens":9,"messages":[{{"role":"user","content":"a"}}],{member}}}"#), field);
    };
    let says = |role: &str, content: &str, field: &str| {
        check(
            &format!(
                r#"{{"max_tokens":9,"messages":[{{"role":"user","content":"a"}},{{"role":"{role}","content":{content}}}]}}"#
            ),
            field,
        );
    };
    check(r#"{"messages":[{"role":"user","content":"a"}]}"#, "max_tokens");
    check(r#"{"max_tokens":9}"#, "messages");
    check(r#"{"max_tokens":9,"messages":[]}"#, "messages");
    check(r#"{"max_tokens":9,"messages":[{"content":"a"}]}"#, "messages.0.role");
    says("robot", r#""a""#, "messages.1.role");
    says("user", "7", "messages.1.content");
    says("user", r#"[{"text":"a"}]"#, "messages.1.content.0.type");
    says("user", r#"[{"type":"text"}]"#, "messages.1.content.0.text");
    says(
        "user",
        r#"[{"type":"image","source":{"type":"base64","data":"A"}}]"#,
        "messages.1.content.0.source.media_type",
    );
    says("user", r#"[{"type":"tool_result"}]"#, "messages.1.content.0.tool_use_id");
    says(
        "user",
        r#"[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text"}]}]"#,
        "messages.1.content.0.content.0.text",
    );
    says("assistant", r#"[{"type":"tool_use","id":"t","name":"f","input":"{}"}]"#, "messages.1.content.0.input");
    with(r#""max_tokens":0"#, "max_tokens");
    with(r#""system":[{"type":"image"}]"#, "system.0.type");
    with(r#""stop_sequences":["a",7]"#, "stop_sequences.1");
    with(r#""thinking":{"type":"enabled"}"#, "thinking.budget_tokens");
    with(r#""thinking":{"type":"much"}"#, "thinking.type");
    with(r#""output_config":{"effort":"none"}"#, "output_config.effort");
    with(r#""output_config":{"format":{"type":"json_schema"}}"#, "output_config.format.schema");
    with(r#""tools":[{"name":"f"}]"#, "tools.0.input_schema");
    with(r#""tools":[{"input_schema":{}}]"#, "tools.0.name");
    with(r#""tool_choice":{"type":"tool"}"#, "tool_choice.name");
    with(r#""tool_choice":"auto""#, "tool_choice");
    with(r#""metadata":{"user_id":7}"#, "metadata.user_id");
}

/// The SDK and Claude Code then send the whole conversation and continue without a thread.
#[test]
fn a_thread_is_refused_so_that_clients_go_on_without_one() {
    let body = r#"{"max_tokens":9,"messages":[{"role":"user","content":"a"}],"thread":{"type":"create"}}"#;
    let problem = there_and_back(body, "claude-sonnet-4-5").unwrap_err().problem();
    let told = String::from_utf8(error(&problem)).unwrap();
    assert!(told.contains(r#""details":{"error_code":"thread_unsupported_request","#), "{told}");
    assert_eq!(problem.status, 400);
}

#[test]
fn what_nobody_else_has_words_for_is_refused_by_name() {
    let check = |body: &str, field: &str| {
        assert_eq!(refused(body), ("unsupported_parameter".to_string(), field.to_string()), "{body}");
    };
    let with = |member: &str, field: &str| {
        check(&format!(r#"{{"max_tokens":9,"messages":[{{"role":"user","content":"a"}}],{member}}}"#), field);
    };
    let says = |role: &str, block: &str, field: &str| {
        check(
            &format!(
                r#"{{"max_tokens":9,"messages":[{{"role":"user","content":"a"}},{{"role":"{role}","content":[{block}]}}]}}"#
            ),
            field,
        );
    };
    with(r#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#, "tools.0.web_search_20250305");
    with(r#""tools":[{"name":"f","input_schema":{},"defer_loading":true}]"#, "tools.0.defer_loading");
    with(r#""mcp_servers":[{"type":"url","url":"https://e.org","name":"e"}]"#, "mcp_servers");
    with(r#""container":"c_1""#, "container");
    with(r#""speed":"fast""#, "speed");
    with(r#""service_tier":"priority""#, "service_tier");
    with(r#""output_config":{"task_budget":{"type":"tokens","total":9}}"#, "output_config.task_budget");
    says(
        "user",
        r#"{"type":"search_result","source":"s","title":"t","content":[]}"#,
        "messages.1.content.0.search_result",
    );
    says("user", r#"{"type":"container_upload","file_id":"f"}"#, "messages.1.content.0.container_upload");
    says("user", r#"{"type":"image","source":{"type":"file","file_id":"f"}}"#, "messages.1.content.0.source.file");
    says(
        "assistant",
        r#"{"type":"server_tool_use","id":"s","name":"n","input":{}}"#,
        "messages.1.content.0.server_tool_use",
    );
    says(
        "user",
        r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"d"},"citations":{"enabled":true}}"#,
        "messages.1.content.0.citations",
    );
    says(
        "user",
        r#"{"type":"tool_result","tool_use_id":"t","content":[{"type":"tool_reference","tool_name":"f"}]}"#,
        "messages.1.content.0.content.0.tool_reference",
    );
}

#[test]
fn fields_have_this_apis_names() {
    let check = |field: &str, expect: &str| assert_eq!(Messages.field(field), expect);
    check("stop", "stop_sequences");
    check("temperature", "temperature");
    check("response_format.json_schema.strict", "output_config.format");
    check("parallel_tool_calls", "tool_choice.disable_parallel_tool_use");
    check("messages[2].content[0].image_url", "messages.2.content.0");
    check("messages[2].content[1].file.file_data", "messages.2.content.1");
    check("messages[2].tool_calls[0].function.arguments", "messages.2.content");
    check(&To::of_message(SYSTEM, "content[1]"), "system.1");
    check("tools[3].function.strict", "tools.3.strict");
    check("tools[3].function.parameters", "tools.3.input_schema");
}

/// What a caller receives of an answer of Anthropic's that is read and written anew instead of relayed.
fn answered(delivery: Delivery, answer: &str) -> String {
    let start = ReplyStart { asked: Asked { delivery, ..START.asked }, ..START };
    let anthropic = provider::by_name("anthropic").unwrap();
    let mut reply = translate::reply(
        &Messages,
        anthropic.chat_api().unwrap().framing(),
        anthropic.chat_api().unwrap().reader(&start),
        &start,
    );
    let mut out = Vec::new();
    reply.read(answer.as_bytes(), &mut out).unwrap();
    reply.end(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Joins a stream's events to a message, as the SDKs do. Checks every rule that SDKs rely on.
fn collected(stream: &str) -> Value {
    let mut message = Value::Null;
    let mut fragments = String::new();
    let mut open = None;
    let mut stopped = false;
    for event in stream.split_terminator("\n\n") {
        let (name, data) = event.split_once('\n').unwrap();
        let event: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        let kind = event["type"].as_str().unwrap();
        assert_eq!(name.strip_prefix("event: "), Some(kind));
        assert!(!stopped, "nothing follows the end");
        assert_eq!(message.is_null(), kind == "message_start");
        match kind {
            "message_start" => message = event["message"].clone(),
            "ping" => {}
            "content_block_start" => {
                assert_eq!(open, None, "one block at a time");
                open = event["index"].as_u64();
                let content = message["content"].as_array_mut().unwrap();
                assert_eq!(open, Some(content.len() as u64), "blocks are numbered");
                content.push(event["content_block"].clone());
                fragments.clear();
            }
            "content_block_delta" => {
                assert_eq!(event["index"].as_u64(), open);
                let block = message["content"].as_array_mut().unwrap().last_mut().unwrap();
                let delta = &event["delta"];
                let mut join = |name: &str| {
                    let more = block[name].as_str().unwrap().to_string() + delta[name].as_str().unwrap();
                    block[name] = more.into();
                };
                match delta["type"].as_str().unwrap() {
                    "text_delta" => join("text"),
                    "thinking_delta" => join("thinking"),
                    "signature_delta" => join("signature"),
                    "input_json_delta" => fragments.push_str(delta["partial_json"].as_str().unwrap()),
                    "citations_delta" => {
                        if block["citations"].is_null() {
                            block["citations"] = json!([]);
                        }
                        block["citations"].as_array_mut().unwrap().push(delta["citation"].clone());
                    }
                    other => panic!("{other}"),
                }
            }
            "content_block_stop" => {
                assert_eq!(event["index"].as_u64(), open);
                open = None;
                let block = message["content"].as_array_mut().unwrap().last_mut().unwrap();
                if block["type"] == "tool_use" && !fragments.is_empty() {
                    block["input"] = serde_json::from_str(&fragments).unwrap_or(json!({"INVALID_JSON": fragments}));
                }
            }
            "message_delta" => {
                assert_eq!(open, None);
                for field in ["stop_reason", "stop_sequence"] {
                    message[field] = event["delta"][field].clone();
                }
                message["usage"] = event["usage"].clone();
            }
            "message_stop" => stopped = true,
            other => panic!("{other}"),
        }
    }
    assert!(stopped);
    message
}

fn block() -> impl Strategy<Value = Value> {
    let words = "[a-z é😀\"\\\\\n]{0,12}[a-z]";
    prop_oneof![
        words.prop_map(|text| json!({"type": "text", "text": text})),
        (words, "[A-Za-z0-9+/]{4,12}")
            .prop_map(|(text, proof)| json!({"type": "thinking", "thinking": text, "signature": proof})),
        // Thinking may be hidden, with only its proof.
        "[A-Za-z0-9+/]{4,12}".prop_map(|proof| json!({"type": "thinking", "thinking": "", "signature": proof})),
        "[A-Za-z0-9]{4,12}".prop_map(|data| json!({"type": "redacted_thinking", "data": data})),
        ("[a-z]{1,8}", "[a-z\"é{}\\\\]{0,8}").prop_map(|(name, value)| {
            json!({"type": "tool_use", "id": format!("toolu_{name}"), "name": name, "input": {"value": value, "deep": [{}]}})
        }),
        "[a-z]{1,8}".prop_map(|name| json!({"type": "tool_use", "id": "toolu_0", "name": name, "input": {}})),
    ]
}

/// A call's arguments, and the positions at which they are cut into fragments.
fn call() -> impl Strategy<Value = (String, Vec<String>)> {
    ("[a-z]{1,6}", "[a-z{}\\[\\]\"\\\\]{0,6}", 1usize..5).prop_map(|(name, value, cut)| {
        let arguments = json!({"a": {"b": [value]}}).to_string();
        let characters: Vec<_> = arguments.chars().collect();
        (name, characters.chunks(cut).map(|chunk| chunk.iter().collect()).collect())
    })
}

/// Claude accepts only `^[a-zA-Z0-9_-]+$` as a call's id, and callers send back the ids that they received. Kimi
/// numbers its calls by their tools, and smaller models give two calls the same id.
///
/// <https://github.com/MoonshotAI/Kimi-K2/blob/main/docs/tool_call_guidance.md>
#[test]
fn a_call_has_a_name_that_claude_takes_and_no_other_call_has() {
    let ids = ["functions.f:0", "functions.f:0", "call_1", "functions_f:0"];
    let (mut stream, mut whole, mut out) = (Messages.stream(&START), Answer::default(), Vec::new());
    let mut say = |piece: Piece<'_>, out: &mut Vec<u8>| {
        stream.piece(piece, out);
        whole.add(piece);
    };
    say(Piece::Start { id: "a".into(), model: "m".into() }, &mut out);
    for (index, id) in (0..).zip(ids) {
        say(Piece::Call { index, id: Str::Plain(id), name: "f".into() }, &mut out);
        say(Piece::Arguments { index, json: "{}".into() }, &mut out);
    }
    say(Piece::Finish(Finish::ToolCalls), &mut out);
    stream.end(&Usage::default(), &mut out);
    let of = |message: &Value| -> Vec<String> {
        message["content"].as_array().unwrap().iter().map(|call| call["id"].as_str().unwrap().to_string()).collect()
    };
    let streamed = of(&collected(&String::from_utf8(out).unwrap()));
    let mut out = Vec::new();
    Messages.whole(&whole, &Usage::default(), &START, &mut out);
    assert_eq!(of(&serde_json::from_slice(&out).unwrap()), streamed);
    assert_eq!(streamed.iter().collect::<alloc::collections::BTreeSet<_>>().len(), ids.len(), "{streamed:?}");
    assert!(streamed.iter().all(|id| !id.is_empty() && call_id(id) == *id), "{streamed:?}");
    assert_eq!(streamed[2], "call_1");
}

proptest! {
    #[test]
    fn an_answer_is_the_same_there_and_back(
        mut content in proptest::collection::vec(block(), 1..6),
        stop in prop_oneof![Just("end_turn"), Just("max_tokens"), Just("stop_sequence"), Just("refusal"), Just("tool_use")],
    ) {
        // Two texts in a row mean the same as one.
        content.dedup_by(|a, b| a["type"] == "text" && b["type"] == "text");
        // A proof without text cannot be the last block.
        while content.last().is_some_and(|block| block["thinking"] == "") {
            content.pop();
        }
        // No two calls have the same id.
        for (at, block) in content.iter_mut().enumerate().filter(|(_, block)| block["type"] == "tool_use") {
            block["id"] = format!("toolu_{at}").into();
        }
        let message = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content, "stop_reason": stop,
            "stop_sequence": if stop == "stop_sequence" { json!("END") } else { Value::Null },
            "usage": {"input_tokens": 3, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 11,
                "output_tokens_details": {"thinking_tokens": 2}}});
        let whole = answered(Delivery::Whole, &message.to_string());
        prop_assert_eq!(&serde_json::from_str::<Value>(&whole).unwrap(), &message);
        let streamed = answered(Delivery::Streamed, &stream_of(&message));
        prop_assert_eq!(collected(&streamed), message);
    }

    #[test]
    fn calls_whose_fragments_are_mixed_become_one_block_after_another(
        calls in proptest::collection::vec(call(), 1..5),
        order in proptest::collection::vec((0usize..5, any::<bool>()), 0..60),
    ) {
        let mut stream = Messages.stream(&START);
        let (mut whole, mut out) = (Answer::default(), Vec::new());
        let mut say = |piece: Piece<'_>, out: &mut Vec<u8>| {
            stream.piece(piece, out);
            whole.add(piece);
        };
        say(Piece::Start { id: "a".into(), model: "m".into() }, &mut out);
        let mut next = alloc::vec![0; calls.len()];
        let mut begun = 0;
        let rest = (0..calls.len()).flat_map(|call| core::iter::repeat_n((call, false), 64));
        for (call, speaks) in order.into_iter().chain(rest) {
            let call = call % calls.len();
            while begun <= call {
                let name = Str::Plain(&calls[begun].0);
                say(Piece::Call { index: u32::try_from(begun).unwrap(), id: name, name }, &mut out);
                begun += 1;
            }
            if let Some(fragment) = calls[call].1.get(next[call]) {
                next[call] += 1;
                // Escaped, as in another JSON document.
                say(Piece::Arguments { index: u32::try_from(call).unwrap(), json: Collected::from(Str::Plain(fragment)).get() }, &mut out);
            }
            if speaks {
                say(Piece::Text("well".into()), &mut out);
            }
        }
        say(Piece::Finish(Finish::ToolCalls), &mut out);
        let usage = Usage::default();
        stream.end(&usage, &mut out);
        let streamed = collected(&String::from_utf8(out).unwrap());
        let of_calls = |message: &Value| -> Vec<Value> {
            message["content"].as_array().unwrap().iter().filter(|block| block["type"] == "tool_use").cloned().collect()
        };
        let mut out = Vec::new();
        Messages.whole(&whole, &usage, &START, &mut out);
        let whole: Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(of_calls(&streamed), of_calls(&whole));
        let ids = of_calls(&whole).into_iter().map(|call| call["id"].to_string());
        prop_assert_eq!(ids.collect::<alloc::collections::BTreeSet<_>>().len(), calls.len());
        for (block, (name, fragments)) in of_calls(&whole).iter().zip(&calls) {
            prop_assert_eq!(&block["name"], name);
            prop_assert_eq!(&block["input"], &serde_json::from_str::<Value>(&fragments.concat()).unwrap());
        }
        let said = |message: &Value| -> usize {
            message["content"].as_array().unwrap().iter().filter_map(|block| block["text"].as_str()).map(str::len).sum()
        };
        prop_assert_eq!(said(&streamed), said(&whole));
    }
}

/// `message` as a stream in Anthropic's API.
fn stream_of(message: &Value) -> String {
    let mut start = message.clone();
    start["content"] = json!([]);
    start["stop_reason"] = Value::Null;
    start["stop_sequence"] = Value::Null;
    let mut events = alloc::vec![json!({"type": "message_start", "message": start}), json!({"type": "ping"})];
    for (index, block) in message["content"].as_array().unwrap().iter().enumerate() {
        let mut begun = block.clone();
        let mut deltas = Vec::new();
        for (field, kind) in [("text", "text_delta"), ("thinking", "thinking_delta"), ("signature", "signature_delta")]
        {
            if let Some(text) = block[field].as_str() {
                begun[field] = "".into();
                deltas.push(json!({"type": kind, field: text}));
            }
        }
        if block["type"] == "tool_use" {
            begun["input"] = json!({});
            deltas.push(json!({"type": "input_json_delta", "partial_json": block["input"].to_string()}));
        }
        events.push(json!({"type": "content_block_start", "index": index, "content_block": begun}));
        events
            .extend(deltas.iter().map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta})));
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    let (reason, sequence) = (&message["stop_reason"], &message["stop_sequence"]);
    events.push(json!({"type": "message_delta", "usage": message["usage"],
        "delta": {"stop_reason": reason, "stop_sequence": sequence}}));
    events.push(json!({"type": "message_stop"}));
    let text = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    events.iter().map(text).collect::<Vec<_>>().concat()
}
