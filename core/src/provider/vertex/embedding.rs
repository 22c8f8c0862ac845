//! Embeddings: one prediction for each text; for the newest models, contents as at Google AI.
//!
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api>,
//! <https://github.com/googleapis/python-genai/blob/main/google/genai/models.py>, `embed_content`

use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::codec::json::Raw;
use weir_hub::codec::json::write::object;
use weir_hub::embed::{Embed, Vectors};
use weir_hub::usage::Usage;

use crate::provider::{To, gemini};

/// The most texts in one request.
pub(super) fn most_texts(model: &str) -> usize {
    match model {
        _ if embeds_contents(model) => 100,
        _ if model.starts_with("gemini-embedding") => 1,
        _ => 250,
    }
}

/// Whether a model embeds contents; the others make predictions.
fn embeds_contents(model: &str) -> bool {
    model.starts_with("gemini-embedding") && !model.starts_with("gemini-embedding-001")
}

/// The operation on the model.
pub(super) fn verb(embed: &Embed<'_>, model: &str) -> &'static str {
    match embed.inputs.len() {
        _ if !embeds_contents(model) => "predict",
        1 => "embedContent",
        _ => "batchEmbedContents",
    }
}

pub(super) fn write(embed: &Embed<'_>, to: &mut To<'_>) -> Vec<u8> {
    to.rest(&embed.extra, &[]);
    if embeds_contents(to.model) {
        return contents(embed);
    }
    let mut out = Vec::with_capacity(256);
    object(&mut out, |body| {
        body.array("instances", &embed.inputs, |out, text| {
            object(out, |instance| {
                instance.string("content", text);
                for (name, given) in [("task_type", &embed.task), ("title", &embed.title)] {
                    if let Some(given) = given {
                        instance.string(name, given);
                    }
                }
            });
        });
        body.object("parameters", |parameters| {
            // Otherwise a text that is too long would lose its end silently.
            parameters.raw("autoTruncate", "false");
            if let Some(dimensions) = embed.dimensions {
                parameters.number("outputDimensionality", dimensions);
            }
        });
    });
    out
}

fn contents(embed: &Embed<'_>) -> Vec<u8> {
    let request = |out: &mut Vec<u8>, text: &str| {
        object(out, |request| {
            request.object("content", |content| {
                content.array("parts", [text], |out, text| object(out, |part| part.string("text", text)));
            });
            request.object("embedContentConfig", |config| {
                config.raw("autoTruncate", "false");
                if let Some(dimensions) = embed.dimensions {
                    config.number("outputDimensionality", dimensions);
                }
                for (name, given) in [("taskType", &embed.task), ("title", &embed.title)] {
                    if let Some(given) = given {
                        config.string(name, given);
                    }
                }
            });
        });
    };
    let mut out = Vec::with_capacity(256);
    match &embed.inputs[..] {
        [text] => request(&mut out, text),
        texts => object(&mut out, |body| body.array("requests", texts, |out, text| request(out, text))),
    }
    out
}

pub(super) fn read(answer: Raw<'_>) -> Option<Vectors<'_>> {
    if let Some(embedding) = answer.get("embedding") {
        let count = answer.get("usageMetadata").and_then(|usage| usage.get("promptTokenCount")?.integer());
        let usage = Usage { input: count.unwrap_or(0), estimated: count.is_none(), ..Usage::default() };
        return Some(Vectors { model: String::new(), vectors: Vec::from([embedding.get("values")?]), usage });
    }
    if answer.get("embeddings").is_some() {
        return gemini::read_embeddings(answer);
    }
    let mut vectors = Vec::new();
    let mut usage = Usage::default();
    for prediction in answer.get("predictions")?.items() {
        let embedding = prediction.get("embeddings")?;
        vectors.push(embedding.get("values")?);
        let count = embedding.get("statistics").and_then(|statistics| statistics.get("token_count")?.number());
        match count {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole, though it may be written `7.0`"
            )]
            Some(count) => usage.input += count as u64,
            None => usage.estimated = true,
        }
    }
    Some(Vectors { model: String::new(), vectors, usage })
}
