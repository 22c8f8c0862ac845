//! What a request for a response must be like; OpenAI is strict here, down to the names of parameters.
//!
//! <https://platform.openai.com/docs/api-reference/responses/create>,
//! <https://platform.openai.com/docs/guides/migrate-to-responses>

use serde_json::Value;

use super::write;
use crate::{
    dialect::Failure,
    field::{list, text},
    model::Model,
    openai::{
        ask::{bounds, reasons},
        check::{given, integer, missing, mistyped, not_among, unknown, unsupported, word},
    },
};

/// Every parameter there is.
const KNOWN: &[&str] = &[
    "background",
    // In no reference, but what Codex sends and OpenAI takes.
    "client_metadata",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// Parameters of chat completions that are called otherwise here.
const MOVED: &[(&str, &str)] = &[
    ("messages", "input"),
    ("response_format", "text.format"),
    ("max_tokens", "max_output_tokens"),
    ("max_completion_tokens", "max_output_tokens"),
    ("reasoning_effort", "reasoning.effort"),
    ("verbosity", "text.verbosity"),
];

const INCLUDED: &[&str] = &[
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
];

const ROLES: &[&str] = &["assistant", "system", "developer", "user"];

const PARTS: &[&str] =
    &["input_text", "input_image", "output_text", "refusal", "input_file", "computer_screenshot", "summary_text"];

/// Refuses what OpenAI refuses, as far as it does not depend on earlier answers.
pub(super) fn check(body: &Value, model: &Model) -> Result<(), Failure> {
    names(body)?;
    let sources = ["input", "previous_response_id", "prompt", "conversation"];
    if sources.iter().all(|key| given(body, key).is_none()) {
        let message = "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided.";
        return Err(Failure::invalid(message, Some("input"), Some("missing_required_parameter")));
    }
    match given(body, "input") {
        None | Some(Value::String(_)) => {}
        Some(Value::Array(items)) => items.iter().enumerate().try_for_each(|(at, one)| item(one, at))?,
        Some(other) => return Err(mistyped("input", "one of a string or array of input items", other)),
    }
    integer(body, "max_output_tokens", "max_output_tokens", 16, u64::from(u32::MAX))?;
    integer(body, "top_logprobs", "top_logprobs", 0, 20)?;
    if reasons(model) {
        for param in ["temperature", "top_p"] {
            if given(body, param).is_some_and(|value| value.as_f64() != Some(1.0)) {
                return Err(unsupported(param));
            }
        }
    }
    bounds(body, model)?;
    word(body, "truncation", "truncation", &["auto", "disabled"])?;
    reasoning(body, model)?;
    include(body, model)?;
    tools(body)?;
    metadata(body)
}

fn names(body: &Value) -> Result<(), Failure> {
    let Some(fields) = body.as_object() else { return Ok(()) };
    if let Some(name) = fields.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        let Some((_, now)) = MOVED.iter().find(|(old, _)| old == name) else { return Err(unknown(name)) };
        let message = format!(
            "Unsupported parameter: '{name}'. In the Responses API, this parameter has moved to '{now}'. Try again with the new parameter. See the API documentation for more information: https://platform.openai.com/docs/api-reference/responses/create."
        );
        return Err(Failure::invalid(message, None, Some("unsupported_parameter")));
    }
    let options = body.get("stream_options").and_then(Value::as_object);
    match options.into_iter().flat_map(|options| options.keys()).find(|name| *name != "include_obfuscation") {
        Some(name) => Err(unknown(&format!("stream_options.{name}"))),
        None => Ok(()),
    }
}

/// One item of the input.
fn item(item: &Value, at: usize) -> Result<(), Failure> {
    let place = |field: &str| format!("input[{at}].{field}");
    let field = |name: &str| if given(item, name).is_some() { Ok(()) } else { Err(missing(&place(name))) };
    match text(item, "type") {
        "message" | "" => {
            field("role")?;
            word(item, "role", &place("role"), ROLES)?;
            field("content")?;
            for (index, part) in list(item, "content").iter().enumerate() {
                let kind = text(part, "type");
                let place = format!("input[{at}].content[{index}]");
                let supported = if text(item, "role") == "assistant" { &["output_text", "refusal"][..] } else { PARTS };
                if kind.is_empty() {
                    return Err(missing(&format!("{place}.type")));
                }
                if !supported.contains(&kind) {
                    return Err(not_among(&place, kind, supported));
                }
            }
            Ok(())
        }
        "function_call" => ["call_id", "name", "arguments"].into_iter().try_for_each(field),
        "function_call_output" | "custom_tool_call_output" => ["call_id", "output"].into_iter().try_for_each(field),
        "reasoning" => {
            field("summary")?;
            match given(item, "encrypted_content").and_then(Value::as_str) {
                Some(sealed) if !write::is_sealed(sealed) => {
                    let id = text(item, "id");
                    let message = format!(
                        "The encrypted content for item {id} could not be verified. Reason: Encrypted content could not be decrypted or parsed."
                    );
                    Err(Failure::invalid(message, None, Some("invalid_encrypted_content")))
                }
                _ => Ok(()),
            }
        }
        "item_reference" => field("id"),
        kind if kind.ends_with("_call") || kind.ends_with("_call_output") || kind.starts_with("mcp_") => Ok(()),
        "compaction" => Ok(()),
        kind => Err(not_among(
            &place("type"),
            kind,
            &["message", "function_call", "function_call_output", "reasoning", "item_reference"],
        )),
    }
}

fn reasoning(body: &Value, model: &Model) -> Result<(), Failure> {
    let Some(reasoning) = given(body, "reasoning") else { return Ok(()) };
    let efforts = ["none", "minimal", "low", "medium", "high", "xhigh"];
    let effort = word(reasoning, "effort", "reasoning.effort", &efforts)?;
    let summary = word(reasoning, "summary", "reasoning.summary", &["concise", "detailed", "auto"])?;
    for (param, asked) in [("reasoning.effort", effort), ("reasoning.summary", summary)] {
        if asked.is_some() && !thinks(model) {
            return Err(unsupported(param));
        }
    }
    Ok(())
}

/// Whether the model's answers come with a reasoning item.
fn thinks(model: &Model) -> bool {
    reasons(model) || model.thinking || model.reasoning > 0 || model.is_special()
}

fn include(body: &Value, model: &Model) -> Result<(), Failure> {
    for (at, one) in list(body, "include").iter().enumerate() {
        let name = one.as_str().unwrap_or_default();
        if !INCLUDED.contains(&name) {
            return Err(not_among(&format!("include[{at}]"), name, INCLUDED));
        }
        if name == "reasoning.encrypted_content" && !thinks(model) {
            let message = "Encrypted content is not supported with this model.";
            return Err(Failure::invalid(message, Some("include"), None));
        }
    }
    Ok(())
}

fn tools(body: &Value) -> Result<(), Failure> {
    for (at, tool) in list(body, "tools").iter().enumerate() {
        let place = |field: &str| format!("tools[{at}].{field}");
        match text(tool, "type") {
            "" => return Err(missing(&place("type"))),
            // A tool in the shape of chat completions has its name one level down: this is how that is told.
            "function" | "custom" if text(tool, "name").is_empty() => return Err(missing(&place("name"))),
            _ => {}
        }
    }
    match body.get("tool_choice") {
        Some(Value::String(choice)) if !["none", "auto", "required"].contains(&choice.as_str()) => {
            Err(not_among("tool_choice", choice, &["none", "auto", "required"]))
        }
        Some(Value::String(choice)) if choice == "required" && list(body, "tools").is_empty() => {
            let message = "Tool choice 'required' must be specified with 'tools' parameter.";
            Err(Failure::invalid(message, Some("tool_choice"), None))
        }
        Some(choice) if text(choice, "type") == "function" && text(choice, "name").is_empty() => {
            Err(missing("tool_choice.name"))
        }
        _ => Ok(()),
    }
}

fn metadata(body: &Value) -> Result<(), Failure> {
    let Some(metadata) = given(body, "metadata") else { return Ok(()) };
    let Some(pairs) = metadata.as_object() else { return Err(mistyped("metadata", "an object", metadata)) };
    if pairs.len() > 16 {
        let message = format!(
            "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got an object with {} properties instead.",
            pairs.len()
        );
        return Err(Failure::invalid(message, Some("metadata"), Some("object_above_max_properties")));
    }
    match pairs.iter().find(|(_, value)| !value.is_string()) {
        Some((name, value)) => Err(mistyped(&format!("metadata.{name}"), "a string", value)),
        None => Ok(()),
    }
}
