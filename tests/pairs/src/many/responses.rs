//! Requests for responses of very many parts.

use super::{Value, each, json};

pub(super) fn results(parts: usize) -> Value {
    let call = |id| json!({"type": "function_call", "call_id": format!("c{id}"), "name": "f", "arguments": "{}"});
    let result = |id| {
        let id = format!("c{}", parts - 1 - id);
        json!({"type": "function_call_output", "call_id": id, "output": "b"})
    };
    let all = [each(parts, call), each(parts, result)].concat();
    json!({"input": all, "store": false})
}

pub(super) fn tools(parts: usize) -> Value {
    let tools = each(parts, |name| json!({"type": "custom", "name": format!("f{name}")}));
    let choice = json!({"type": "allowed_tools", "mode": "auto", "tools": &tools[1..]});
    json!({"input": "a", "tools": tools, "tool_choice": choice, "store": false})
}
