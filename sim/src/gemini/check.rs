//! What Google refuses: names it does not know first, as its JSON is read, then values.

use serde_json::Value;

use super::{
    Api,
    ask::{field, has, snake, text_of},
};
use crate::{
    dialect::Failure,
    field::{list, text},
    model::Model,
};

/// The fields of a request.
const REQUEST: [&str; 11] = [
    "model",
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "generationConfig",
    "cachedContent",
    "labels",
    "serviceTier",
    "store",
];

/// The fields of `generationConfig`.
const CONFIG: [&str; 22] = [
    "stopSequences",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseFormat",
    "responseModalities",
    "candidateCount",
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "enableEnhancedCivicAnswers",
    "speechConfig",
    "thinkingConfig",
    "imageConfig",
    "mediaResolution",
    "audioTimestamp",
];

/// The fields of a part.
const PART: [&str; 13] = [
    "text",
    "thought",
    "thoughtSignature",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "videoMetadata",
    "partMetadata",
    "mediaResolution",
    "toolCall",
];

/// The fields of a `Schema`, which can say less than a JSON schema.
/// <https://ai.google.dev/api/caching#Schema>
const SCHEMA: [&str; 22] = [
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "enum",
    "maxItems",
    "minItems",
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "example",
    "anyOf",
    "propertyOrdering",
    "default",
    "items",
    "minimum",
    "maximum",
];

/// What Vertex AI knows besides.
const VERTEX_SCHEMA: [&str; 3] = ["additionalProperties", "ref", "defs"];

/// Refuses a request that is not valid.
pub(super) fn check(body: &Value, model: &Model, api: Api) -> Result<(), Failure> {
    names(body, &REQUEST, "")?;
    let none = Value::Null;
    let config = field(body, "generationConfig").unwrap_or(&none);
    names(config, &CONFIG, "generation_config")?;
    if let Some(schema) = field(config, "responseSchema") {
        schema_names(schema, "generation_config.response_schema", api)?;
    }
    functions(body, api)?;
    let contents = list(body, "contents");
    if contents.is_empty() {
        return refuse("* GenerateContentRequest.contents: contents is not specified\n");
    }
    for (index, content) in contents.iter().enumerate() {
        self::content(content, index, api)?;
    }
    turns(contents)?;
    signatures(contents, model)?;
    values(config, body, model)
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::invalid(message, None, None))
}

/// Refuses a name that is not known, in either case.
fn names(value: &Value, known: &[&str], place: &str) -> Result<(), Failure> {
    let Some(fields) = value.as_object() else { return Ok(()) };
    let fits = |name: &str| known.iter().any(|known| *known == name || snake(known) == name);
    let Some(unknown) = fields.keys().find(|name| !fits(name)) else { return Ok(()) };
    let at = if place.is_empty() { String::new() } else { format!(" at '{place}'") };
    let message = format!("Invalid JSON payload received. Unknown name \"{unknown}\"{at}: Cannot find field.");
    Err(Failure::invalid(message, Some(place), None))
}

/// Refuses what a JSON schema may say and a `Schema` may not: `$ref`, `additionalProperties`, `const` and the like.
fn schema_names(schema: &Value, place: &str, api: Api) -> Result<(), Failure> {
    let more: &[&str] = if api == Api::Vertex { &VERTEX_SCHEMA } else { &[] };
    let known = [&SCHEMA[..], more].concat();
    names(schema, &known, place)?;
    for (index, (_, value)) in schema.get("properties").and_then(Value::as_object).into_iter().flatten().enumerate() {
        schema_names(value, &format!("{place}.properties[{index}].value"), api)?;
    }
    if let Some(items) = schema.get("items") {
        schema_names(items, &format!("{place}.items"), api)?;
    }
    let any = field(schema, "anyOf").and_then(Value::as_array);
    any.into_iter()
        .flatten()
        .enumerate()
        .try_for_each(|(index, one)| schema_names(one, &format!("{place}.any_of[{index}]"), api))
}

fn functions(body: &Value, api: Api) -> Result<(), Failure> {
    for (index, tool) in list(body, "tools").iter().enumerate() {
        let declared = field(tool, "functionDeclarations").and_then(Value::as_array);
        for (at, function) in declared.into_iter().flatten().enumerate() {
            let place = format!("tools[{index}].function_declarations[{at}]");
            if let Some(schema) = function.get("parameters") {
                schema_names(schema, &format!("{place}.parameters"), api)?;
            }
            let name = text(function, "name");
            let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            let fits = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
            if !starts || name.len() > 64 || !name.chars().all(fits) {
                return refuse(format!(
                    "* GenerateContentRequest.{place}.name: Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64.\n"
                ));
            }
        }
    }
    Ok(())
}

fn content(content: &Value, index: usize, api: Api) -> Result<(), Failure> {
    names(content, &["role", "parts"], &format!("contents[{index}]"))?;
    let role = text(content, "role");
    if !matches!(role, "user" | "model" | "function") && (api == Api::Vertex || !role.is_empty()) {
        return refuse("Please use a valid role: user, model.");
    }
    let parts = list(content, "parts");
    if parts.is_empty() {
        return refuse(format!(
            "* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty.\n"
        ));
    }
    for (at, part) in parts.iter().enumerate() {
        let place = format!("contents[{index}].parts[{at}]");
        names(part, &PART, &place)?;
        for (kind, inner) in [("functionCall", "args"), ("functionResponse", "response")] {
            let value = field(part, kind).and_then(|part| part.get(inner)).filter(|value| !value.is_object());
            if let Some(value) = value {
                return refuse(format!(
                    "Invalid value at '{place}.{}.{inner}' (type.googleapis.com/google.protobuf.Struct), {value}",
                    snake(kind)
                ));
            }
        }
        let data = |kind: &&str| !["thought", "thoughtSignature"].contains(kind) && field(part, kind).is_some();
        if !PART.iter().any(data) {
            return refuse(format!(
                "* GenerateContentRequest.{place}.data: required oneof field 'data' must have one initialized field\n"
            ));
        }
    }
    Ok(())
}

/// Calls come after the user's turn or after responses, and each call has its response in the next turn.
fn turns(contents: &[Value]) -> Result<(), Failure> {
    let count =
        |content: &Value, kind| list(content, "parts").iter().filter(|part| field(part, kind).is_some()).count();
    let mut before: Option<&Value> = None;
    for content in contents {
        let (calls, responses) = (count(content, "functionCall"), count(content, "functionResponse"));
        let open = before.map_or(0, |before| count(before, "functionCall"));
        if calls > 0 && before.is_none_or(|before| text(before, "role") == "model") {
            return refuse(
                "Please ensure that function call turn comes immediately after a user turn or after a function response turn.",
            );
        }
        if responses > 0 && open == 0 {
            return refuse("Please ensure that function response turn comes immediately after a function call turn.");
        }
        if open > 0 && responses != open {
            return refuse(
                "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
            );
        }
        before = Some(content);
    }
    Ok(())
}

/// From the third generation on, the first call of each step of the current turn must bring back its signature.
/// <https://ai.google.dev/gemini-api/docs/thought-signatures>
fn signatures(contents: &[Value], model: &Model) -> Result<(), Failure> {
    if !super::write::signs(&model.base) {
        return Ok(());
    }
    let said = |content: &Value| text(content, "role") != "model" && !has(content, "functionResponse");
    let turn = contents.iter().rposition(said).unwrap_or_default();
    for (index, content) in contents.iter().enumerate().skip(turn) {
        let first = list(content, "parts")
            .iter()
            .enumerate()
            .find_map(|(at, part)| Some((at, part, field(part, "functionCall")?)));
        if let Some((at, part, call)) = first
            && text_of(part, "thoughtSignature").is_empty()
        {
            let name = text(call, "name");
            return refuse(format!(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call `{name}` , position {}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details.",
                index + at + 1
            ));
        }
    }
    Ok(())
}

fn values(config: &Value, body: &Value, model: &Model) -> Result<(), Failure> {
    let number = |key: &str| field(config, key).and_then(Value::as_f64);
    let place = "* GenerateContentRequest.generation_config";
    if number("temperature").is_some_and(|value| !(0.0..=2.0).contains(&value)) {
        return refuse(format!("{place}.temperature: temperature must be in the range [0.0, 2.0].\n"));
    }
    if number("topP").is_some_and(|value| !(0.0..=1.0).contains(&value)) {
        return refuse(format!("{place}.top_p: top_p must be in the range [0.0, 1.0].\n"));
    }
    if number("maxOutputTokens").is_some_and(|value| value < 1.0) {
        return refuse(format!("{place}.max_output_tokens: max_output_tokens must be positive.\n"));
    }
    if number("candidateCount").is_some_and(|value| !(1.0..=8.0).contains(&value)) {
        return refuse(format!("{place}.candidate_count: candidate_count must be in the range [1, 8].\n"));
    }
    if field(config, "stopSequences").and_then(Value::as_array).is_some_and(|stops| stops.len() > 5) {
        return refuse(format!("{place}.stop_sequences: at most 5 stop sequences are allowed.\n"));
    }
    let json = text_of(config, "responseMimeType") == "application/json";
    if field(config, "responseSchema").or_else(|| field(config, "responseJsonSchema")).is_some() && !json {
        return refuse(format!("{place}.response_schema: only allowed when response_mime_type is application/json.\n"));
    }
    if json && !list(body, "tools").is_empty() && !super::write::signs(&model.base) {
        return refuse("Function calling with a response mime type: 'application/json' is unsupported");
    }
    let config = field(body, "toolConfig").and_then(|config| field(config, "functionCallingConfig"));
    let forced = |config: &Value| matches!(text(config, "mode"), "ANY" | "VALIDATED");
    if config.is_some_and(|config| field(config, "allowedFunctionNames").is_some() && !forced(config)) {
        return refuse(
            "* GenerateContentRequest.tool_config.function_calling_config.allowed_function_names: only allowed when mode is ANY or VALIDATED.\n",
        );
    }
    thinking(field(body, "generationConfig").and_then(|config| field(config, "thinkingConfig")), model)
}

fn thinking(config: Option<&Value>, model: &Model) -> Result<(), Failure> {
    let Some(config) = config else { return Ok(()) };
    let budget = field(config, "thinkingBudget").and_then(Value::as_i64);
    let level = field(config, "thinkingLevel").is_some();
    if budget.is_some() && level {
        return refuse("You can only set only one of thinking budget and thinking level.");
    }
    if level && model.base.starts_with("gemini-2") {
        return refuse("Thinking level is not supported for this model.");
    }
    if budget == Some(0) && model.base.starts_with("gemini-2.5-pro") {
        return refuse("Budget 0 is invalid. This model only works in thinking mode.");
    }
    Ok(())
}
