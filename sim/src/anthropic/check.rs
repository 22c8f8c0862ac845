//! What Anthropic refuses, in the order it looks.

use serde_json::Value;

use super::{
    Version,
    ask::{blocks, text},
};
use crate::{dialect::Failure, model::Model};

/// The fields a request may have; any other is refused by name.
const FIELDS: [&str; 20] = [
    "model",
    "messages",
    "max_tokens",
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "inference_geo",
    "mcp_servers",
    "metadata",
    "output_config",
    "output_format",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "thinking",
    "tool_choice",
    "tools",
];

/// Fields too, until the version of 2026.
const SAMPLING: [&str; 3] = ["temperature", "top_k", "top_p"];

/// Refuses a request that is not valid.
pub(super) fn check(body: &Value, model: &Model, version: Version) -> Result<(), Failure> {
    for field in ["model", "messages", "max_tokens"] {
        if body.get(field).is_none_or(Value::is_null) {
            return refuse(format!("{field}: Field required"));
        }
    }
    // No conversation is kept; the SDK then goes on without.
    if body.get("thread").is_some_and(|thread| !thread.is_null()) {
        let message = "thread: this model does not support threads";
        return Err(Failure::invalid(message, None, Some("thread_unsupported_request")));
    }
    let known = |field: &str| FIELDS.contains(&field) || (version == Version::Of2023 && SAMPLING.contains(&field));
    if let Some(unknown) = body.as_object().and_then(|fields| fields.keys().find(|field| !known(field))) {
        return refuse(format!("{unknown}: Extra inputs are not permitted"));
    }
    match body.get("max_tokens").and_then(Value::as_i64) {
        Some(0..) => {}
        Some(_) => return refuse("max_tokens: Input should be greater than or equal to 0"),
        None => return refuse("max_tokens: Input should be a valid integer"),
    }
    if body.get("temperature").and_then(Value::as_f64).is_some_and(|value| !(0.0..=1.0).contains(&value)) {
        return refuse("temperature: range: 0..1");
    }
    thinking(body, model)?;
    tools(body)?;
    let Some(messages) = body.get("messages").and_then(Value::as_array) else {
        return refuse("messages: Input should be a valid list");
    };
    self::messages(messages, model)?;
    if version == Version::Of2026 {
        removed(messages)?;
    }
    prefill(messages, model)
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::invalid(message, None, None))
}

fn thinking(body: &Value, model: &Model) -> Result<(), Failure> {
    let Some(thinking) = body.get("thinking").filter(|thinking| text(thinking, "type") == "enabled") else {
        return Ok(());
    };
    if generation(&model.base) >= Some((4, 7)) {
        return refuse(
            "\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\" instead.",
        );
    }
    let Some(budget) = thinking.get("budget_tokens").and_then(Value::as_u64) else {
        return refuse("thinking.enabled.budget_tokens: Field required");
    };
    if budget < 1024 {
        return refuse("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024");
    }
    if body.get("max_tokens").and_then(Value::as_u64).is_some_and(|most| most <= budget) {
        return refuse("`max_tokens` must be greater than `thinking.budget_tokens`.");
    }
    if body.get("temperature").and_then(Value::as_f64).is_some_and(|value| value < 1.0) {
        return refuse("`temperature` may only be set to 1 when thinking is enabled.");
    }
    if body.get("tool_choice").is_some_and(|choice| ["any", "tool"].contains(&text(choice, "type"))) {
        return refuse("Thinking may not be enabled when tool_choice forces tool use.");
    }
    Ok(())
}

fn tools(body: &Value) -> Result<(), Failure> {
    for (index, tool) in body.get("tools").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let own = matches!(text(tool, "type"), "" | "custom");
        if text(tool, "name").is_empty() {
            return refuse(format!("tools.{index}.custom.name: Field required"));
        }
        // Tools that run at the provider have a type and no schema.
        if own && !tool.get("input_schema").is_some_and(Value::is_object) {
            return refuse(format!("tools.{index}.custom.input_schema: Field required"));
        }
    }
    if body.get("tool_choice").is_some_and(|choice| !choice.is_null()) && body.get("tools").is_none() {
        return refuse("tool_choice: may only be specified while providing tools");
    }
    Ok(())
}

/// Roles and blocks. Consecutive messages of one role are fine: they count as one turn. Newer models take a system
/// message after a user's.
fn messages(messages: &[Value], model: &Model) -> Result<(), Failure> {
    let Some(first) = messages.first() else {
        return refuse("messages: at least one message is required");
    };
    for (index, message) in messages.iter().enumerate() {
        match text(message, "role") {
            "user" | "assistant" => {}
            "system" if index == 0 => {
                return refuse(
                    "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role.",
                );
            }
            "system" if generation(&model.base) < Some((4, 8)) => {
                return refuse(format!("messages.{index}: role 'system' is not supported on this model"));
            }
            "system" => {
                let before = index.checked_sub(1).and_then(|before| messages.get(before));
                if before.is_none_or(|before| text(before, "role") != "user") {
                    return refuse(format!("messages.{index}: a system message must follow a user message"));
                }
            }
            _ => return refuse(format!("messages.{index}.role: Input should be 'user' or 'assistant'")),
        }
        if message.get("content").is_none_or(Value::is_null) {
            return refuse(format!("messages.{index}.content: Field required"));
        }
        let prefills = index + 1 == messages.len() && text(message, "role") == "assistant";
        let empty = blocks(message).is_empty() && text(message, "content").is_empty();
        if empty && !prefills {
            return refuse(format!(
                "messages.{index}: all messages must have non-empty content except for the optional final assistant message"
            ));
        }
        if blocks(message).iter().any(|block| text(block, "type") == "text" && text(block, "text").is_empty()) {
            return refuse("messages: text content blocks must be non-empty");
        }
    }
    if text(first, "role") != "user" {
        return refuse("messages: first message must use the \"user\" role");
    }
    results(messages)
}

/// Each tool use has its result in the next message, and each result its use in the one before.
fn results(messages: &[Value]) -> Result<(), Failure> {
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let found: Vec<(usize, &str)> = blocks(message)
            .iter()
            .enumerate()
            .filter(|(_, block)| text(block, "type") == "tool_result")
            .map(|(at, block)| (at, text(block, "tool_use_id")))
            .collect();
        if let Some((at, id)) = found.iter().find(|(_, id)| !open.contains(id)) {
            return refuse(format!(
                "messages.{index}.content.{at}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            ));
        }
        open.retain(|id| !found.iter().any(|(_, answered)| answered == id));
        unanswered(&open, index.saturating_sub(1))?;
        open = blocks(message)
            .iter()
            .filter(|block| text(block, "type") == "tool_use")
            .map(|block| text(block, "id"))
            .collect();
    }
    unanswered(&open, messages.len().saturating_sub(1))
}

fn unanswered(open: &[&str], index: usize) -> Result<(), Failure> {
    if open.is_empty() {
        return Ok(());
    }
    refuse(format!(
        "messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
        open.join(", ")
    ))
}

/// What the version of 2026 no longer takes in messages.
fn removed(messages: &[Value]) -> Result<(), Failure> {
    for (index, message) in messages.iter().enumerate() {
        let user = text(message, "role") == "user";
        for (at, block) in blocks(message).iter().enumerate() {
            if !user && text(block, "type") == "document" {
                return refuse(format!(
                    "messages.{index}.content.{at}: document blocks are only permitted in user messages"
                ));
            }
            let cites = block.get("citations").and_then(Value::as_array).is_some_and(|citations| !citations.is_empty());
            if user && text(block, "type") == "text" && cites {
                return refuse(format!("messages.{index}.content.{at}.citations: not permitted in user messages"));
            }
        }
    }
    Ok(())
}

/// The generation in a model's name: `claude-opus-4-7-20260416` is (4, 7). What follows may be a date.
fn generation(model: &str) -> Option<(u32, u32)> {
    let mut numbers = model.strip_prefix("claude-")?.split('-').map(|part| part.parse::<u32>().ok());
    let major = numbers.find_map(|number| number)?;
    let minor = numbers.next().flatten().filter(|minor| *minor < 100).unwrap_or_default();
    Some((major, minor))
}

/// A last message of the assistant is to be continued, where the model can.
fn prefill(messages: &[Value], model: &Model) -> Result<(), Failure> {
    let Some(last) = messages.last().filter(|last| text(last, "role") == "assistant") else { return Ok(()) };
    if model.no_prefill || generation(&model.base) >= Some((4, 6)) {
        return refuse(
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        );
    }
    let end = blocks(last).last().map_or(text(last, "content"), |block| text(block, "text"));
    if end.ends_with(char::is_whitespace) {
        return refuse("messages: final assistant content cannot end with trailing whitespace");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_generation() {
        assert_eq!(generation("claude-opus-4-7-20260416"), Some((4, 7)));
        assert_eq!(generation("claude-sonnet-4-20250514"), Some((4, 0)));
        assert_eq!(generation("claude-sonnet-5"), Some((5, 0)));
        assert_eq!(generation("claude-3-5-sonnet-20241022"), Some((3, 5)));
        assert_eq!(generation("gpt-4o"), None);
    }
}
