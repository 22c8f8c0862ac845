//! What an official SDK puts into the next request of an answer says nothing that is left out elsewhere; what says something is
//! named once, as the caller has written it, and is no reason to refuse.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use serde_json::{Value, json};
use weir_core::exchange;
use weir_core::provider::{self, Body};
use weir_core::upstream::Upstream;
use weir_hub::call::Call;
use weir_hub::codec::json::scan;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};

/// Models, each with what speaks of it.
const MODELS: [(&str, &str); 7] = [
    ("openai", "gpt-4o"),
    ("anthropic", "claude-sonnet-4-5"),
    ("gemini", "gemini-2.5-flash"),
    ("vertex", "claude-sonnet-4-5"),
    ("bedrock", "amazon.nova-pro-v1:0"),
    ("cohere", "command-a-03-2025"),
    ("mistral", "mistral-large-latest"),
];

/// What is noted as left out, wherever this is translated.
fn check(endpoint: Endpoint, body: &Value, expect: &[&str]) {
    let body = serde_json::to_vec(body).unwrap();
    let scan = scan(&body).unwrap();
    let (delivery, usage) = (Delivery::Whole, UsageChunk::Unwanted);
    let call = Call { asked: Asked { endpoint, delivery, usage }, model: "m", betas: "", body: &body, scan: &scan };
    for (dialect, model) in MODELS {
        let upstream = Upstream { provider: dialect.into(), dialect: dialect.into(), ..Upstream::default() };
        let ask = exchange::ask(&call, &upstream, model).unwrap_or_else(|reject| panic!("{dialect}: {reject:?}"));
        let relays = provider::by_name(dialect).unwrap().relays(model, endpoint, &upstream);
        let expect = if relays { &[] } else { expect };
        // What another model thought is left out, and that is noted.
        let mut dropped = ask.notes.dropped;
        dropped.retain(|field| !["input.reasoning", "messages.thinking"].contains(&field.as_str()));
        assert_eq!(dropped, expect, "{} to {dialect} {model}", endpoint.name());
        if relays && let Body::Replaced(sent) = ask.body {
            let (sent, asked): (Value, Value) =
                (serde_json::from_slice(&sent).unwrap(), serde_json::from_slice(&body).unwrap());
            for name in ["messages", "input", "contents", "tools"] {
                assert_eq!(sent[name], asked[name], "{} to {dialect} {model}", endpoint.name());
            }
        }
    }
}

/// As `completion.choices[0].message` dumps itself, that of `chat.completions.parse` and of a stream's accumulator too.
fn chat(extra: &Value) -> Value {
    let function = json!({"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}});
    let mut body = json!({"model": "m", "tools": [function], "messages": [
        {"role": "user", "content": "Where is it warm?"},
        {"content": "I look it up.", "refusal": null, "role": "assistant", "audio": null, "function_call": null,
            "annotations": [{"type": "url_citation", "url_citation":
                {"start_index": 0, "end_index": 6, "title": "A page", "url": "https://example.org"}}],
            "parsed": {"looks": true},
            "tool_calls": [{"id": "call00001", "function": {"arguments": "{\"at\":\"Rome\"}", "name": "weather",
                "parsed_arguments": {"at": "Rome"}}, "type": "function", "index": 0}]},
        {"role": "tool", "tool_call_id": "call00001", "content": "30 C"},
        {"content": "In Rome.", "refusal": null, "role": "assistant", "annotations": [], "audio": null,
            "function_call": null, "tool_calls": null, "parsed": null},
        {"role": "user", "content": [{"type": "text", "text": "And where is it cold?"}]},
    ]});
    let part = body["messages"][4]["content"][0].as_object_mut().unwrap();
    part.extend(extra.as_object().unwrap().clone());
    body
}

/// As `response.output` dumps itself, `responses.parse` too.
fn responses() -> Value {
    json!({"model": "m", "tools": [{"type": "function", "name": "weather", "parameters": {"type": "object"}}], "input": [
        {"role": "user", "content": "Where is it warm?"},
        {"id": "rs_68af4030baa48193b0b43b4c2a176a1a", "summary": [{"text": "Look it up.", "type": "summary_text"}],
            "type": "reasoning", "content": null, "encrypted_content": "gAAAAABo", "status": null},
        {"id": "msg_68af4030baa48193b0b43b4c2a176a1b", "content": [{"annotations": [{"end_index": 6, "start_index": 0,
            "title": "A page", "type": "url_citation", "url": "https://example.org"}], "text": "I look it up.",
            "type": "output_text", "logprobs": [{"token": "I", "bytes": [73], "logprob": -0.1, "top_logprobs": []}],
            "parsed": {"looks": true}}], "role": "assistant", "status": "completed", "type": "message",
            "phase": "commentary"},
        {"arguments": "{\"at\":\"Rome\"}", "call_id": "call00001", "name": "weather", "type": "function_call",
            "id": "fc_68af4030baa48193b0b43b4c2a176a1c", "caller": {"type": "direct"}, "namespace": null,
            "status": "completed", "parsed_arguments": {"at": "Rome"}, "created_by": null},
        {"type": "function_call_output", "call_id": "call00001", "output": "30 C", "id": "fco_1", "status": "completed",
            "name": "weather", "caller": {"type": "direct"}},
        {"role": "user", "content": "And where is it cold?"},
    ]})
}

/// As the content of a message dumps itself.
fn messages() -> Value {
    json!({"model": "m", "max_tokens": 4000, "tools": [{"name": "weather", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "Where is it warm?"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Look it up.", "signature": "EqQB"},
                {"type": "text", "text": "I look it up.", "parsed_output": null, "citations": [{"type": "char_location",
                    "cited_text": "a", "document_index": 0, "document_title": null, "file_id": null,
                    "start_char_index": 0, "end_char_index": 1}]},
                {"type": "tool_use", "id": "call00001", "name": "weather", "input": {"at": "Rome"},
                    "caller": {"type": "direct"}, "toolset_name": null}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "call00001", "content": [{"type": "text", "text": "30 C"}]}]},
            {"role": "assistant", "content": [{"type": "text", "text": "In Rome.", "citations": null}]},
            {"role": "user", "content": "And where is it cold?"}]})
}

/// As `candidates[0].content` dumps itself: in Python with all that is not there, elsewhere as it came.
fn generate_content() -> Value {
    json!({"tools": [{"functionDeclarations": [{"name": "weather", "parametersJsonSchema": {"type": "object"}}]}],
        "contents": [
            {"role": "user", "parts": [{"text": "Where is it warm?"}]},
            {"parts": [{"media_resolution": null, "code_execution_result": null, "executable_code": null,
                "file_data": null, "function_call": null, "function_response": null, "inline_data": null,
                "text": "I look it up.", "thought": null, "thought_signature": null, "video_metadata": null}],
                "role": "model"},
            {"parts": [{"functionCall": {"id": "call00001", "name": "weather", "args": {"at": "Rome"},
                "willContinue": false, "partialArgs": null}}], "role": "model"},
            {"role": "user", "parts": [{"functionResponse": {"id": "call00001", "name": "weather",
                "response": {"output": "30 C"}}}]},
            {"parts": [{"text": "In Rome."}], "role": "model"},
            {"role": "user", "parts": [{"text": "And where is it cold?"}]}]})
}

#[test]
fn what_sdks_send_back_of_an_answer_is_not_noted() {
    check(Endpoint::Chat, &chat(&json!({})), &[]);
    check(Endpoint::Responses, &responses(), &[]);
    check(Endpoint::Messages, &messages(), &[]);
    check(Endpoint::GenerateContent, &generate_content(), &[]);
}

#[test]
fn what_nobody_knows_is_named_once_and_no_reason_to_refuse() {
    check(Endpoint::Chat, &chat(&json!({"odd": 1, "none": null})), &["messages[4].content[0].odd"]);
    let mut body = responses();
    body["input"][3]["odd"] = json!({});
    body["input"][2]["content"][0]["odd"] = json!(false);
    check(Endpoint::Responses, &body, &["input[2].content[0].odd", "input[3].odd"]);
    let mut body = messages();
    body["messages"][2]["content"][0]["content"][0]["odd"] = json!("a");
    check(Endpoint::Messages, &body, &["messages.2.content.0.content.0.odd"]);
    let mut body = generate_content();
    body["contents"][2]["parts"][0]["functionCall"]["odd_one"] = json!([1]);
    check(Endpoint::GenerateContent, &body, &["contents[2].parts[0].functionCall.oddOne"]);
}

/// Of very many no more is kept than is told: a body has room for a million.
#[test]
fn of_very_many_the_first_are_named() {
    let parts: Vec<_> = (0..1000).map(|_| json!({"type": "text", "text": "a", "odd": 1})).collect();
    let body = json!({"model": "m", "messages": [{"role": "user", "content": parts}]});
    let named: Vec<_> = (0..64).map(|at| format!("messages[0].content[{at}].odd")).chain(["...".into()]).collect();
    check(Endpoint::Chat, &body, &named.iter().map(String::as_str).collect::<Vec<_>>());
    let twice =
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a","o\nd":1,"o\nd":2}]}]}"#;
    let scan = scan(twice.as_bytes()).unwrap();
    let call = Call {
        asked: Asked { endpoint: Endpoint::Chat, delivery: Delivery::Whole, usage: UsageChunk::Unwanted },
        model: "m",
        betas: "",
        body: twice.as_bytes(),
        scan: &scan,
    };
    let upstream = Upstream { dialect: "anthropic".into(), ..Upstream::default() };
    let ask = exchange::ask(&call, &upstream, "claude-sonnet-4-5").unwrap();
    assert_eq!(ask.notes.dropped, ["messages[0].content[0].o?d"]);
}
