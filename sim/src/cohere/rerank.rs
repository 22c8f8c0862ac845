//! `POST /v2/rerank`. <https://docs.cohere.com/reference/rerank>

use bytes::Bytes;
use serde_json::Value;

use super::UNPROCESSABLE;
use crate::{
    answer::Usage,
    dialect::{Call, Failure, uuid},
    field::{list, text},
    reply::Decision,
    rerank::{rank, results, texts},
    said,
};

/// More documents than this in one request are refused.
const MOST_DOCUMENTS: usize = 10_000;

/// As many documents are one search.
const SEARCH: usize = 100;

const KNOWN: [&str; 8] =
    ["model", "query", "documents", "top_n", "max_tokens_per_doc", "return_documents", "rank_fields", "priority"];

/// Answers a rerank request.
pub(crate) fn rerank(call: &Call<'_>) -> Decision {
    said::plain(call, |body, _| write(body, &call.id))
}

fn write(body: &Value, id: &str) -> Result<(Bytes, Usage), Failure> {
    let unknown = body.as_object().and_then(|fields| fields.keys().find(|name| !KNOWN.contains(&name.as_str())));
    if let Some(name) = unknown {
        let message = format!("unknown field: parameter '{name}' is not a valid field.");
        return Err(Failure::invalid(message, None, Some(UNPROCESSABLE)));
    }
    let query = text(body, "query");
    if query.is_empty() {
        return refuse("query must not be empty or be only whitespace");
    }
    let documents = list(body, "documents");
    if documents.is_empty() {
        return refuse("list of documents must not be empty");
    }
    if documents.len() > MOST_DOCUMENTS {
        return refuse(format!(
            "too many documents: at most {MOST_DOCUMENTS} can be in one request - received {}",
            documents.len()
        ));
    }
    let Some(texts) = texts(documents) else { return refuse("all documents must be strings, or objects with a text") };
    let top = match body.get("top_n").filter(|top| !top.is_null()) {
        None => texts.len(),
        Some(top) => match top.as_u64() {
            Some(top) if top > 0 => usize::try_from(top).unwrap_or(usize::MAX),
            _ => return refuse("top_n must be greater than 0"),
        },
    };
    let units = texts.len().div_ceil(SEARCH);
    let results = results(&rank(query, texts, top), body);
    // It is paid by searches, not by tokens.
    let body = format!(
        r#"{{"id":"{}","results":[{results}],"meta":{{"api_version":{{"version":"2"}},"billed_units":{{"search_units":{units}}}}}}}"#,
        uuid(id)
    );
    Ok((Bytes::from(body), Usage::default()))
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::invalid(message, None, None))
}
