//! Requests in Gemini's dialect of very many parts.

use super::{Value, each, json};

pub(super) fn results(parts: usize) -> Value {
    let called = |name| json!({"functionCall": {"name": format!("f{name}")}});
    let answered = |name| json!({"functionResponse": {"name": format!("f{}", parts - 1 - name), "response": {}}});
    json!({"contents": [
        {"role": "user", "parts": [{"text": "a"}]},
        {"role": "model", "parts": each(parts, called)},
        {"role": "user", "parts": each(parts, answered)},
    ]})
}

pub(super) fn tools(parts: usize) -> Value {
    let functions = each(parts, |name| json!({"name": format!("f{name}"), "parameters": {"type": "OBJECT"}}));
    let allowed: Vec<_> = functions.iter().skip(1).map(|function| function["name"].clone()).collect();
    json!({
        "contents": [{"role": "user", "parts": [{"text": "a"}]}],
        "tools": [{"functionDeclarations": functions}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": allowed}},
    })
}
