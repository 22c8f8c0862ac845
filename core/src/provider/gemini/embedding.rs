//! Embeddings: one request for each text, all in one batch.
//!
//! <https://ai.google.dev/api/embeddings>

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::codec::json::Raw;
use weir_hub::codec::json::write::{array, object};
use weir_hub::embed::{Embed, Vectors};
use weir_hub::usage::Usage;

use crate::provider::To;

pub(super) fn write(embed: &Embed<'_>, to: &mut To<'_>) -> Vec<u8> {
    to.rest(&embed.extra, &[]);
    let model = format!("models/{}", to.model);
    let mut out = Vec::with_capacity(256);
    object(&mut out, |body| {
        body.array("requests", &embed.inputs, |out, text| {
            object(out, |request| {
                request.string("model", &model);
                request.object("content", |content| {
                    array(content.member("parts"), [text], |out, text| object(out, |part| part.string("text", text)));
                });
                if let Some(dimensions) = embed.dimensions {
                    request.number("outputDimensionality", dimensions);
                }
            });
        });
    });
    out
}

/// Reads the vectors of several texts.
pub(in crate::provider) fn read(answer: Raw<'_>) -> Option<Vectors<'_>> {
    let vectors: Option<Vec<_>> = answer.get("embeddings")?.items().map(|embedding| embedding.get("values")).collect();
    Some(Vectors { model: String::new(), vectors: vectors?, usage: usage(answer) })
}

/// The tokens that were read, according to the answer.
pub(super) fn usage(answer: Raw<'_>) -> Usage {
    // Some models do not count them.
    let said = answer.get("usageMetadata").and_then(|usage| usage.get("promptTokenCount")?.integer());
    Usage { input: said.unwrap_or(0), estimated: said.is_none(), ..Usage::default() }
}
