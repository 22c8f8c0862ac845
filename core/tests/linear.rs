//! A request of many parts takes no more time for each than one of few: what is looked up is not looked through. Measured
//! against itself, because machines differ.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_core::codec::json::scan;
use weir_core::config::Upstream;
use weir_core::endpoint::{Delivery, Endpoint, UsageChunk};
use weir_core::provider::{self, Call};

/// So many parts, and so many times as many.
const FEW: usize = 1500;
const TIMES: u32 = 12;

/// The least of some runs: others have the processor, too.
fn least(body: &[u8], endpoint: Endpoint, dialect: &str) -> Duration {
    let upstream = Upstream { dialect: dialect.into(), drop_unsupported: true, ..Upstream::default() };
    let run = |_| {
        let start = Instant::now();
        let scan = scan(body).unwrap();
        let (delivery, usage) = (Delivery::Whole, UsageChunk::Unwanted);
        let call = Call { endpoint, delivery, usage, model: "m", betas: "", body, scan: &scan };
        provider::ask(&call, &upstream, "m").unwrap();
        start.elapsed()
    };
    (0..3).map(run).min().unwrap()
}

/// Checks what `body` makes of a number.
fn check(endpoint: Endpoint, dialect: &str, body: impl Fn(usize) -> Value) {
    let time = |parts| least(body(parts).to_string().as_bytes(), endpoint, dialect);
    let (few, many) = (time(FEW), time(FEW * TIMES as usize));
    assert!(many < few * TIMES * 3, "{dialect}: {many:?} for {TIMES} times what takes {few:?}");
}

fn each(parts: usize, part: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..parts).map(part).collect()
}

#[test]
fn what_is_left_out() {
    let image = json!({"type": "image_url", "image_url": {"url": "https://e.org", "detail": "odd"}});
    check(Endpoint::Chat, "cohere", |parts| json!({"messages": [{"role": "user", "content": vec![&image; parts]}]}));
}

#[test]
fn tools_that_are_allowed() {
    let tool = |name| json!({"type": "function", "function": {"name": format!("f{name}")}});
    check(Endpoint::Chat, "anthropic", |parts| {
        let choice = json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": each(parts, tool)}});
        json!({"messages": [{"role": "user", "content": "a"}], "tools": each(parts, tool), "tool_choice": choice})
    });
    check(Endpoint::GenerateContent, "anthropic", |parts| {
        let names = each(parts - 1, |name| json!(format!("f{name}")));
        let functions = each(parts, |name| json!({"name": format!("f{name}")}));
        json!({
            "contents": [{"role": "user", "parts": [{"text": "a"}]}],
            "tools": [{"functionDeclarations": functions}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": names}},
        })
    });
}

#[test]
fn calls_and_responses_in_another_order() {
    check(Endpoint::GenerateContent, "bedrock", |parts| {
        let calls = each(parts, |name| json!({"functionCall": {"name": format!("f{name}")}}));
        let answered = |name| json!({"functionResponse": {"name": format!("f{}", parts - 1 - name), "response": {}}});
        json!({"contents": [
            {"role": "user", "parts": [{"text": "a"}]},
            {"role": "model", "parts": calls},
            {"role": "user", "parts": each(parts, answered)},
        ]})
    });
}

#[test]
fn results_after_much_was_said() {
    check(Endpoint::Messages, "openai", |parts| {
        let call = |id| json!({"type": "tool_use", "id": format!("c{id}"), "name": "f", "input": {}});
        let result =
            |id| json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": format!("c{id}")}]});
        let said = each(parts, |_| json!({"role": "user", "content": "b"}));
        let called = json!({"role": "assistant", "content": each(parts, call)});
        let messages = [vec![json!({"role": "user", "content": "a"}), called], said, each(parts, result)].concat();
        json!({"max_tokens": 9, "messages": messages})
    });
}
