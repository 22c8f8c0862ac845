//! Chat completions of very many parts.

use super::{Value, each, json};

fn call(id: usize) -> Value {
    json!({"id": format!("c{id}"), "type": "function", "function": {"name": "f", "arguments": "{}"}})
}

/// Calls of one answer, and their results from the last to the first.
pub(super) fn results(parts: usize) -> Value {
    let result = |id| json!({"role": "tool", "tool_call_id": format!("c{}", parts - 1 - id), "content": "b"});
    let calls = json!({"role": "assistant", "tool_calls": each(parts, call)});
    let asked = vec![json!({"role": "user", "content": "a"}), calls];
    let all = [asked, each(parts, result)].concat();
    json!({"messages": all})
}

/// Everybody says something in turn, the application as well.
pub(super) fn turns(parts: usize) -> Value {
    let roles = ["user", "assistant", "system"];
    let said = |at| json!({"role": roles[at % 3], "content": "a"});
    let last = json!({"role": "user", "content": "a"});
    let all = [each(parts, said), vec![last]].concat();
    json!({"messages": all})
}

pub(super) fn tools(parts: usize) -> Value {
    let tool = |name| json!({"type": "function", "function": {"name": format!("f{name}")}});
    let tools = each(parts, tool);
    let allowed = json!({"mode": "auto", "tools": &tools[1..]});
    let choice = json!({"type": "allowed_tools", "allowed_tools": allowed});
    json!({"messages": [{"role": "user", "content": "a"}], "tools": tools, "tool_choice": choice})
}

/// Each call of one answer has a proof.
pub(super) fn proofs(parts: usize) -> Value {
    let proof = |at| {
        let signature = format!("gemini~{}.cHJvb2Y=", parts - 1 - at);
        json!({"type": "reasoning.text", "signature": signature, "index": at})
    };
    let said = json!({"role": "assistant", "reasoning_details": each(parts, proof), "tool_calls": each(parts, call)});
    let result = |id| json!({"role": "tool", "tool_call_id": format!("c{id}"), "content": "b"});
    let asked = vec![json!({"role": "user", "content": "a"}), said];
    let all = [asked, each(parts, result)].concat();
    json!({"messages": all})
}

/// A detail that nobody knows, again and again.
pub(super) fn left_out(parts: usize) -> Value {
    let image = |at| {
        let image = json!({"url": "https://e.org", "detail": format!("odd{at}"), format!("odd{at}"): 1});
        json!({"type": "image_url", "image_url": image})
    };
    let said = json!({"role": "user", "content": "a"});
    json!({"messages": [said, {"role": "user", "content": each(parts, image)}]})
}
