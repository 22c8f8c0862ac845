//! Reads a request for a response, and compares its calls with their outputs.

use serde_json::Value;

use super::write::summarizes;
use crate::{
    answer::{self, Ask, Cache, Heard, Tool, UsageEvent, tokens},
    dialect::{Call, Failure},
    field::{list, number, text},
    model::Model,
    openai::{
        ask::IMAGE_TOKENS,
        check::{given, missing},
    },
    past::Turn,
};

pub(super) fn read(call: &Call<'_>, body: &Value, model: &Model) -> Result<Ask, Failure> {
    let before = before(call, body)?;
    let input = body.get("input").unwrap_or(&Value::Null);
    let items = input.as_array().map_or(&[][..], Vec::as_slice);
    paired(items, &before)?;
    let (mut said, _) = count(items);
    said += tokens(text(body, "instructions")) + input.as_str().map_or(0, |text| 3 + tokens(text));
    let offered = list(body, "tools");
    Ok(Ask {
        model: model.name.clone(),
        delivery: call.delivery(body),
        usage: UsageEvent::Wanted,
        heard: heard(input),
        images: items.last().map_or(0, |last| count(std::slice::from_ref(last)).1),
        input_tokens: before.tokens + said + offered.iter().map(|tool| tokens(&tool.to_string())).sum::<u32>() + 3,
        cache: Cache::default(),
        tools: called(body, items, offered, model)?,
        shape: shape(body)?,
        limit: number(body, "max_output_tokens"),
        stop: Vec::new(),
        choices: 1,
        thinking: summarizes(body),
    })
}

/// The answer this one follows; an empty one where it follows none.
fn before(call: &Call<'_>, body: &Value) -> Result<Turn, Failure> {
    let Some(id) = given(body, "previous_response_id").and_then(Value::as_str) else { return Ok(Turn::default()) };
    call.state.past.find(id).ok_or_else(|| {
        Failure::invalid(
            format!("Previous response with id '{id}' not found."),
            Some("previous_response_id"),
            Some("previous_response_not_found"),
        )
    })
}

/// Each output belongs to a call, and each call has its output.
fn paired(items: &[Value], before: &Turn) -> Result<(), Failure> {
    let mut open: Vec<&str> = before.calls.iter().map(String::as_str).collect();
    for item in items {
        let id = text(item, "call_id");
        match text(item, "type") {
            "function_call" | "custom_tool_call" => open.push(id),
            "function_call_output" | "custom_tool_call_output" => {
                let Some(at) = open.iter().position(|call| *call == id) else {
                    let message = format!("No tool call found for function call output with call_id {id}.");
                    return Err(Failure::invalid(message, Some("input"), None));
                };
                open.swap_remove(at);
            }
            _ => {}
        }
    }
    open.first().map_or(Ok(()), |id| {
        let message = format!("No tool output found for function call {id}.");
        Err(Failure::invalid(message, Some("input"), None))
    })
}

/// Tokens and images in items.
fn count(items: &[Value]) -> (u32, u32) {
    let mut sum = 0;
    let mut images = 0;
    for item in items {
        sum += 3 + tokens(text(item, "content")) + tokens(text(item, "arguments")) + tokens(text(item, "output"));
        for part in ["content", "output", "summary"].iter().flat_map(|key| list(item, key)) {
            if text(part, "type") == "input_image" {
                images += 1;
                sum += IMAGE_TOKENS;
            }
            sum += tokens(text(part, "text"));
        }
    }
    (sum, images)
}

/// The last thing said by the caller or by a tool.
fn heard(input: &Value) -> Heard {
    if let Value::String(text) = input {
        return Heard::User(text.clone());
    }
    let said = |item: &Value, key: &str| {
        let parts: Vec<&str> = list(item, key).iter().map(|part| text(part, "text")).collect();
        format!("{}{}", text(item, key), parts.concat())
    };
    let last =
        input.as_array().into_iter().flatten().rev().find_map(|item| match (text(item, "type"), text(item, "role")) {
            ("function_call_output" | "custom_tool_call_output", _) => Some(Heard::Tool(said(item, "output"))),
            (_, "user") => Some(Heard::User(said(item, "content"))),
            _ => None,
        });
    last.unwrap_or_else(|| Heard::User(String::new()))
}

/// The tools to call: none once an output is in, else the chosen or the first one, more where the model's name says so.
fn called(body: &Value, items: &[Value], offered: &[Value], model: &Model) -> Result<Vec<Tool>, Failure> {
    let choice = body.get("tool_choice").unwrap_or(&Value::Null);
    let answered = items.last().is_some_and(|last| text(last, "type").ends_with("_output"));
    let tools: Vec<Tool> = offered
        .iter()
        .filter(|tool| text(tool, "type") == "function")
        .map(|tool| Tool {
            name: text(tool, "name").to_owned(),
            schema: tool.get("parameters").cloned().unwrap_or_default(),
        })
        .collect();
    if text(choice, "type") == "function" {
        let name = text(choice, "name");
        let Some(tool) = tools.into_iter().find(|tool| tool.name == name) else {
            let message = "Tool choice 'function' not found in 'tools' parameter.";
            return Err(Failure::invalid(message, Some("tool_choice"), None));
        };
        return Ok(if answered { Vec::new() } else { vec![tool] });
    }
    if answered || choice == "none" || tools.is_empty() {
        return Ok(Vec::new());
    }
    let allowed = body.get("parallel_tool_calls").and_then(Value::as_bool).unwrap_or(true);
    Ok(answer::called(&tools, model.parallel.filter(|_| allowed), model))
}

/// The schema the text must follow.
fn shape(body: &Value) -> Result<Option<Value>, Failure> {
    let Some(format) = body.pointer("/text/format") else { return Ok(None) };
    match text(format, "type") {
        "json_object" => {
            if !body.to_string().to_ascii_lowercase().replacen("json_object", "", 1).contains("json") {
                let message = "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'.";
                return Err(Failure::invalid(message, Some("input"), None));
            }
            Ok(Some(serde_json::json!({"type": "object", "properties": {"answer": {"type": "string"}}})))
        }
        "json_schema" => {
            if text(format, "name").is_empty() {
                return Err(missing("text.format.name"));
            }
            given(format, "schema").cloned().map(Some).ok_or_else(|| missing("text.format.schema"))
        }
        _ => Ok(None),
    }
}
