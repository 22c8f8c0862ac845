//! `POST /v1/moderations`. What is flagged follows from single words, so that a test can tell it beforehand.
//!
//! <https://platform.openai.com/docs/api-reference/moderations>

use bytes::Bytes;
use serde_json::Value;

use super::check::{missing, mistyped, not_among};
use crate::{
    chat,
    dialect::{Call, Failure, quote},
    field::text,
    model::Model,
    reply::Decision,
    said::{self, Said},
};

/// The model that answers where none is named.
const USUAL: &str = "omni-moderation-latest";

/// Answers a moderations request.
pub(crate) fn moderations(call: &Call<'_>) -> Decision {
    let read = |call: &Call<'_>| chat::read_or(call, Some(USUAL));
    said::say(call, read, |body, model| {
        let body = write(body, model, &call.id)?;
        Ok((Said::Whole { kind: "application/json", body, pieces: 0 }, None))
    })
}

/// What can be wrong, whether it can be seen in a picture, and the words that say so.
const CATEGORIES: [(&str, Sees, &[&str]); 13] = [
    ("harassment", Sees::Text, &["idiot", "loser", "stupid"]),
    ("harassment/threatening", Sees::Text, &["threaten"]),
    ("sexual", Sees::Both, &["nude", "porn"]),
    ("hate", Sees::Text, &["hate", "subhuman"]),
    ("hate/threatening", Sees::Text, &["exterminate"]),
    ("illicit", Sees::Text, &["counterfeit", "shoplift"]),
    ("illicit/violent", Sees::Text, &["bomb"]),
    ("self-harm/intent", Sees::Both, &["suicidal"]),
    ("self-harm/instructions", Sees::Both, &["overdose"]),
    ("self-harm", Sees::Both, &["suicidal", "suicide", "overdose"]),
    ("sexual/minors", Sees::Text, &[]),
    ("violence", Sees::Both, &["kill", "murder", "bomb", "threaten", "exterminate"]),
    ("violence/graphic", Sees::Both, &["gore", "dismember"]),
];

/// What a category is looked for in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sees {
    Text,
    Both,
}

/// One thing to be judged: a text, or texts and pictures together.
#[derive(Default)]
struct Input {
    words: Vec<String>,
    text: bool,
    image: bool,
}

impl Input {
    fn of_text(said: &str) -> Self {
        let mut input = Self { text: true, ..Self::default() };
        input.read(said);
        input
    }

    fn read(&mut self, said: &str) {
        let lower = said.to_lowercase();
        self.words.extend(lower.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
    }
}

fn write(body: &Value, model: &Model, id: &str) -> Result<Bytes, Failure> {
    let inputs = inputs(body)?;
    let results: Vec<String> = inputs.iter().map(|input| judged(input, model)).collect();
    let name = quote(&model.name);
    Ok(Bytes::from(format!(r#"{{"id":"modr-{id}","model":{name},"results":[{}]}}"#, results.join(","))))
}

/// Each text by itself, but parts together.
fn inputs(body: &Value) -> Result<Vec<Input>, Failure> {
    let many = match body.get("input") {
        None | Some(Value::Null) => return Err(missing("input")),
        Some(Value::String(text)) => return Ok(vec![Input::of_text(text)]),
        Some(Value::Array(many)) if !many.is_empty() => many,
        Some(Value::Array(_)) => {
            let message = "Invalid 'input': empty array. Expected an array with minimum length 1.";
            return Err(Failure::invalid(message, Some("input"), Some("empty_array")));
        }
        Some(other) => {
            return Err(mistyped("input", "one of a string, an array of strings or an array of objects", other));
        }
    };
    if many.iter().all(Value::is_string) {
        return Ok(many.iter().filter_map(Value::as_str).map(Input::of_text).collect());
    }
    let mut together = Input::default();
    for (at, part) in many.iter().enumerate() {
        match text(part, "type") {
            "text" => {
                together.text = true;
                together.read(text(part, "text"));
            }
            "image_url" => {
                let url = part.pointer("/image_url/url").and_then(Value::as_str);
                together.image = true;
                together.read(url.ok_or_else(|| missing(&format!("input[{at}].image_url.url")))?);
            }
            kind => return Err(not_among(&format!("input[{at}].type"), kind, &["text", "image_url"])),
        }
    }
    Ok(vec![together])
}

fn judged(input: &Input, model: &Model) -> String {
    // The older models know fewer categories, and do not say what they looked at.
    let omni = !model.base.starts_with("text-moderation");
    let (mut flags, mut scores, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    let mut flagged = false;
    for (category, sees, words) in CATEGORIES.iter().filter(|(category, ..)| omni || !category.starts_with("illicit")) {
        let applied: Vec<&str> = [("text", input.text), ("image", input.image && *sees == Sees::Both)]
            .iter()
            .filter_map(|(kind, there)| there.then_some(*kind))
            .collect();
        let found = !applied.is_empty() && words.iter().any(|word| input.words.iter().any(|said| said == word));
        flagged |= found;
        flags.push(format!(r#""{category}":{found}"#));
        // A score of nothing is what a category has that was not looked for.
        let score = match (found, applied.is_empty()) {
            (true, _) => "0.9731502532958984",
            (false, false) => "0.000048092844175",
            (false, true) => "0",
        };
        scores.push(format!(r#""{category}":{score}"#));
        let applied: Vec<String> = applied.iter().map(|kind| quote(kind)).collect();
        seen.push(format!(r#""{category}":[{}]"#, applied.join(",")));
    }
    let seen = if omni { format!(r#","category_applied_input_types":{{{}}}"#, seen.join(",")) } else { String::new() };
    format!(
        r#"{{"flagged":{flagged},"categories":{{{}}},"category_scores":{{{}}}{seen}}}"#,
        flags.join(","),
        scores.join(",")
    )
}
