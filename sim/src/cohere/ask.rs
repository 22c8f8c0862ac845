//! Reads a chat request.

use serde_json::Value;

use crate::{
    answer::{Ask, Cache, Heard, Tool, UsageEvent, called, tokens},
    dialect::Call,
    field::{list, number, strings, text},
    model::Model,
    openai::functions,
};

/// What an image costs here, in tokens; the real price goes by its pixels.
const IMAGE_TOKENS: u32 = 256;

pub(super) fn read(body: &Value, model: &Model, call: &Call<'_>) -> Ask {
    let messages = list(body, "messages");
    let format = body.get("response_format").filter(|format| text(format, "type") == "json_object");
    let schema = format.map(|format| {
        let schema = format.get("schema").or_else(|| format.get("json_schema")).cloned();
        schema.unwrap_or_else(|| serde_json::json!({"type": "object", "properties": {"answer": {"type": "string"}}}))
    });
    Ask {
        model: model.name.clone(),
        delivery: call.delivery(body),
        usage: UsageEvent::Wanted,
        heard: heard(messages),
        images: messages.last().map_or(0, images),
        input_tokens: input(body),
        cache: Cache::default(),
        tools: tools(body, messages, model),
        shape: schema,
        limit: number(body, "max_tokens"),
        stop: strings(body, "stop_sequences"),
        choices: 1,
        thinking: body.get("thinking").is_some_and(|thinking| text(thinking, "type") == "enabled"),
    }
}

fn input(body: &Value) -> u32 {
    let said = |message: &Value| {
        let calls = message.get("tool_calls").map_or(0, |calls| tokens(&calls.to_string()));
        3 + calls + tokens(&said(message)) + IMAGE_TOKENS * images(message)
    };
    let given = ["tools", "documents"].iter().flat_map(|key| list(body, key)).map(|given| tokens(&given.to_string()));
    list(body, "messages").iter().map(said).sum::<u32>() + given.sum::<u32>()
}

/// The tools to call: none once a result is in, else the first one, more where the model's name says so.
fn tools(body: &Value, messages: &[Value], model: &Model) -> Vec<Tool> {
    let offered = functions(list(body, "tools"));
    let answered = messages.last().is_some_and(|last| text(last, "role") == "tool");
    if answered || text(body, "tool_choice") == "NONE" { Vec::new() } else { called(&offered, model.parallel, model) }
}

/// The last thing said by the user or by tools.
fn heard(messages: &[Value]) -> Heard {
    let role = |message: &Value| text(message, "role").to_owned();
    if messages.last().is_some_and(|last| role(last) == "tool") {
        let results: Vec<String> =
            messages.iter().rev().take_while(|message| role(message) == "tool").map(said).collect();
        return Heard::Tool(results.into_iter().rev().collect());
    }
    Heard::User(messages.iter().rev().find(|message| role(message) == "user").map(said).unwrap_or_default())
}

/// The text of a message, whose content is a text or blocks; a tool's may be documents.
fn said(message: &Value) -> String {
    let block = |block: &Value| match block.pointer("/document/data") {
        Some(Value::String(data)) => data.clone(),
        Some(data) => data.to_string(),
        None => text(block, "text").to_owned(),
    };
    let blocks: String = list(message, "content").iter().map(block).collect();
    format!("{}{blocks}", text(message, "content"))
}

fn images(message: &Value) -> u32 {
    let count = list(message, "content").iter().filter(|block| text(block, "type") == "image_url").count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
