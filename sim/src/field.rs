//! Fields of JSON as every dialect reads them: one that is missing, or has another type, is empty.

use serde_json::Value;

/// A string field.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A list field.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The strings of a list field.
pub(crate) fn strings(value: &Value, key: &str) -> Vec<String> {
    list(value, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A number field that is not negative.
pub(crate) fn number(value: &Value, key: &str) -> Option<u32> {
    value.get(key)?.as_u64().map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}
