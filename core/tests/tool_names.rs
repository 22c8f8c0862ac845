//! Tools whose names a provider would refuse: in the request they have others, in the answer the caller's own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use serde_json::{Value, json};
use weir_core::exchange;
use weir_core::provider::{self, Ask, Body};
use weir_core::upstream::Upstream;
use weir_hub::call::{Call, ReplyStart};
use weir_hub::codec::json::scan;
use weir_hub::embed::Encoding;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};

/// As an MCP server makes them: 95 characters.
const LONG: &str = "mcp__plugin_company-knowledge-base_company-knowledge-base__search_documents_in_all_shared_space";

fn upstream(dialect: &str) -> Upstream {
    Upstream { provider: dialect.into(), dialect: dialect.into(), ..Upstream::default() }
}

fn ask(dialect: &str, model: &str, endpoint: Endpoint, body: &Value) -> Ask {
    let body = body.to_string();
    let scan = scan(body.as_bytes()).unwrap();
    let (delivery, usage, body) = (Delivery::Whole, UsageChunk::Unwanted, body.as_bytes());
    let call = Call { asked: Asked { endpoint, delivery, usage }, model: "m", betas: "", body, scan: &scan };
    exchange::accepts(&call, &upstream(dialect), model).unwrap();
    exchange::ask(&call, &upstream(dialect), model).unwrap()
}

fn written(ask: &Ask) -> String {
    let Body::Replaced(body) = &ask.body else { panic!("it is translated") };
    String::from_utf8(body.clone()).unwrap()
}

fn answered(dialect: &str, endpoint: Endpoint, delivery: Delivery, ask: &Ask, answer: &str) -> String {
    let start = ReplyStart {
        asked: Asked { endpoint, delivery, usage: UsageChunk::Unwanted },
        encoding: Encoding::Float,
        model: "m",
        id: "weir-1-1",
        created: 0,
        echo: "",
        content_type: "",
        calls: ask.calls,
        renamed: &ask.renamed,
        texts: None,
    };
    let mut reply = exchange::reply(provider::by_name(dialect).unwrap(), &upstream(dialect), &start);
    let mut out = Vec::new();
    for byte in answer.as_bytes().chunks(7) {
        reply.read(byte, &mut out).unwrap();
    }
    reply.end(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A conversation in which the tool was called, is offered and must be called.
fn messages(name: &str) -> Value {
    json!({"model": "m", "max_tokens": 4000, "tools": [{"name": name, "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": name},
        "messages": [{"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "call00001", "name": name, "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call00001", "content": "a"}]}]})
}

fn contents(name: &str) -> Value {
    json!({"tools": [{"functionDeclarations": [{"name": name, "description": "d"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [name]}},
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"functionCall": {"name": name, "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": name, "response": {"output": "a"}}}]}]})
}

/// So many names of one tool are in a request.
const TOLD: usize = 3;

#[test]
fn a_name_goes_up_as_its_provider_takes_it() {
    let check = |dialect: &str, model: &str, body: &Value, name: &str, renames: bool| {
        let endpoint = if body.get("contents").is_some() { Endpoint::GenerateContent } else { Endpoint::Messages };
        let ask = ask(dialect, model, endpoint, body);
        let written = written(&ask);
        let told = |name: &str| written.matches(&format!("\"{name}\"")).count();
        assert_eq!(ask.renamed.len(), usize::from(renames), "{dialect} {model} {name}");
        match ask.renamed.first() {
            None => assert!(told(name) >= TOLD - 1, "{written}"),
            Some((other, callers)) => {
                assert_eq!(callers, name);
                // Cohere cannot be told which one.
                assert!(told(other) >= TOLD - usize::from(dialect == "cohere"), "{written}");
                assert!(!written.contains(name), "{written}");
                assert!(ask.notes.emulated.iter().any(|field| field.ends_with("name")), "{:?}", ask.notes);
            }
        }
    };
    for (dialect, model, takes_long) in [
        ("openai", "gpt-4o", false),
        ("azure", "gpt-4o", false),
        ("mistral", "mistral-large-latest", false),
        ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", false),
        ("cohere", "command-a-03-2025", false),
        ("vertex", "gemini-2.5-flash", false),
        ("gemini", "gemini-2.5-flash", true),
    ] {
        check(dialect, model, &messages("get_weather"), "get_weather", false);
        check(dialect, model, &messages(LONG), LONG, !takes_long);
    }
    for (dialect, model) in [
        ("openai", "gpt-4o"),
        ("anthropic", "claude-sonnet-4-5"),
        ("bedrock", "amazon.nova-pro-v1:0"),
        ("mistral", "mistral-large-latest"),
        ("vertex", "claude-sonnet-4-5"),
    ] {
        check(dialect, model, &contents("default_api:look.up"), "default_api:look.up", true);
    }
    check("anthropic", "claude-sonnet-4-5", &contents(LONG), LONG, false);
}

#[test]
fn an_answer_calls_a_tool_as_its_caller_does() {
    let call = |name: &str| json!({"id": "c1", "type": "function", "function": {"name": name, "arguments": "{}"}});
    for (endpoint, body, name) in
        [(Endpoint::Messages, messages(LONG), LONG), (Endpoint::GenerateContent, contents("a:b.c"), "a:b.c")]
    {
        let ask = ask("openai", "gpt-4o", endpoint, &body);
        let other = &*ask.renamed[0].0;
        let whole = json!({"id": "a", "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls",
            "message": {"role": "assistant", "content": null, "tool_calls": [call(other), call("another")]}}]});
        let streamed = |name: &str, index: u64| {
            let mut call = call(name);
            call["index"] = json!(index);
            format!("data: {}\n\n", json!({"choices": [{"delta": {"tool_calls": [call]}}]}))
        };
        let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";
        let events = [&streamed(other, 0), &streamed("another", 1), end].concat();
        for (delivery, answer) in [(Delivery::Whole, whole.to_string()), (Delivery::Streamed, events)] {
            let told = answered("openai", endpoint, delivery, &ask, &answer);
            assert!(told.contains(&format!("\"{name}\"")) && told.contains("\"another\""), "{told}");
            assert!(!told.contains(other), "{told}");
        }
    }
}
