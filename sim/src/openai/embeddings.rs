//! `POST /v1/embeddings`. Texts that share words get vectors that are close, so that what compares them can be tested.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde_json::Value;

use crate::{
    answer::{Usage, tokens},
    dialect::{Call, Failure, quote},
    model::Model,
    reply::Decision,
    said,
};

/// More inputs than this in one request are refused.
const MOST_INPUTS: usize = 2048;

/// Answers an embeddings request.
pub(crate) fn embeddings(call: &Call<'_>) -> Decision {
    said::plain(call, write)
}

fn write(body: &Value, model: &Model) -> Result<(Bytes, Usage), Failure> {
    let inputs = inputs(body)?;
    let dimensions = dimensions(body, &model.name)?;
    let mut used = 0;
    let mut data = Vec::with_capacity(inputs.len());
    for (index, input) in inputs.iter().enumerate() {
        used += input.tokens;
        let written = written(&vector(&input.text, dimensions), body);
        data.push(format!(r#"{{"object":"embedding","index":{index},"embedding":{written}}}"#));
    }
    let used = model.input(used);
    let usage = model.told(format!(r#","usage":{{"prompt_tokens":{used},"total_tokens":{used}}}"#));
    let (data, name) = (data.join(","), quote(&model.name));
    let body = format!(r#"{{"object":"list","data":[{data}],"model":{name}{usage}}}"#);
    Ok((Bytes::from(body), Usage::read(used)))
}

/// A vector as the request wants it: its numbers, or their bytes in base64.
pub(crate) fn written(vector: &[f32], body: &Value) -> String {
    if body.get("encoding_format").and_then(Value::as_str) == Some("base64") {
        let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
        quote(&BASE64_STANDARD.encode(bytes))
    } else {
        serde_json::to_string(vector).unwrap_or_default()
    }
}

struct Input {
    text: String,
    tokens: u32,
}

/// Texts, or token ids in place of a text.
fn inputs(body: &Value) -> Result<Vec<Input>, Failure> {
    let invalid = |message: &str| Failure::invalid(message, Some("input"), None);
    let of_text = |text: &str| Input { text: text.to_owned(), tokens: tokens(text).max(1) };
    let of_ids = |ids: &[Value]| Input {
        text: ids.iter().map(Value::to_string).collect::<Vec<_>>().join(" "),
        tokens: u32::try_from(ids.len()).unwrap_or(u32::MAX),
    };
    let inputs = match body.get("input") {
        Some(Value::String(text)) => vec![of_text(text)],
        Some(Value::Array(ids)) if ids.first().is_some_and(Value::is_u64) => vec![of_ids(ids)],
        Some(Value::Array(many)) => many
            .iter()
            .map(|one| match one {
                Value::String(text) => Ok(of_text(text)),
                Value::Array(ids) => Ok(of_ids(ids)),
                _ => Err(invalid("'$.input' is invalid. Please check the API reference.")),
            })
            .collect::<Result<_, _>>()?,
        _ => return Err(invalid("Missing required parameter: 'input'.")),
    };
    if inputs.is_empty() || inputs.iter().any(|input| input.text.is_empty()) {
        return Err(invalid("'$.input' is invalid: it must not be empty."));
    }
    if inputs.len() > MOST_INPUTS {
        return Err(invalid("'$.input' is invalid: an array may have at most 2048 entries."));
    }
    Ok(inputs)
}

fn dimensions(body: &Value, model: &str) -> Result<usize, Failure> {
    let whole = if model.contains("large") { 3072 } else { 1536 };
    let Some(wanted) = body.get("dimensions").filter(|wanted| !wanted.is_null()) else { return Ok(whole) };
    match wanted.as_u64().and_then(|wanted| usize::try_from(wanted).ok()) {
        Some(wanted) if (1..=whole).contains(&wanted) => Ok(wanted),
        _ => Err(Failure::invalid(
            format!("Invalid value for 'dimensions' = {wanted}. Must be between 1 and {whole} for this model."),
            Some("dimensions"),
            None,
        )),
    }
}

/// The sum of one pseudo-random direction for each word, at length one.
pub(crate) fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut sum = vec![0.0_f32; dimensions];
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    // Text without any word still has a direction.
    for word in words.chain(std::iter::once("")) {
        let weight = if word.is_empty() { 0.01 } else { 1.0 };
        let mut seed = hash(word);
        for value in &mut sum {
            *value += weight * next(&mut seed);
        }
    }
    let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        for value in &mut sum {
            *value /= length;
        }
    }
    sum
}

/// FNV-1a: the same on every machine.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The next of a sequence (SplitMix64), between −1 and 1.
fn next(seed: &mut u64) -> f32 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    // The top 16 bits, which a float holds exactly.
    let top = u16::try_from((mixed ^ (mixed >> 31)) >> 48).unwrap_or_default();
    f32::from(top) / 32768.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        vector(a, 512).iter().zip(vector(b, 512)).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn vectors_have_length_one_and_texts_with_shared_words_are_close() {
        assert!((cosine("a cat on a mat", "a cat on a mat") - 1.0).abs() < 1e-4);
        assert!(cosine("the cat sat on the mat", "the cat sat on a mat") > 0.8);
        assert!(cosine("the cat sat on the mat", "interest rates rise again") < 0.3);
        assert!((cosine("…", "…") - 1.0).abs() < 1e-4);
    }

    #[test]
    fn the_two_encodings_say_the_same() {
        let read = |encoding: &str| -> Value {
            let body = serde_json::json!({"model": "m", "input": ["one", [1, 2]], "dimensions": 4, "encoding_format": encoding});
            serde_json::from_slice(&write(&body, &Model::read("m")).unwrap().0).unwrap()
        };
        let (floats, base64) = (read("float"), read("base64"));
        let bytes = BASE64_STANDARD.decode(base64["data"][1]["embedding"].as_str().unwrap()).unwrap();
        let first = f32::from_le_bytes(bytes[..4].try_into().unwrap());
        assert_eq!(floats["data"][1]["embedding"][0].to_string(), first.to_string());
        assert_eq!(floats["usage"]["prompt_tokens"], 3);
    }

    #[test]
    fn an_empty_input_is_refused() {
        for input in [serde_json::json!([]), serde_json::json!(""), Value::Null, serde_json::json!([true])] {
            assert!(write(&serde_json::json!({"input": input}), &Model::read("m")).is_err(), "{input}");
        }
    }
}
