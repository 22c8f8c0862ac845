//! What Converse refuses: what its model of the API does not allow, then what makes no conversation.

use serde_json::Value;

use crate::{
    dialect::Failure,
    field::{list, text},
    model::Model,
};

/// What a content block may be; it is exactly one of these.
const BLOCKS: [&str; 12] = [
    "text",
    "image",
    "document",
    "video",
    "audio",
    "toolUse",
    "toolResult",
    "guardContent",
    "cachePoint",
    "reasoningContent",
    "citationsContent",
    "searchResult",
];

/// Refuses a request that is not valid.
pub(super) fn check(body: &Value, model: &Model) -> Result<(), Failure> {
    let Some(messages) = body.get("messages").and_then(Value::as_array) else {
        return violated("Value", "messages", "Member must not be null");
    };
    config(body)?;
    tools(body)?;
    for (index, message) in messages.iter().enumerate() {
        self::message(message, index)?;
    }
    conversation(messages, model)?;
    let uses = |message: &Value| {
        list(message, "content").iter().any(|block| block.get("toolUse").or_else(|| block.get("toolResult")).is_some())
    };
    if body.get("toolConfig").is_none_or(Value::is_null) && messages.iter().any(uses) {
        return refuse("The toolConfig field must be defined when using toolUse and toolResult content blocks.");
    }
    results(messages)
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::invalid(message, None, None))
}

/// A constraint of the API's model that a value does not keep.
fn violated<T>(value: &str, place: &str, constraint: &str) -> Result<T, Failure> {
    refuse(format!("1 validation error detected: {value} at '{place}' failed to satisfy constraint: {constraint}"))
}

fn config(body: &Value) -> Result<(), Failure> {
    let number = |key: &str| body.get("inferenceConfig")?.get(key)?.as_f64();
    for (key, least, most) in [("temperature", 0.0, 1.0), ("topP", 0.0, 1.0), ("maxTokens", 1.0, f64::MAX)] {
        let Some(value) = number(key) else { continue };
        let place = format!("inferenceConfig.{key}");
        if value < least {
            let least = format!("Member must have value greater than or equal to {least}");
            return violated(&format!("Value '{value}'"), &place, &least);
        }
        if value > most {
            let most = format!("Member must have value less than or equal to {most}");
            return violated(&format!("Value '{value}'"), &place, &most);
        }
    }
    Ok(())
}

fn tools(body: &Value) -> Result<(), Failure> {
    let Some(config) = body.get("toolConfig").filter(|config| !config.is_null()) else { return Ok(()) };
    let tools = list(config, "tools");
    if tools.is_empty() {
        return violated("Value '[]'", "toolConfig.tools", "Member must have length greater than or equal to 1");
    }
    for (index, tool) in tools.iter().enumerate() {
        let Some(spec) = tool.get("toolSpec") else { continue };
        let place = format!("toolConfig.tools.{}.member.toolSpec", index + 1);
        let name = text(spec, "name");
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
            return violated(
                &format!("Value '{name}'"),
                &format!("{place}.name"),
                "Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+",
            );
        }
        if spec.get("description").is_some_and(|description| description == "") {
            let constraint = "Member must have length greater than or equal to 1";
            return violated("Value ''", &format!("{place}.description"), constraint);
        }
        if spec.pointer("/inputSchema/json/type").is_none_or(|kind| kind != "object") {
            return refuse(format!(
                "The value at toolConfig.tools.{index}.toolSpec.inputSchema.json.type must be one of the following: object."
            ));
        }
    }
    Ok(())
}

fn message(message: &Value, index: usize) -> Result<(), Failure> {
    let role = text(message, "role");
    if !matches!(role, "user" | "assistant") {
        return violated(
            &format!("Value '{role}'"),
            &format!("messages.{}.member.role", index + 1),
            "Member must satisfy enum value set: [user, assistant]",
        );
    }
    let blocks = list(message, "content");
    if blocks.is_empty() {
        return refuse(format!(
            "The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to the content field and try again."
        ));
    }
    for (at, block) in blocks.iter().enumerate() {
        let place = format!("messages.{index}.content.{at}");
        if BLOCKS.iter().filter(|kind| block.get(**kind).is_some()).count() != 1 {
            return refuse(format!(
                "The ContentBlock object at {place} must set one of the following keys: {}.",
                BLOCKS.join(", ")
            ));
        }
        if block.get("text").is_some_and(|said| said.as_str().is_none_or(|said| said.trim().is_empty())) {
            return refuse(format!(
                "The text field in the ContentBlock object at {place} is blank. Add text to the text field, and try again."
            ));
        }
        if let Some(image) = block.get("image") {
            let format = text(image, "format");
            if !["png", "jpeg", "gif", "webp"].contains(&format) {
                return violated(
                    &format!("Value '{format}'"),
                    &format!("messages.{}.member.content.{}.member.image.format", index + 1, at + 1),
                    "Member must satisfy enum value set: [png, jpeg, gif, webp]",
                );
            }
        }
    }
    Ok(())
}

fn conversation(messages: &[Value], model: &Model) -> Result<(), Failure> {
    if messages.first().is_none_or(|first| text(first, "role") != "user") {
        return refuse(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        );
    }
    let same = |pair: &[Value]| matches!(pair, [one, other] if text(one, "role") == text(other, "role"));
    if messages.windows(2).any(same) {
        return refuse(
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.",
        );
    }
    if model.no_prefill && messages.last().is_some_and(|last| text(last, "role") == "assistant") {
        return refuse(
            "A conversation must end with a user message. Try again with a conversation that ends with a user message.",
        );
    }
    Ok(())
}

/// Each tool use has its result in the next message, and each result its use in the one before.
fn results(messages: &[Value]) -> Result<(), Failure> {
    let ids = |message: &Value, kind: &str| -> Vec<String> {
        list(message, "content")
            .iter()
            .filter_map(|block| block.get(kind))
            .map(|block| text(block, "toolUseId").to_owned())
            .collect()
    };
    let mut open: Vec<String> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let found = ids(message, "toolResult");
        if found.len() > open.len() {
            return refuse(format!(
                "The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse blocks of previous turn."
            ));
        }
        open.retain(|id| !found.contains(id));
        if !open.is_empty() {
            return refuse(format!(
                "Expected toolResult blocks at messages.{index}.content for the following Ids: {}",
                open.join(", ")
            ));
        }
        open = ids(message, "toolUse");
    }
    Ok(())
}
