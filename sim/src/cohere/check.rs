//! What Cohere refuses.

use serde_json::Value;

use super::UNPROCESSABLE;
use crate::{
    dialect::Failure,
    field::{list, text},
};

/// The fields a request may have; any other is refused by name.
const FIELDS: [&str; 24] = [
    "model",
    "messages",
    "tools",
    "strict_tools",
    "documents",
    "citation_options",
    "response_format",
    "safety_mode",
    "max_tokens",
    "stop_sequences",
    "temperature",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "k",
    "p",
    "logprobs",
    "tool_choice",
    "thinking",
    "priority",
    "stream",
    "return_prompt",
    "raw_prompting",
    "prompt_truncation",
];

/// Refuses a request that is not valid.
pub(super) fn check(body: &Value) -> Result<(), Failure> {
    if let Some(unknown) = body.as_object().and_then(|fields| fields.keys().find(|key| !FIELDS.contains(&key.as_str())))
    {
        let message = format!("unknown field: parameter '{unknown}' is not a valid field");
        return Err(Failure::invalid(message, Some(unknown), Some(UNPROCESSABLE)));
    }
    let messages = list(body, "messages");
    if messages.is_empty() {
        return refuse("at least one message is required in 'messages'.");
    }
    for (field, least, most) in [
        ("temperature", 0.0, 1.0),
        ("p", 0.01, 0.99),
        ("k", 0.0, 500.0),
        ("frequency_penalty", 0.0, 1.0),
        ("presence_penalty", 0.0, 1.0),
    ] {
        let value = body.get(field).and_then(Value::as_f64);
        if value.is_some_and(|value| !(least..=most).contains(&value)) {
            return refuse(format!("{field} must be between {least} and {most} inclusive."));
        }
    }
    if body.get("max_tokens").and_then(Value::as_i64).is_some_and(|most| most < 1) {
        return refuse("max_tokens must be greater than or equal to 1.");
    }
    if list(body, "stop_sequences").len() > 5 {
        return refuse("stop_sequences can be at most 5 strings.");
    }
    tools(body)?;
    self::messages(messages)
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::invalid(message, None, None))
}

fn tools(body: &Value) -> Result<(), Failure> {
    let tools = list(body, "tools");
    for (index, tool) in tools.iter().enumerate() {
        if text(tool, "type") != "function" || tool.get("function").is_none_or(|tool| text(tool, "name").is_empty()) {
            return refuse(format!("tool at index {index} must be of type function and have a name."));
        }
    }
    match body.get("tool_choice").filter(|choice| !choice.is_null()) {
        None => Ok(()),
        Some(_) if tools.is_empty() => refuse("tool_choice can only be specified when tools are specified."),
        Some(choice) if choice == "REQUIRED" || choice == "NONE" => Ok(()),
        Some(_) => refuse("tool_choice must be one of 'REQUIRED', 'NONE'."),
    }
}

/// Roles, contents, and each tool call answered.
fn messages(messages: &[Value]) -> Result<(), Failure> {
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let role = text(message, "role");
        if role == "tool" {
            let id = text(message, "tool_call_id");
            let Some(at) = open.iter().position(|open| *open == id) else {
                return refuse(format!("tool call id '{id}' not found in previous tool calls."));
            };
            open.swap_remove(at);
            continue;
        }
        if let Some(id) = open.first() {
            return refuse(format!("tool call id '{id}' has no tool result in the following messages."));
        }
        if !matches!(role, "system" | "user" | "assistant") {
            return refuse(format!(
                "message at index {index} has an invalid role '{role}': it must be one of 'user', 'assistant', 'tool', 'system'."
            ));
        }
        let silent = text(message, "content").is_empty() && list(message, "content").is_empty();
        open = list(message, "tool_calls").iter().map(|call| text(call, "id")).collect();
        if silent && open.is_empty() {
            return refuse(format!("message at index {index} must have non-empty content or tool calls."));
        }
    }
    match open.first() {
        Some(id) => refuse(format!("tool call id '{id}' has no tool result in the following messages.")),
        None => Ok(()),
    }
}
