//! What Mistral refuses: what does not fit its schema, then conversations that do not go in order.

use serde_json::Value;

use crate::{
    dialect::Failure,
    field::{list, text},
};

/// The fields a request may have; any other is refused by name.
const FIELDS: [&str; 22] = [
    "model",
    "messages",
    "temperature",
    "top_p",
    "max_tokens",
    "stream",
    "stop",
    "random_seed",
    "metadata",
    "response_format",
    "tools",
    "tool_choice",
    "presence_penalty",
    "frequency_penalty",
    "n",
    "prediction",
    "parallel_tool_calls",
    "prompt_mode",
    "reasoning_effort",
    "guardrails",
    "prompt_cache_key",
    "safe_prompt",
];

const ORDER: &str = "invalid_request_message_order";

/// Refuses a request that is not valid.
pub(super) fn check(body: &Value) -> Result<(), Failure> {
    if body.get("messages").is_none_or(Value::is_null) {
        return refuse("missing", "messages", "Field required");
    }
    if let Some(unknown) = body.as_object().and_then(|fields| fields.keys().find(|key| !FIELDS.contains(&key.as_str())))
    {
        return refuse("extra_forbidden", unknown, "Extra inputs are not permitted");
    }
    for (field, least, most) in [
        ("temperature", 0.0, 1.5),
        ("top_p", 0.0, 1.0),
        ("presence_penalty", -2.0, 2.0),
        ("frequency_penalty", -2.0, 2.0),
        ("max_tokens", 0.0, f64::MAX),
    ] {
        let Some(value) = body.get(field).and_then(Value::as_f64) else { continue };
        if value < least {
            return refuse("greater_than_equal", field, format!("Input should be greater than or equal to {least}"));
        }
        if value > most {
            return refuse("less_than_equal", field, format!("Input should be less than or equal to {most}"));
        }
    }
    let choice = body.get("tool_choice").and_then(Value::as_str);
    if choice.is_some_and(|choice| !["auto", "none", "any", "required"].contains(&choice)) {
        return refuse("enum", "tool_choice", "Input should be 'auto', 'none', 'any' or 'required'");
    }
    messages(list(body, "messages"))
}

fn refuse<T>(kind: &'static str, param: &str, message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::invalid(message, Some(param), Some(kind)))
}

fn messages(messages: &[Value]) -> Result<(), Failure> {
    let Some(last) = messages.last() else {
        return refuse(ORDER, "messages", "Conversation must have at least one message");
    };
    let mut before = "";
    let mut open = 0;
    for (index, message) in messages.iter().enumerate() {
        let role = text(message, "role");
        if !["system", "user", "assistant", "tool"].contains(&role) {
            return refuse(
                "union_tag_invalid",
                &format!("messages.{index}"),
                format!(
                    "Input tag '{role}' found using 'role' does not match any of the expected tags: 'assistant', 'system', 'tool', 'user'"
                ),
            );
        }
        if role == "user" && before == "tool" {
            return refuse(ORDER, "messages", "Unexpected role 'user' after role 'tool'");
        }
        if role != "tool" && open > 0 {
            return refuse(ORDER, "messages", "Not the same number of function calls and responses");
        }
        if role == "tool" {
            if open == 0 {
                return refuse(ORDER, "messages", format!("Unexpected role 'tool' after role '{before}'"));
            }
            open -= 1;
        }
        if role == "assistant" {
            open = calls(message)?;
        }
        before = role;
    }
    if open > 0 {
        return refuse(ORDER, "messages", "Not the same number of function calls and responses");
    }
    let continued = last.get("prefix").and_then(Value::as_bool).unwrap_or(false);
    let goes_on = matches!(before, "user" | "tool") || (before == "assistant" && continued);
    if !goes_on {
        let message =
            format!("Expected last role User or Tool (or Assistant with prefix True) for serving but got {before}");
        return refuse(ORDER, "messages", message);
    }
    Ok(())
}

/// How many tools a message calls. Ids have exactly nine letters and digits.
fn calls(message: &Value) -> Result<usize, Failure> {
    let calls = list(message, "tool_calls");
    let silent = text(message, "content").is_empty() && list(message, "content").is_empty();
    if silent && calls.is_empty() {
        return refuse(
            "invalid_request_assistant_message",
            "messages",
            "Assistant message must have either content or tool_calls, but not none.",
        );
    }
    for call in calls {
        let id = text(call, "id");
        if id.len() != 9 || !id.bytes().all(|letter| letter.is_ascii_alphanumeric()) {
            return refuse(
                "invalid_function_call",
                "messages",
                format!("Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9."),
            );
        }
    }
    Ok(calls.len())
}
