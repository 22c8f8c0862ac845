//! Rerank: callers use Cohere's own dialect, or Jina's, which is based on it. The answer is relayed.
//!
//! <https://docs.cohere.com/reference/rerank>,
//! <https://jina.ai/reranker/>

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::vec::Vec;

use weir_hub::buffer::malformed;
use weir_hub::call::Call;
use weir_hub::codec::json::write::{array, string};
use weir_hub::codec::json::{Edit, Kind, Raw, patch};
use weir_hub::fault::{Reject, UpstreamFault};
use weir_hub::piece::{Finish, Piece};
use weir_hub::reply::{Event, Flow, Pieces, Reader};
use weir_hub::usage::Usage;

use crate::provider::{Body, To};

/// Fields of Jina's API and of Cohere's first version that the second version does not have.
const GONE: [&str; 7] = [
    "max_chunks_per_doc",
    "max_doc_length",
    "max_query_length",
    "rank_fields",
    "return_documents",
    "return_embeddings",
    "truncation",
];

/// The caller's body, changed for the model.
pub(super) fn body(call: &Call<'_>, to: &mut To<'_>) -> Result<Body, Reject> {
    let missing = |field: &str| Reject::Missing { field: field.to_owned() };
    let given = |name| call.scan.raw(call.body, name).filter(|value| !value.is_null());
    let query = given("query").ok_or_else(|| missing("query"))?;
    if query.kind() != Kind::String {
        return Err(to.invalid("query", "it must be a string for this provider"));
    }
    let texts = texts(given("documents").ok_or_else(|| missing("documents"))?, to)?;
    let mut edits = Vec::new();
    let mut name = Vec::new();
    if call.scan.string(call.body, "model")?.as_deref() != Some(to.model) {
        string(&mut name, to.model);
        edits.push(("model", Edit::Set(&name)));
    }
    if let Some(texts) = &texts {
        edits.push(("documents", Edit::Set(texts)));
    }
    for field in GONE {
        if call.scan.get(call.body, field).is_some() {
            // False asks for the default.
            if given(field).is_some_and(|value| value.boolean() != Some(false)) {
                to.unsupported(field);
            }
            edits.push((field, Edit::Remove));
        }
    }
    Ok(if edits.is_empty() { Body::AsIs } else { Body::Replaced(patch(call.body, call.scan, &edits)) })
}

/// The documents as an array of strings; `None` if they already are.
fn texts(documents: Raw<'_>, to: &To<'_>) -> Result<Option<Vec<u8>>, Reject> {
    if documents.kind() != Kind::Array {
        return Err(to.invalid("documents", "it must be an array"));
    }
    if documents.items().all(|document| document.kind() == Kind::String) {
        return Ok(None);
    }
    let mut texts: Vec<Cow<'_, str>> = Vec::new();
    for (at, document) in documents.items().enumerate() {
        // An object stands for its text. An object without text cannot be ranked here.
        let text = document.string().or_else(|| document.get("text")?.string());
        texts.push(text.ok_or_else(|| {
            to.invalid(&format!("documents[{at}]"), "it must be a string or an object with 'text' for this provider")
        })?);
    }
    let mut out = Vec::new();
    array(&mut out, &texts, |out, text| string(out, text));
    Ok(Some(out))
}

/// Watches a relayed answer.
pub(super) struct Ranking;

impl Reader for Ranking {
    fn event(&mut self, _: Event<'_>, _: &mut Pieces<'_>) -> Result<Flow, UpstreamFault> {
        Err(malformed("The provider streams what is no stream."))
    }

    fn whole(&mut self, answer: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        if answer.get("results").is_none_or(|results| results.kind() != Kind::Array) {
            return Err(malformed("The provider's answer has no results."));
        }
        // Cohere bills searches; only some models report tokens.
        let tokens = answer.get("meta").and_then(|meta| meta.get("tokens"));
        let count = |name| tokens.and_then(|tokens| tokens.get(name)?.integer());
        pieces(Piece::Usage(Usage {
            input: count("input_tokens").unwrap_or(0),
            output: count("output_tokens").unwrap_or(0),
            ..Usage::default()
        }));
        pieces(Piece::Finish(Finish::Stop));
        Ok(())
    }
}
