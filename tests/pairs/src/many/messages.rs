//! Requests in Anthropic's dialect of very many parts.

use super::{Value, each, json};

fn call(id: usize) -> Value {
    json!({"type": "tool_use", "id": format!("c{id}"), "name": "f", "input": {}})
}

fn result(id: usize) -> Value {
    json!({"type": "tool_result", "tool_use_id": format!("c{id}"), "content": "b"})
}

fn asked(messages: &[Value]) -> Value {
    json!({"max_tokens": 9000, "messages": messages})
}

fn said(role: &str, content: &Value) -> Value {
    json!({"role": role, "content": content})
}

pub(super) fn results(parts: usize) -> Value {
    let results = each(parts, |id| result(parts - 1 - id));
    asked(&[said("user", &json!("a")), said("assistant", &each(parts, call).into()), said("user", &results.into())])
}

/// Results, each in a message of its own, after people have said much in between.
pub(super) fn late_results(parts: usize) -> Value {
    let called = said("assistant", &each(parts, call).into());
    let between = each(parts, |_| said("user", &json!("b")));
    let results = each(parts, |id| said("user", &json!([result(id)])));
    asked(&[vec![said("user", &json!("a")), called], between, results].concat())
}

/// Answers that have thought, and called.
pub(super) fn thoughts(parts: usize) -> Value {
    let turns = (0..parts).flat_map(|id| {
        let thought = json!({"type": "thinking", "thinking": "a", "signature": "abc"});
        [said("assistant", &json!([thought, call(id)])), said("user", &json!([result(id)]))]
    });
    asked(&[vec![said("user", &json!("a"))], turns.collect()].concat())
}
