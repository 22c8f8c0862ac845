//! Embeddings: one prediction for each text.
//!
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api>

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::json::Raw;
use crate::codec::json::write::object;
use crate::embed::{Embed, Vectors};
use crate::fault::Reject;
use crate::provider::To;
use crate::usage::Usage;

pub(super) fn write(embed: &Embed<'_>, to: &mut To<'_>) -> Result<Vec<u8>, Reject> {
    to.rest(&embed.extra, &[])?;
    if to.model.starts_with("gemini-embedding") && embed.inputs.len() > 1 {
        return Err(to.invalid("input", "this model reads one text at a time at this provider"));
    }
    let mut out = Vec::with_capacity(256);
    object(&mut out, |body| {
        body.array("instances", &embed.inputs, |out, text| object(out, |instance| instance.string("content", text)));
        body.object("parameters", |parameters| {
            // A text that is too long would lose its end in silence.
            parameters.raw("autoTruncate", "false");
            if let Some(dimensions) = embed.dimensions {
                parameters.number("outputDimensionality", dimensions);
            }
        });
    });
    Ok(out)
}

pub(super) fn read(answer: Raw<'_>) -> Option<Vectors<'_>> {
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
