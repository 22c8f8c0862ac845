//! What can be asked for, in the words of each dialect: a list for each, and what they have in common.

#![allow(clippy::too_many_lines, clippy::needless_pass_by_value, reason = "lists of what can be asked")]

pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod generate_content;
pub(crate) mod messages;
pub(crate) mod responses;

use serde_json::{Value, json};
use weir_hub::endpoint::Endpoint;

use crate::Feature;

/// These features of an endpoint: the field, what is said, and its marks.
pub(crate) fn of(
    endpoint: Endpoint,
    features: impl IntoIterator<Item = (&'static str, Value, &'static [&'static str])>,
) -> Vec<Feature> {
    features.into_iter().map(|(field, said, marks)| Feature { endpoint, said, marks, field }).collect()
}

/// A message of a person, with this beside its text.
pub(crate) fn said(part: Value) -> Value {
    json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}, part]}]})
}

pub(crate) fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "description": "describedZ", "parameters": {"type": "object",
        "properties": {"propertyZ": {"type": "string"}}, "additionalProperties": false, "required": ["propertyZ"]}}})
}
