//! Reads a generate-content request.

use serde_json::Value;

use crate::{
    answer::{Ask, Cache, Heard, Tool, UsageEvent, called, tokens},
    dialect::{Call, Failure},
    field::{list, number, strings, text},
    model::Model,
};

/// What an image costs, in tokens, while both of its sides are short.
/// <https://ai.google.dev/gemini-api/docs/tokens>
const IMAGE_TOKENS: u32 = 258;

pub(super) fn read(body: &Value, model: &Model, call: &Call<'_>) -> Result<Ask, Failure> {
    let contents = list(body, "contents");
    let none = Value::Null;
    let config = field(body, "generationConfig").unwrap_or(&none);
    let thinking = field(config, "thinkingConfig").unwrap_or(&none);
    let shape = field(config, "responseJsonSchema").or_else(|| field(config, "responseSchema"));
    let json = text_of(config, "responseMimeType") == "application/json";
    Ok(Ask {
        model: model.name.clone(),
        delivery: call.delivery(body),
        usage: UsageEvent::Wanted,
        heard: heard(contents),
        images: contents.last().map_or(0, images),
        input_tokens: input(body),
        cache: Cache::default(),
        tools: tools(body, contents, model)?,
        shape: shape.map(lower).or_else(|| json.then(|| serde_json::json!({"type": "object"}))),
        limit: number(config, "maxOutputTokens").or_else(|| number(config, "max_output_tokens")),
        stop: [strings(config, "stopSequences"), strings(config, "stop_sequences")].concat(),
        choices: number(config, "candidateCount").unwrap_or(1).clamp(1, 8),
        thinking: field(thinking, "includeThoughts").and_then(Value::as_bool).unwrap_or(false),
    })
}

/// The tokens of a request; also what `:countTokens` answers.
pub(super) fn input(body: &Value) -> u32 {
    let parts = |content: &Value| list(content, "parts").iter().map(part_tokens).sum::<u32>();
    let said: u32 = list(body, "contents").iter().map(parts).sum();
    let system = field(body, "systemInstruction").map_or(0, parts);
    said + system + list(body, "tools").iter().map(|tool| tokens(&tool.to_string())).sum::<u32>() + 1
}

fn part_tokens(part: &Value) -> u32 {
    if field(part, "inlineData").is_some() || field(part, "fileData").is_some() {
        return IMAGE_TOKENS;
    }
    match part.get("text").and_then(Value::as_str) {
        Some(said) => tokens(said),
        None => tokens(&part.to_string()),
    }
}

/// The tools to call: none once a response is in, else an allowed one, more where the model's name says so.
fn tools(body: &Value, contents: &[Value], model: &Model) -> Result<Vec<Tool>, Failure> {
    let answered = contents.last().is_some_and(|last| has(last, "functionResponse"));
    let config = field(body, "toolConfig").and_then(|config| field(config, "functionCallingConfig"));
    let mode = config.map_or("", |config| text(config, "mode"));
    let offered: Vec<Tool> = list(body, "tools")
        .iter()
        .filter_map(|tool| field(tool, "functionDeclarations")?.as_array())
        .flatten()
        .map(|declared| Tool {
            name: text(declared, "name").to_owned(),
            schema: field(declared, "parametersJsonSchema")
                .or_else(|| field(declared, "parameters"))
                .map(lower)
                .unwrap_or_default(),
        })
        .collect();
    if answered || mode == "NONE" {
        return Ok(Vec::new());
    }
    let allowed = config.and_then(|config| field(config, "allowedFunctionNames")).and_then(Value::as_array);
    let Some(allowed) = allowed.filter(|allowed| !allowed.is_empty()) else {
        return Ok(called(&offered, model.parallel, model));
    };
    if let Some(unknown) = allowed.iter().find(|name| offered.iter().all(|tool| **name != tool.name)) {
        let message = format!(
            "* GenerateContentRequest.tool_config.function_calling_config.allowed_function_names: {unknown} is not a declared function.\n"
        );
        return Err(Failure::invalid(message, None, None));
    }
    let offered: Vec<Tool> = offered.into_iter().filter(|tool| allowed.iter().any(|name| *name == tool.name)).collect();
    Ok(called(&offered, model.parallel, model))
}

/// The last thing said by the user or by a function.
fn heard(contents: &[Value]) -> Heard {
    let user = |content: &&Value| text(content, "role") != "model";
    let Some(content) = contents.iter().rev().find(user) else { return Heard::User(String::new()) };
    let parts = list(content, "parts");
    if has(content, "functionResponse") {
        let responses = parts.iter().filter_map(|part| field(part, "functionResponse")?.get("response"));
        return Heard::Tool(responses.map(result).collect());
    }
    Heard::User(parts.iter().map(|part| text(part, "text")).collect())
}

/// What a function said: an object, of which clients wrap a text in one field.
fn result(response: &Value) -> String {
    let wrapped = ["result", "output", "content"].iter().find_map(|key| response.get(key)?.as_str());
    wrapped.map_or_else(|| response.to_string(), str::to_owned)
}

fn images(content: &Value) -> u32 {
    let image = |part: &&Value| field(part, "inlineData").or_else(|| field(part, "fileData")).is_some();
    u32::try_from(list(content, "parts").iter().filter(image).count()).unwrap_or(u32::MAX)
}

/// Whether a content has a part of this kind.
pub(super) fn has(content: &Value, kind: &str) -> bool {
    list(content, "parts").iter().any(|part| field(part, kind).is_some())
}

/// A field by its name in camel case; Google takes it in snake case, too.
pub(crate) fn field<'a>(value: &'a Value, camel: &str) -> Option<&'a Value> {
    value.get(camel).or_else(|| value.get(snake(camel))).filter(|value| !value.is_null())
}

pub(super) fn text_of<'a>(value: &'a Value, camel: &str) -> &'a str {
    field(value, camel).and_then(Value::as_str).unwrap_or_default()
}

/// `functionCall` as `function_call`.
pub(super) fn snake(camel: &str) -> String {
    camel.chars().fold(String::new(), |mut snake, c| {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
        snake
    })
}

/// A schema with its types as JSON schema writes them: Google's are upper case.
fn lower(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| match value {
                Value::String(kind) if key == "type" => (key.clone(), kind.to_ascii_lowercase().into()),
                other => (key.clone(), lower(other)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(lower).collect(),
        other => other.clone(),
    }
}
