//! Reads a chat completion request, refusing what OpenAI refuses.

use serde_json::Value;

use crate::{
    answer::{self, Ask, Cache, Delivery, Heard, Tool, UsageEvent, tokens},
    dialect::Failure,
    model::Model,
};

/// What an image costs, in tokens, at low detail.
pub(super) const IMAGE_TOKENS: u32 = 85;

pub(super) fn read(body: &Value, model: &Model, delivery: Delivery) -> Result<Ask, Failure> {
    let messages = messages(body)?;
    bounds(body, model)?;
    let (said, _) = count(messages);
    let offered = body.get("tools").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let last = messages.last();
    Ok(Ask {
        model: model.name.clone(),
        delivery,
        usage: usage_event(body, delivery)?,
        heard: heard(messages),
        images: last.map_or(0, |last| count(std::slice::from_ref(last)).1),
        input_tokens: said + offered.iter().map(|tool| tokens(&tool.to_string())).sum::<u32>() + 3,
        cache: Cache::default(),
        tools: called(body, offered, last, model)?,
        shape: shape(body, messages)?,
        limit: limit(body, model)?,
        stop: stops(body),
        choices: body.get("n").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(1).clamp(1, 128),
        thinking: false,
    })
}

/// Whether a stream is to tell the tokens used.
pub(super) fn usage_event(body: &Value, delivery: Delivery) -> Result<UsageEvent, Failure> {
    let options = body.get("stream_options").filter(|options| !options.is_null());
    if options.is_some() && delivery == Delivery::Whole {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Failure::invalid(message, Some("stream_options"), None));
    }
    let wanted = options.and_then(|options| options.get("include_usage")).and_then(Value::as_bool).unwrap_or(false);
    Ok(if wanted { UsageEvent::Wanted } else { UsageEvent::Unwanted })
}

/// What ends an answer when it is about to be said.
pub(super) fn stops(body: &Value) -> Vec<String> {
    match body.get("stop") {
        Some(Value::String(stop)) => vec![stop.clone()],
        Some(Value::Array(stops)) => stops.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The messages, each with a role, and each tool call answered.
fn messages(body: &Value) -> Result<&[Value], Failure> {
    let Some(messages) = body.get("messages").filter(|messages| !messages.is_null()) else {
        let message = "Missing required parameter: 'messages'.";
        return Err(Failure::invalid(message, Some("messages"), Some("missing_required_parameter")));
    };
    let Some(messages) = messages.as_array() else {
        let message = "Invalid type for 'messages': expected an array of objects.";
        return Err(Failure::invalid(message, Some("messages"), Some("invalid_type")));
    };
    if messages.is_empty() {
        let message = "Invalid 'messages': empty array. Expected an array with minimum length 1.";
        return Err(Failure::invalid(message, Some("messages"), Some("empty_array")));
    }
    let mut unanswered: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let role = text(message, "role");
        let param = format!("messages[{index}].role");
        if role == "tool" {
            let id = text(message, "tool_call_id");
            let Some(at) = unanswered.iter().position(|open| *open == id) else {
                let message = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
                return Err(Failure::invalid(message, Some(&param), None));
            };
            unanswered.swap_remove(at);
            continue;
        }
        all_answered(&unanswered, index)?;
        match role {
            "assistant" => {
                let calls = message.get("tool_calls").and_then(Value::as_array);
                unanswered = calls.into_iter().flatten().map(|call| text(call, "id")).collect();
            }
            "system" | "developer" | "user" | "function" => {}
            other => {
                let message = format!(
                    "Invalid value: '{other}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'."
                );
                return Err(Failure::invalid(message, Some(&param), Some("invalid_value")));
            }
        }
    }
    all_answered(&unanswered, messages.len())?;
    Ok(messages)
}

fn all_answered(unanswered: &[&str], index: usize) -> Result<(), Failure> {
    if unanswered.is_empty() {
        return Ok(());
    }
    let ids = unanswered.join(", ");
    let message = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {ids}"
    );
    Err(Failure::invalid(message, Some(&format!("messages.[{}].role", index.saturating_sub(1))), None))
}

/// Numbers that must be within bounds.
pub(super) fn bounds(body: &Value, model: &Model) -> Result<(), Failure> {
    for (param, least, most) in [
        ("temperature", 0.0, 2.0),
        ("top_p", 0.0, 1.0),
        ("frequency_penalty", -2.0, 2.0),
        ("presence_penalty", -2.0, 2.0),
    ] {
        let Some(value) = body.get(param).and_then(Value::as_f64) else { continue };
        if value < least {
            let message = format!(
                "Invalid '{param}': decimal below minimum value. Expected a value >= {least}, but got {value} instead."
            );
            return Err(Failure::invalid(message, Some(param), Some("decimal_below_min_value")));
        }
        if value > most {
            let message = format!(
                "Invalid '{param}': decimal above maximum value. Expected a value <= {most}, but got {value} instead."
            );
            return Err(Failure::invalid(message, Some(param), Some("decimal_above_max_value")));
        }
        if param == "temperature" && reasons(model) && (value - 1.0).abs() > f64::EPSILON {
            let message = format!(
                "Unsupported value: 'temperature' does not support {value} with this model. Only the default (1) value is supported."
            );
            return Err(Failure::invalid(message, Some(param), Some("unsupported_value")));
        }
    }
    Ok(())
}

/// Whether the model is of a family that reasons, and so refuses some parameters.
pub(super) fn reasons(model: &Model) -> bool {
    ["o1", "o3", "o4-", "gpt-5"].iter().any(|family| model.base.starts_with(family))
}

fn limit(body: &Value, model: &Model) -> Result<Option<u32>, Failure> {
    let old = body.get("max_tokens").filter(|value| !value.is_null());
    if old.is_some() && reasons(model) {
        let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        return Err(Failure::invalid(message, Some("max_tokens"), Some("unsupported_parameter")));
    }
    let new = body.get("max_completion_tokens").filter(|value| !value.is_null());
    let Some(value) = new.or(old) else { return Ok(None) };
    let param = if new.is_some() { "max_completion_tokens" } else { "max_tokens" };
    match value.as_u64() {
        Some(limit) if limit > 0 => Ok(Some(u32::try_from(limit).unwrap_or(u32::MAX))),
        _ => {
            let message = format!(
                "Invalid '{param}': integer below minimum value. Expected a value >= 1, but got {value} instead."
            );
            Err(Failure::invalid(message, Some(param), Some("integer_below_min_value")))
        }
    }
}

/// What may be called.
pub(crate) fn functions(offered: &[Value]) -> Vec<Tool> {
    let functions = offered.iter().filter_map(|tool| tool.get("function"));
    let tools = functions.map(|function| Tool {
        name: text(function, "name").to_owned(),
        schema: function.get("parameters").cloned().unwrap_or_default(),
    });
    tools.collect()
}

/// The tools to call: none once a result is in, else the chosen or the first one, more where the model's name says so.
fn called(body: &Value, offered: &[Value], last: Option<&Value>, model: &Model) -> Result<Vec<Tool>, Failure> {
    let tools = functions(offered);
    let choice = body.get("tool_choice").unwrap_or(&Value::Null);
    if last.is_some_and(|last| text(last, "role") == "tool") || choice == "none" || tools.is_empty() {
        return Ok(Vec::new());
    }
    let chosen = choice.pointer("/function/name").and_then(Value::as_str);
    if let Some(name) = chosen {
        let Some(tool) = tools.into_iter().find(|tool| tool.name == name) else {
            let message = format!("Tool choice '{name}' not found in 'tools' parameter.");
            return Err(Failure::invalid(message, Some("tool_choice"), None));
        };
        return Ok(vec![tool]);
    }
    let allowed = body.get("parallel_tool_calls").and_then(Value::as_bool).unwrap_or(true);
    Ok(answer::called(&tools, model.parallel.filter(|_| allowed), model))
}

/// The schema the answer must follow.
fn shape(body: &Value, messages: &[Value]) -> Result<Option<Value>, Failure> {
    let Some(format) = body.get("response_format") else { return Ok(None) };
    match text(format, "type") {
        "json_object" => {
            let named = messages.iter().any(|message| message.to_string().to_ascii_lowercase().contains("json"));
            if !named {
                let message = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
                return Err(Failure::invalid(message, Some("messages"), None));
            }
            Ok(Some(serde_json::json!({"type": "object", "properties": {"answer": {"type": "string"}}})))
        }
        "json_schema" => {
            let param = "response_format.json_schema";
            let missing = || {
                let message = format!("Missing required parameter: '{param}'.");
                Failure::invalid(message, Some(param), Some("missing_required_parameter"))
            };
            format.pointer("/json_schema/schema").cloned().ok_or_else(missing).map(Some)
        }
        _ => Ok(None),
    }
}

/// Tokens and images in messages.
fn count(messages: &[Value]) -> (u32, u32) {
    let mut sum = 0;
    let mut images = 0;
    for message in messages {
        sum += 3 + tokens(text(message, "content"));
        if let Some(calls) = message.get("tool_calls") {
            sum += tokens(&calls.to_string());
        }
        for part in message.get("content").and_then(Value::as_array).into_iter().flatten() {
            if text(part, "type") == "image_url" {
                images += 1;
                sum += IMAGE_TOKENS;
            }
            sum += tokens(text(part, "text"));
        }
    }
    (sum, images)
}

/// The last thing said by the caller or by a tool.
fn heard(messages: &[Value]) -> Heard {
    let said = |message: &Value| {
        let parts = message.get("content").and_then(Value::as_array);
        let texts: Vec<&str> = parts.into_iter().flatten().map(|part| text(part, "text")).collect();
        format!("{}{}", text(message, "content"), texts.concat())
    };
    match messages.iter().rev().find(|message| ["user", "tool"].contains(&text(message, "role"))) {
        Some(message) if text(message, "role") == "tool" => Heard::Tool(said(message)),
        Some(message) => Heard::User(said(message)),
        None => Heard::User(String::new()),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
