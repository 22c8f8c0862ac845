//! `POST /mistral/v1/moderations`. What is found follows from single words, so that a test can tell it beforehand.
//!
//! <https://docs.mistral.ai/api/endpoint/classifiers>

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::{
    answer::{Usage, tokens},
    dialect::{Call, Failure},
    reply::Decision,
    said,
};

/// What can be found, and the words that say so.
const CATEGORIES: [(&str, &[&str]); 9] = [
    ("sexual", &["nude", "porn"]),
    ("hate_and_discrimination", &["hate", "subhuman"]),
    ("violence_and_threats", &["kill", "murder", "threaten"]),
    ("dangerous_and_criminal_content", &["bomb", "counterfeit"]),
    ("selfharm", &["suicide", "overdose"]),
    ("health", &["diagnosis"]),
    ("financial", &["stocks"]),
    ("law", &["lawsuit"]),
    ("pii", &["password"]),
];

/// Answers a moderations request.
pub(crate) fn judge(call: &Call<'_>) -> Decision {
    said::plain(call, |body, model| {
        let wrong = |kind: &'static str, message: &str| Failure::invalid(message, Some("input"), Some(kind));
        let texts: Vec<&str> = match body.get("input") {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(texts)) if texts.iter().all(Value::is_string) => {
                texts.iter().filter_map(Value::as_str).collect()
            }
            Some(_) => return Err(wrong("union_tag_invalid", "Input should be a valid string")),
            None => return Err(wrong("missing", "Field required")),
        };
        let used: u32 = texts.iter().map(|text| tokens(text)).sum();
        let usage = json!({"prompt_tokens": used, "completion_tokens": 0, "total_tokens": used});
        let results: Vec<Value> = texts.into_iter().map(judged).collect();
        let answer = json!({"id": call.id, "model": model.name, "usage": usage, "results": results});
        Ok((Bytes::from(answer.to_string()), Usage::read(used)))
    })
}

fn judged(text: &str) -> Value {
    let lower = text.to_lowercase();
    let says = |words: &[&str]| lower.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word));
    let categories: Map<String, Value> =
        CATEGORIES.iter().map(|(name, words)| ((*name).into(), says(words).into())).collect();
    let scores: Map<String, Value> = categories
        .iter()
        .map(|(name, found)| (name.clone(), if *found == true { 0.9.into() } else { 0.01.into() }))
        .collect();
    json!({"categories": categories, "category_scores": scores})
}
