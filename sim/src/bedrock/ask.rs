//! Reads a Converse request.

use serde_json::Value;

use crate::{
    answer::{Ask, Heard, Tool, UsageEvent, called, tokens},
    dialect::{Call, Failure},
    field::{list, number, strings, text},
    model::Model,
    prefixes::Part,
};

/// What an image costs here, in tokens; the real price goes by its pixels.
const IMAGE_TOKENS: u32 = 258;

pub(super) fn read(body: &Value, model: &Model, call: &Call<'_>) -> Result<Ask, Failure> {
    let none = Value::Null;
    let messages = list(body, "messages");
    let config = body.get("inferenceConfig").unwrap_or(&none);
    let cache = call.state.prefixes.visit(&model.name, prefix(body));
    let schema = body.pointer("/outputConfig/textFormat/structure/jsonSchema/schema").and_then(Value::as_str);
    Ok(Ask {
        model: model.name.clone(),
        delivery: call.delivery(&none),
        usage: UsageEvent::Wanted,
        heard: heard(messages),
        images: messages.last().map_or(0, |last| count(last, "image")),
        // What is cached is part of the input, however it is counted.
        input_tokens: input(body).max(cache.read.saturating_add(cache.written)),
        cache,
        tools: tools(body, messages, model)?,
        shape: schema.and_then(|schema| serde_json::from_str(schema).ok()),
        limit: number(config, "maxTokens"),
        stop: strings(config, "stopSequences"),
        choices: 1,
        thinking: body
            .pointer("/additionalModelRequestFields/thinking")
            .is_some_and(|thinking| ["enabled", "adaptive"].contains(&text(thinking, "type"))),
    })
}

/// The tokens of a request; also what `count-tokens` answers.
pub(super) fn input(body: &Value) -> u32 {
    let said: u32 = list(body, "messages")
        .iter()
        .map(|message| 3 + list(message, "content").iter().map(block_tokens).sum::<u32>())
        .sum();
    let system: u32 = list(body, "system").iter().map(block_tokens).sum();
    let offered = body.get("toolConfig").map_or(0, |config| tokens(&config.to_string()));
    said + system + offered + 5
}

fn block_tokens(block: &Value) -> u32 {
    match block.get("text").and_then(Value::as_str) {
        Some(said) => tokens(said),
        None if block.get("cachePoint").is_some() => 0,
        None if block.get("image").or_else(|| block.get("document")).is_some() => IMAGE_TOKENS,
        None => tokens(&block.to_string()),
    }
}

/// What is cached, in the order that counts: tools, system, messages. A cache point is a block of its own.
fn prefix(body: &Value) -> Vec<Part> {
    let tools = body.get("toolConfig").map_or(&[][..], |config| list(config, "tools"));
    let said = list(body, "messages").iter().flat_map(|message| list(message, "content"));
    tools
        .iter()
        .chain(list(body, "system"))
        .chain(said)
        .map(|block| if block.get("cachePoint").is_some() { Part::Mark } else { Part::Block(block.to_string()) })
        .collect()
}

/// The tools to call: none once a result is in, else the chosen or the first one, more where the model's name says so.
fn tools(body: &Value, messages: &[Value], model: &Model) -> Result<Vec<Tool>, Failure> {
    let Some(config) = body.get("toolConfig").filter(|config| !config.is_null()) else { return Ok(Vec::new()) };
    let offered: Vec<Tool> = list(config, "tools")
        .iter()
        .filter_map(|tool| tool.get("toolSpec"))
        .map(|spec| Tool {
            name: text(spec, "name").to_owned(),
            schema: spec.pointer("/inputSchema/json").cloned().unwrap_or_default(),
        })
        .collect();
    if messages.last().is_some_and(|last| count(last, "toolResult") > 0) {
        return Ok(Vec::new());
    }
    let Some(name) = config.pointer("/toolChoice/tool/name").and_then(Value::as_str) else {
        return Ok(called(&offered, model.parallel, model));
    };
    match offered.into_iter().find(|tool| tool.name == name) {
        Some(tool) => Ok(vec![tool]),
        None => {
            Err(Failure::invalid(format!("The tool {name} in toolChoice isn't one of toolConfig.tools."), None, None))
        }
    }
}

/// The last thing said by the user or by a tool.
fn heard(messages: &[Value]) -> Heard {
    let Some(message) = messages.iter().rev().find(|message| text(message, "role") == "user") else {
        return Heard::User(String::new());
    };
    let blocks = list(message, "content");
    let results: Vec<&Value> = blocks.iter().filter_map(|block| block.get("toolResult")).collect();
    if results.is_empty() {
        return Heard::User(blocks.iter().map(|block| text(block, "text")).collect());
    }
    let said = |block: &Value| block.get("json").map_or_else(|| text(block, "text").to_owned(), Value::to_string);
    Heard::Tool(results.into_iter().flat_map(|result| list(result, "content")).map(said).collect())
}

/// How many blocks of this kind a message has.
fn count(message: &Value, kind: &str) -> u32 {
    let count = list(message, "content").iter().filter(|block| block.get(kind).is_some()).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
