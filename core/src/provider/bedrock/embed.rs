//! Embeddings. Amazon's and Cohere's models each have their own format.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html>

use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::codec::json::Raw;
use weir_hub::codec::json::write::object;
use weir_hub::embed::{Embed, Vectors};
use weir_hub::fault::Reject;
use weir_hub::usage::Usage;

use crate::provider::{To, cohere};

/// The request for `embed`; its path names the model.
pub(super) fn write(embed: &Embed<'_>, to: &mut To<'_>) -> Result<Vec<u8>, Reject> {
    if to.model.contains("cohere.embed") {
        return Ok(cohere::write_embeddings(embed, None, to));
    }
    if !to.model.contains("amazon.titan-embed-") {
        return Err(to.wrong_endpoint());
    }
    let [input] = &embed.inputs[..] else {
        return Err(to.invalid("input", "it must be a single text for this model"));
    };
    // The first generation has vectors of only one length.
    if embed.dimensions.is_some() && !to.model.contains("titan-embed-text-v2") {
        to.unsupported("dimensions");
    }
    to.rest(&embed.extra, &["normalize"]);
    to.purpose(embed);
    let mut out = Vec::with_capacity(64 + input.len());
    object(&mut out, |body| {
        body.string("inputText", input);
        if let Some(dimensions) = embed.dimensions.filter(|_| to.model.contains("titan-embed-text-v2")) {
            body.number("dimensions", dimensions);
        }
        if let Some((_, normalize)) = embed.extra.iter().find(|(name, _)| name == "normalize") {
            body.raw("normalize", normalize.text());
        }
    });
    Ok(out)
}

/// The most texts in one request.
pub(super) fn most_texts(model: &str) -> usize {
    if model.contains("cohere.embed") { cohere::MOST_TEXTS } else { 1 }
}

/// The vectors of an answer; `None` if it has none.
pub(super) fn read(answer: Raw<'_>) -> Option<Vectors<'_>> {
    let Some(vector) = answer.get("embedding") else { return cohere::read_embeddings(answer) };
    let counted = answer.get("inputTextTokenCount").and_then(Raw::integer);
    let usage = Usage { input: counted.unwrap_or(0), estimated: counted.is_none(), ..Usage::default() };
    Some(Vectors { model: String::new(), vectors: Vec::from([vector]), usage })
}
