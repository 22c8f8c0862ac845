//! Reads a chat request, and refuses what does not fit the schema.

use serde_json::Value;

use super::MISFIT;
use crate::{
    answer::{Ask, Cache, Delivery, Heard, UsageEvent, tokens},
    dialect::Failure,
    field::{list, number, strings, text},
    model::Model,
};

/// The fields a request may have; any other is refused by name.
const FIELDS: [&str; 10] = [
    "messages",
    "provider",
    "model",
    "temperature",
    "max_tokens",
    "top_p",
    "stop",
    "stream",
    "endpoint_id",
    "service_tier",
];

/// The most tokens of an answer whose request does not say.
const LIMIT: u32 = 1000;

pub(super) fn read(body: &Value, model: &Model, delivery: Delivery) -> Result<Ask, Failure> {
    check(body)?;
    let messages = list(body, "messages");
    let heard = messages.iter().rev().find(|message| text(message, "role") == "user");
    Ok(Ask {
        model: model.name.clone(),
        delivery,
        usage: UsageEvent::Wanted,
        heard: Heard::User(heard.map(|message| text(message, "content").to_owned()).unwrap_or_default()),
        images: 0,
        input_tokens: messages.iter().map(|message| 3 + tokens(text(message, "content"))).sum(),
        cache: Cache::default(),
        tools: Vec::new(),
        shape: None,
        limit: Some(number(body, "max_tokens").unwrap_or(LIMIT)),
        stop: strings(body, "stop"),
        choices: 1,
        thinking: false,
    })
}

fn check(body: &Value) -> Result<(), Failure> {
    if let Some(unknown) = body.as_object().and_then(|fields| fields.keys().find(|key| !FIELDS.contains(&key.as_str())))
    {
        return refuse(unknown, "Extra inputs are not permitted");
    }
    let messages = list(body, "messages");
    if messages.is_empty() {
        return refuse("messages", "There must be at least one message");
    }
    for (index, message) in messages.iter().enumerate() {
        if !["system", "user", "assistant"].contains(&text(message, "role")) {
            return refuse(&format!("messages.{index}.role"), "Input should be 'system', 'user' or 'assistant'");
        }
        if !message.get("content").is_some_and(Value::is_string) {
            return refuse(&format!("messages.{index}.content"), "Input should be a valid string");
        }
    }
    for (field, most) in [("temperature", 2.0), ("top_p", 1.0)] {
        let value = body.get(field).and_then(Value::as_f64);
        if value.is_some_and(|value| !(0.0..=most).contains(&value)) {
            return refuse(field, &format!("Input should be between 0 and {most}"));
        }
    }
    if body.get("stop").is_some_and(|stop| !stop.as_array().is_some_and(|all| all.iter().all(Value::is_string))) {
        return refuse("stop", "Input should be a valid list of strings");
    }
    if body.get("service_tier").is_some_and(|tier| tier != "default" && tier != "flex") {
        return refuse("service_tier", "Input should be 'default' or 'flex'");
    }
    Ok(())
}

fn refuse<T>(param: &str, message: &str) -> Result<T, Failure> {
    Err(Failure::invalid(message, Some(param), Some(MISFIT)))
}
