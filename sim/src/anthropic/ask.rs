//! Reads a messages request.

use serde_json::Value;

use super::{Version, cache::prefix, check::check};
use crate::{
    answer::{self, Ask, Heard, Tool, UsageEvent, tokens},
    dialect::{Call, Failure},
    model::Model,
};

/// What an image costs here, in tokens; the real price goes by its pixels.
const IMAGE_TOKENS: u32 = 258;

pub(super) fn read(body: &Value, model: &Model, version: Version, call: &Call<'_>) -> Result<Ask, Failure> {
    check(body, model, version)?;
    let messages = body.get("messages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let last = messages.iter().rev().find(|message| text(message, "role") != "system");
    let cache = call.state.prefixes.visit(&model.name, prefix(body));
    Ok(Ask {
        model: model.name.clone(),
        delivery: call.delivery(body),
        usage: UsageEvent::Wanted,
        heard: heard(messages),
        images: last.map_or(0, images),
        // What is cached is part of the input, however it is counted.
        input_tokens: input(body).max(cache.read.saturating_add(cache.written)),
        cache,
        tools: called(body, last, model)?,
        shape: body.pointer("/output_config/format/schema").or_else(|| body.pointer("/output_format/schema")).cloned(),
        limit: body.get("max_tokens").and_then(Value::as_u64).map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
        stop: strings(body.get("stop_sequences")),
        choices: 1,
        thinking: body
            .get("thinking")
            .is_some_and(|thinking| ["enabled", "adaptive"].contains(&text(thinking, "type"))),
    })
}

/// The tokens of a request; also what `count_tokens` answers.
pub(super) fn input(body: &Value) -> u32 {
    let messages = body.get("messages").and_then(Value::as_array);
    let said: u32 = messages
        .into_iter()
        .flatten()
        .map(|message| 3 + tokens(text(message, "content")) + blocks(message).iter().map(block_tokens).sum::<u32>())
        .sum();
    let system = match body.get("system") {
        Some(Value::String(system)) => tokens(system),
        Some(Value::Array(blocks)) => blocks.iter().map(block_tokens).sum(),
        _ => 0,
    };
    let tools = body.get("tools").and_then(Value::as_array);
    said + system + tools.into_iter().flatten().map(|tool| tokens(&tool.to_string())).sum::<u32>() + 5
}

fn block_tokens(block: &Value) -> u32 {
    match text(block, "type") {
        "text" => tokens(text(block, "text")),
        "image" | "document" => IMAGE_TOKENS,
        "thinking" => tokens(text(block, "thinking")),
        _ => tokens(&block.to_string()),
    }
}

/// The tools to call: none once a result is in, else the chosen or the first one, more where the model's name says so.
fn called(body: &Value, last: Option<&Value>, model: &Model) -> Result<Vec<Tool>, Failure> {
    let tools: Vec<Tool> = body
        .get("tools")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|tool| {
            Some(Tool { name: text(tool, "name").to_owned(), schema: tool.get("input_schema")?.clone() })
        })
        .collect();
    let result = last.is_some_and(|last| blocks(last).iter().any(|block| text(block, "type") == "tool_result"));
    let choice = body.get("tool_choice").unwrap_or(&Value::Null);
    if result || text(choice, "type") == "none" {
        return Ok(Vec::new());
    }
    if text(choice, "type") == "tool" {
        let name = text(choice, "name");
        return match tools.into_iter().find(|tool| tool.name == name) {
            Some(tool) => Ok(vec![tool]),
            None => Err(Failure::invalid(format!("Tool '{name}' not found in provided tools"), None, None)),
        };
    }
    let single = choice.get("disable_parallel_tool_use").and_then(Value::as_bool).unwrap_or(false);
    Ok(answer::called(&tools, model.parallel.filter(|_| !single), model))
}

/// The last thing said by the user or by a tool.
fn heard(messages: &[Value]) -> Heard {
    let Some(message) = messages.iter().rev().find(|message| text(message, "role") == "user") else {
        return Heard::User(String::new());
    };
    let results: Vec<&Value> = blocks(message).iter().filter(|block| text(block, "type") == "tool_result").collect();
    if results.is_empty() {
        return Heard::User(said(message));
    }
    Heard::Tool(results.into_iter().map(said).collect())
}

/// The text in what has `content`: a message, or a tool result.
fn said(holder: &Value) -> String {
    let texts: String = blocks(holder).iter().map(|block| text(block, "text")).collect();
    format!("{}{texts}", text(holder, "content"))
}

fn images(message: &Value) -> u32 {
    let count = blocks(message).iter().filter(|block| text(block, "type") == "image").count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The content blocks of a message; none where its content is a string.
pub(super) fn blocks(message: &Value) -> &[Value] {
    message.get("content").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A string field; empty where there is none.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
