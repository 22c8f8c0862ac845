//! A single value as it is written, read as the schema expects it.

use serde_json::{Value, json};
use weir_core::config::did_you_mean;

use super::expected::{Shape, Sign};
use crate::load::tree::Style;

/// What is wrong with a value, and what to do about it.
pub(super) type Wrong = (String, Option<String>);

/// Reads `text` as `shape`.
pub(super) fn read(text: &str, style: Style, shape: &Shape<'_>) -> Result<Value, Wrong> {
    let found = if style == Style::Quoted { Plain::Text } else { Plain::of(text) };
    let wrong = |hint| Err((format!("expected {}, found {}", shape.words(), found.words(text)), hint));
    match (shape, found) {
        // As it is written: whoever reads a duration or an address knows better what is wrong with a number.
        (Shape::Text | Shape::Size, Plain::Text | Plain::Number) => Ok(json!(text)),
        (Shape::Text, Plain::Null) => wrong(None),
        (Shape::Text, _) => wrong(Some(format!("write it in quotes: \"{text}\""))),
        (Shape::Truth, Plain::Truth(truth)) => Ok(json!(truth)),
        (Shape::Number(range), Plain::Number) => range.read(text).map_or_else(|| wrong(Some(range.words())), Ok),
        (Shape::Decimal(sign), Plain::Text | Plain::Number) => match decimal(text, *sign) {
            Ok(()) => Ok(json!(text)),
            Err(hint) => wrong(Some(hint.to_owned())),
        },
        (Shape::OneOf(names), Plain::Text) if names.contains(&text) => Ok(json!(text)),
        (Shape::OneOf(names), Plain::Text) => wrong(did_you_mean(text, names.iter().copied())),
        _ => wrong(shape.hint()),
    }
}

/// Whether `text` is a decimal that everybody reads in the same way.
fn decimal(text: &str, sign: Sign) -> Result<(), &'static str> {
    let below_zero = text.strip_prefix('-');
    let (whole, fraction) = match below_zero.unwrap_or(text).split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (below_zero.unwrap_or(text), None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !fraction.is_none_or(digits) {
        return Err("write digits, and a point between digits if you need one");
    }
    if below_zero.is_some() && sign == Sign::Positive {
        return Err("from 0 up");
    }
    Ok(())
}

/// What YAML's core schema makes of a plain scalar.
#[derive(Clone, Copy)]
enum Plain {
    Null,
    Truth(bool),
    Number,
    Text,
}

impl Plain {
    fn of(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "true" | "True" | "TRUE" => Self::Truth(true),
            "false" | "False" | "FALSE" => Self::Truth(false),
            _ if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) && text.parse::<f64>().is_ok() => {
                Self::Number
            }
            _ => Self::Text,
        }
    }

    fn words(self, text: &str) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Truth(_) => text.to_owned(),
            Self::Number => format!("the number {text}"),
            Self::Text => format!("\"{}\"", shown(text)),
        }
    }
}

/// Text in a message is cut: what was written in the wrong place may be long, or a key.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(12).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
