//! `:embedContent` and `:batchEmbedContents`. <https://ai.google.dev/api/embeddings>

use bytes::Bytes;
use serde_json::Value;

use super::ask::field;
use crate::{
    answer::{Usage, tokens},
    dialect::{Call, Failure},
    field::{list, text},
    model::Model,
    openai::vector,
    reply::Decision,
    said,
};

/// More requests than this in one batch are refused.
const MOST_REQUESTS: usize = 100;

/// Answers `:embedContent`.
pub(crate) fn one(call: &Call<'_>) -> Decision {
    said::plain(call, |body, model| {
        let (embedding, used) = embedding(body, model, "EmbedContentRequest")?;
        Ok((Bytes::from(format!(r#"{{"embedding":{embedding}}}"#)), Usage::read(used)))
    })
}

/// Answers `:batchEmbedContents`.
pub(crate) fn batch(call: &Call<'_>) -> Decision {
    said::plain(call, |body, model| {
        let requests = list(body, "requests");
        if requests.is_empty() {
            return refuse("* BatchEmbedContentsRequest.requests: requests is not specified\n");
        }
        if requests.len() > MOST_REQUESTS {
            return refuse("* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n");
        }
        let mut embeddings = Vec::with_capacity(requests.len());
        let mut used = 0;
        for (index, request) in requests.iter().enumerate() {
            let place = format!("BatchEmbedContentsRequest.requests[{index}]");
            match text(request, "model").strip_prefix("models/") {
                Some(name) if name == model.name => {
                    let (embedding, read) = embedding(request, model, &place)?;
                    embeddings.push(embedding);
                    used += read;
                }
                Some(_) => return refuse(format!("* {place}.model: model is not the one of the batch\n")),
                None => return refuse(format!("* {place}.model: unexpected model name format\n")),
            }
        }
        Ok((Bytes::from(format!(r#"{{"embeddings":[{}]}}"#, embeddings.join(","))), Usage::read(used)))
    })
}

/// An embedding, and the tokens read for it, which are not told.
fn embedding(request: &Value, model: &Model, place: &str) -> Result<(String, u32), Failure> {
    let parts = request.get("content").map_or(&[][..], |content| list(content, "parts"));
    let said: String = parts.iter().map(|part| text(part, "text")).collect();
    if said.is_empty() {
        return refuse(format!("* {place}.content: contents is not specified\n"));
    }
    let whole = if model.base.contains("004") { 768 } else { 3072 };
    let dimensions = match field(request, "outputDimensionality") {
        None => whole,
        Some(wanted) => wanted
            .as_u64()
            .and_then(|wanted| usize::try_from(wanted).ok())
            .filter(|wanted| (1..=whole).contains(wanted))
            .ok_or_else(|| {
                let message = format!(
                    "* {place}.output_dimensionality: output_dimensionality must be in the range [1, {whole}].\n"
                );
                Failure::invalid(message, None, None)
            })?,
    };
    let values = serde_json::to_string(&vector(&said, dimensions)).unwrap_or_default();
    Ok((format!(r#"{{"values":{values}}}"#), model.input(tokens(&said))))
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::invalid(message, None, None))
}
