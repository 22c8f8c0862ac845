//! Cohere's embeddings, which Bedrock also serves.
//!
//! <https://docs.cohere.com/reference/embed>

use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::codec::json::Raw;
use weir_hub::codec::json::write::{object, string};
use weir_hub::embed::{Embed, Vectors};
use weir_hub::usage::Usage;

use crate::provider::To;

/// The most texts in one request.
pub(in crate::provider) const MOST_TEXTS: usize = 96;

/// The request for `embed`. It names `model`, unless the path does.
///
/// This API requires the purpose of the texts (`input_type`), and OpenAI has no field for it. Callers who care can send
/// Cohere's field. For all others, the texts are to be found later: `search_document`.
pub(in crate::provider) fn write(embed: &Embed<'_>, model: Option<&str>, to: &mut To<'_>) -> Vec<u8> {
    // The vectors of earlier models have only one length.
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

/// Cohere's name for a purpose in Gemini's terms.
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

/// The vectors of an answer; `None` if it has none.
pub(in crate::provider) fn read(answer: Raw<'_>) -> Option<Vectors<'_>> {
    let embeddings = answer.get("embeddings")?;
    // Sorted by type, as requested; older models have only one type.
    let floats = embeddings.get("float").unwrap_or(embeddings);
    let vectors: Vec<_> = floats.items().collect();
    if vectors.is_empty() {
        return None;
    }
    let counted = answer.get("meta").and_then(|meta| {
        let count = |of: &str| meta.get(of)?.get("input_tokens")?.integer();
        count("tokens").or_else(|| count("billed_units"))
    });
    // Bedrock has the count in a header. Without a count, four bytes are guessed to be a token.
    let texts = answer.get("texts").unwrap_or(Raw::NULL).items().map(|text| text.text().len() as u64);
    let input = counted.unwrap_or_else(|| texts.map(|bytes| bytes.div_ceil(4)).sum());
    let usage = Usage { input, estimated: counted.is_none(), ..Usage::default() };
    Some(Vectors { model: String::new(), vectors, usage })
}
