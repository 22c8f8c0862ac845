//! A conversation in each caller's dialect, of a given size.

use serde_json::{Value, json};
use weir_hub::endpoint::Endpoint;

use crate::Outcome;

/// What is said in each turn: with what JSON escapes, and letters of more than one byte.
const WORDS: &str = "Once \"upon\" a time there was a café by the river.\nIts owner, Zoë, kept a weir, and measured the water \
                     that went over it day by day, year by year, in a book bound in blue cloth. ";

/// A streamed request whose body has about `size` bytes.
pub(crate) fn write(endpoint: Endpoint, size: usize) -> Outcome<Vec<u8>> {
    // An odd number of turns: the last is the user's.
    let turns = (size / 256) | 1;
    let words: String = WORDS.chars().cycle().take(size * 7 / 8 / turns).collect();
    let words = words.as_str();
    let mut body = match endpoint {
        Endpoint::Chat => json!({"messages": talk(turns, words, "assistant", text)}),
        Endpoint::Responses => json!({"input": talk(turns, words, "assistant", text), "store": false}),
        Endpoint::Messages => json!({"messages": talk(turns, words, "assistant", text), "max_tokens": 1000}),
        Endpoint::GenerateContent => {
            return Ok(json!({"contents": talk(turns, words, "model", part)}).to_string().into());
        }
        Endpoint::Completions => json!({"prompt": words.repeat(turns)}),
        other => return Err(format!("write here what a request for {} looks like", other.name())),
    };
    body["model"] = "asked".into();
    body["stream"] = true.into();
    Ok(body.to_string().into_bytes())
}

/// User and model in turn.
fn talk(turns: usize, words: &str, model: &str, said: fn(&str, &str) -> Value) -> Vec<Value> {
    let who = ["user", model].into_iter().cycle();
    who.take(turns).map(|who| said(who, words)).collect()
}

fn text(role: &str, words: &str) -> Value {
    json!({"role": role, "content": words})
}

fn part(role: &str, words: &str) -> Value {
    json!({"role": role, "parts": [{"text": words}]})
}
