//! Cohere's embeddings, which Bedrock serves too.
//!
//! <https://docs.cohere.com/reference/embed>

use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::codec::json::Raw;
use weir_hub::codec::json::write::{object, string};
use weir_hub::embed::{Embed, Vectors};
use weir_hub::usage::Usage;

use crate::provider::To;

/// The most texts that one request may have.
pub(in crate::provider) const MOST_TEXTS: usize = 96;

/// The request for `embed`; `model` is named in it unless its address does.
///
/// What the texts are for must be said (`input_type`), and OpenAI has no word for it: callers who care give Cohere's; for
/// all others they are texts to be found later, `search_document`.
pub(in crate::provider) fn write(embed: &Embed<'_>, model: Option<&str>, to: &mut To<'_>) -> Vec<u8> {
    // Vectors of the models before have one length.
    let takes_dimensions = !["-v2", "-v3", "-light-"].iter().any(|old| to.model.contains(old));
    if embed.dimensions.is_some() && !takes_dimensions {
        to.unsupported("dimensions");
    }
    to.rest(&embed.extra, &["input_type", "truncate", "max_tokens", "priority"]);
    let input_type = embed.task.as_deref().and_then(input_type);
    if embed.task.is_some() && input_type.is_none() {
        to.hint("taskType");
    }
    if embed.title.is_some() {
        to.hint("title");
    }
    let own = |name: &str| embed.extra.iter().find(|(given, _)| given == name).map(|(_, value)| *value);
    let mut out = Vec::with_capacity(256);
    object(&mut out, |body| {
        if let Some(model) = model {
            body.string("model", model);
        }
        body.array("texts", &embed.inputs, |out, text| string(out, text));
        match own("input_type") {
            Some(own) => body.raw("input_type", own.text()),
            None => body.string("input_type", input_type.unwrap_or("search_document")),
        }
        body.raw("embedding_types", "[\"float\"]");
        if let Some(dimensions) = embed.dimensions.filter(|_| takes_dimensions) {
            body.number("output_dimension", dimensions);
        }
        for name in ["truncate", "max_tokens", "priority"] {
            if let Some(value) = own(name) {
                body.raw(name, value.text());
            }
        }
    });
    out
}

/// Gemini's words for what texts are for, in Cohere's.
///
/// <https://ai.google.dev/gemini-api/docs/embeddings#supported-task-types>
fn input_type(task: &str) -> Option<&'static str> {
    match task {
        "RETRIEVAL_DOCUMENT" => Some("search_document"),
        "RETRIEVAL_QUERY" | "QUESTION_ANSWERING" | "FACT_VERIFICATION" | "CODE_RETRIEVAL_QUERY" => Some("search_query"),
        "CLASSIFICATION" => Some("classification"),
        "CLUSTERING" => Some("clustering"),
        _ => None,
    }
}

/// The vectors of an answer; `None` if it holds none.
pub(in crate::provider) fn read(answer: Raw<'_>) -> Option<Vectors<'_>> {
    let embeddings = answer.get("embeddings")?;
    // By type, as was asked for; older models know but one.
    let floats = embeddings.get("float").unwrap_or(embeddings);
    let vectors: Vec<_> = floats.items().collect();
    if vectors.is_empty() {
        return None;
    }
    let counted = answer.get("meta").and_then(|meta| {
        let count = |of: &str| meta.get(of)?.get("input_tokens")?.integer();
        count("tokens").or_else(|| count("billed_units"))
    });
    // Bedrock counts in a header; what is not said is guessed at four bytes a token.
    let texts = answer.get("texts").unwrap_or(Raw::NULL).items().map(|text| text.text().len() as u64);
    let input = counted.unwrap_or_else(|| texts.map(|bytes| bytes.div_ceil(4)).sum());
    let usage = Usage { input, estimated: counted.is_none(), ..Usage::default() };
    Some(Vectors { model: String::new(), vectors, usage })
}
