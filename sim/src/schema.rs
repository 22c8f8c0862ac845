//! The smallest value that fits a JSON schema: what a model might have written.

use serde_json::{Map, Value, json};

/// A value that fits `schema`, as far as its keywords are the usual ones.
pub(crate) fn example(schema: &Value) -> Value {
    fit(schema, schema, 0)
}

/// Recursive schemas end here.
const DEEPEST: u32 = 16;

fn fit(schema: &Value, root: &Value, depth: u32) -> Value {
    if depth > DEEPEST {
        return Value::Null;
    }
    for fixed in ["const", "default"] {
        if let Some(value) = schema.get(fixed) {
            return value.clone();
        }
    }
    if let Some(first) = first_of(schema, "enum").or_else(|| first_of(schema, "examples")) {
        return first.clone();
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let pointer = target.trim_start_matches('#');
        return root.pointer(pointer).map_or(Value::Null, |target| fit(target, root, depth + 1));
    }
    if let Some(first) = first_of(schema, "anyOf").or_else(|| first_of(schema, "oneOf")) {
        return fit(first, root, depth + 1);
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        return all_of(parts, root, depth);
    }
    match kind(schema) {
        "object" => object(schema, root, depth),
        "array" => {
            let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(0, 64);
            let item = schema.get("items").map_or(Value::Null, |items| fit(items, root, depth + 1));
            (0..least).map(|_| item.clone()).collect()
        }
        "integer" => integer(least(schema, 1.0).ceil()),
        "number" => json!(least(schema, 1.5)),
        "boolean" => Value::Bool(true),
        "null" => Value::Null,
        _ => string(schema),
    }
}

fn first_of<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    schema.get(key)?.as_array()?.first()
}

fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => kinds.iter().find_map(Value::as_str).unwrap_or("string"),
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

/// Required properties; all of them where none is required.
fn object(schema: &Value, root: &Value, depth: u32) -> Value {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Value::Object(Map::new());
    };
    let required: Option<Vec<&str>> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .filter(|names: &Vec<_>| !names.is_empty());
    let wanted = |name: &str| required.as_ref().is_none_or(|names| names.contains(&name));
    properties
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, schema)| (name.clone(), fit(schema, root, depth + 1)))
        .collect::<Map<_, _>>()
        .into()
}

fn all_of(parts: &[Value], root: &Value, depth: u32) -> Value {
    let mut together = Map::new();
    let mut last = Value::Null;
    for part in parts {
        match fit(part, root, depth + 1) {
            Value::Object(fields) => together.extend(fields),
            other => last = other,
        }
    }
    if together.is_empty() { last } else { together.into() }
}

fn least(schema: &Value, usual: f64) -> f64 {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let least = bound("exclusiveMinimum").map(|bound| bound + 1.0).or_else(|| bound("minimum")).unwrap_or(usual);
    let most = bound("exclusiveMaximum").map(|bound| bound - 1.0).or_else(|| bound("maximum"));
    most.map_or(least, |most| least.min(most))
}

/// A whole number, written without a fraction.
fn integer(number: f64) -> Value {
    serde_json::from_str(&format!("{number:.0}")).unwrap_or_default()
}

fn string(schema: &Value) -> Value {
    let known = match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => "2026-01-02T03:04:05Z",
        Some("date") => "2026-01-02",
        Some("time") => "03:04:05Z",
        Some("email") => "someone@example.com",
        Some("uri") => "https://example.com/",
        Some("uuid") => "123e4567-e89b-42d3-a456-426614174000",
        Some("ipv4") => "192.0.2.1",
        _ => "example",
    };
    let length = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
    let mut text = known.to_owned();
    if let Some(least) = length("minLength") {
        text.extend(std::iter::repeat_n('e', least.min(4096).saturating_sub(text.len())));
    }
    if let Some(most) = length("maxLength") {
        text.truncate(most);
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &Value, expect: &Value) {
        assert_eq!(&example(schema), expect, "{schema}");
    }

    #[test]
    fn a_value_fits_its_schema() {
        check(&json!({"type": "string"}), &json!("example"));
        check(&json!({"type": "string", "maxLength": 3}), &json!("exa"));
        check(&json!({"type": ["integer", "null"], "minimum": 5}), &json!(5));
        check(&json!({"type": "integer", "maximum": 0}), &json!(0));
        check(&json!({"enum": ["celsius", "kelvin"]}), &json!("celsius"));
        check(&json!({"anyOf": [{"type": "null"}, {"type": "string"}]}), &json!(null));
        check(&json!({"type": "array", "items": {"type": "boolean"}, "minItems": 2}), &json!([true, true]));
        check(
            &json!({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}),
            &json!({"a": 1, "b": 2}),
        );
    }

    #[test]
    fn an_object_has_what_is_required() {
        let properties = json!({"city": {"type": "string"}, "days": {"type": "integer"}});
        check(&json!({"type": "object", "properties": properties, "required": ["city"]}), &json!({"city": "example"}));
        check(&json!({"type": "object", "properties": properties}), &json!({"city": "example", "days": 1}));
        check(&json!({"type": "object"}), &json!({}));
    }

    #[test]
    fn a_recursive_schema_ends() {
        let schema = json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}}});
        assert!(example(&schema).is_object());
    }
}
