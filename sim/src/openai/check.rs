//! What OpenAI says about a parameter that is not as it should be: the same words on every endpoint.
//!
//! <https://platform.openai.com/docs/guides/error-codes>; the words are those that callers report.

use serde_json::Value;

use crate::dialect::Failure;

/// `param` is not there.
pub(super) fn missing(param: &str) -> Failure {
    Failure::invalid(format!("Missing required parameter: '{param}'."), Some(param), Some("missing_required_parameter"))
}

/// No parameter is called `param`.
pub(super) fn unknown(param: &str) -> Failure {
    Failure::invalid(format!("Unknown parameter: '{param}'."), Some(param), Some("unknown_parameter"))
}

/// The model does without `param`.
pub(super) fn unsupported(param: &str) -> Failure {
    let message = format!("Unsupported parameter: '{param}' is not supported with this model.");
    Failure::invalid(message, Some(param), Some("unsupported_parameter"))
}

/// `param` is of another type than `expected` (with its article).
pub(super) fn mistyped(param: &str, expected: &str, got: &Value) -> Failure {
    let got = match got {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    let message = format!("Invalid type for '{param}': expected {expected}, but got {got} instead.");
    Failure::invalid(message, Some(param), Some("invalid_type"))
}

/// `param` has a value that is not in the list.
pub(super) fn not_among(param: &str, value: &str, supported: &[&str]) -> Failure {
    let quoted: Vec<String> = supported.iter().map(|name| format!("'{name}'")).collect();
    let listed = match quoted.split_last() {
        Some((last, rest)) if rest.len() > 1 => format!("{}, and {last}", rest.join(", ")),
        _ => quoted.join(" and "),
    };
    let message = format!("Invalid value: '{value}'. Supported values are: {listed}.");
    Failure::invalid(message, Some(param), Some("invalid_value"))
}

/// A field that is there and not null.
pub(super) fn given<'a>(body: &'a Value, key: &str) -> Option<&'a Value> {
    body.get(key).filter(|value| !value.is_null())
}

/// A string that must be there and say something.
pub(super) fn required<'a>(body: &'a Value, key: &str) -> Result<&'a str, Failure> {
    match given(body, key) {
        None => Err(missing(key)),
        Some(Value::String(text)) if text.is_empty() => {
            let message = format!("Invalid '{key}': empty string. Expected a string with minimum length 1.");
            Err(Failure::invalid(message, Some(key), Some("empty_string")))
        }
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(mistyped(key, "a string", other)),
    }
}

/// A whole number between `least` and `most`, where there is one. `param` is its name in full.
pub(super) fn integer(body: &Value, key: &str, param: &str, least: u64, most: u64) -> Result<Option<u32>, Failure> {
    let Some(value) = given(body, key) else { return Ok(None) };
    if !(value.is_u64() || value.is_i64()) {
        return Err(mistyped(param, "an integer", value));
    }
    let (side, code, bound) = match value.as_u64() {
        Some(number) if number > most => ("above maximum", "integer_above_max_value", format!("<= {most}")),
        Some(number) if number >= least => return Ok(Some(u32::try_from(number).unwrap_or(u32::MAX))),
        _ => ("below minimum", "integer_below_min_value", format!(">= {least}")),
    };
    let message =
        format!("Invalid '{param}': integer {side} value. Expected a value {bound}, but got {value} instead.");
    Err(Failure::invalid(message, Some(param), Some(code)))
}

/// One of the `supported` words, where there is one. `param` is its name in full.
pub(super) fn word<'a>(
    body: &'a Value,
    key: &str,
    param: &str,
    supported: &[&str],
) -> Result<Option<&'a str>, Failure> {
    match given(body, key) {
        None => Ok(None),
        Some(Value::String(word)) if supported.contains(&word.as_str()) => Ok(Some(word)),
        Some(Value::String(word)) => Err(not_among(param, word, supported)),
        Some(other) => Err(mistyped(param, "a string", other)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check<T: std::fmt::Debug>(found: Result<T, Failure>, expect: &str) {
        let Err(Failure::Invalid { message, .. }) = found else { panic!("{found:?} is no refusal") };
        assert_eq!(message, expect);
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        let body = json!({"n": 11, "low": -1, "text": "5", "size": "tiny", "none": null});
        check(
            integer(&body, "n", "n", 1, 10),
            "Invalid 'n': integer above maximum value. Expected a value <= 10, but got 11 instead.",
        );
        check(
            integer(&body, "low", "a.low", 1, 10),
            "Invalid 'a.low': integer below minimum value. Expected a value >= 1, but got -1 instead.",
        );
        check(
            integer(&body, "text", "text", 1, 10),
            "Invalid type for 'text': expected an integer, but got a string instead.",
        );
        check(
            word(&body, "size", "size", &["small", "large"]),
            "Invalid value: 'tiny'. Supported values are: 'small' and 'large'.",
        );
        check(required(&body, "none"), "Missing required parameter: 'none'.");
        assert_eq!(integer(&body, "none", "none", 1, 10), Ok(None));
    }
}
