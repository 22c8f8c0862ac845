//! Jina's API, as far as it ranks documents. Others have taken over its path and its shape.
//!
//! Shapes: <https://api.jina.ai/redoc#tag/rerank>. Documents come back only where that is asked for:
//! <https://github.com/langgenius/dify-official-plugins/issues/1799>.

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

use crate::{
    answer::{Answer, Ask, Usage},
    dialect::{Call, Dialect, Event, Failure, bearer, quote, set},
    field::list,
    model::Model,
    reply::Decision,
    rerank::{cost, rank, results, texts},
    said,
};

/// The dialect of `/v1/rerank`.
pub(crate) struct Jina;

impl Dialect for Jina {
    fn folder(&self) -> &'static str {
        "jina"
    }

    fn admit(&self, call: &Call<'_>) -> Result<(), Failure> {
        bearer(call)
    }

    /// It has no chats.
    fn ask(&self, call: &Call<'_>, _: &Value, _: &Model) -> Result<Ask, Failure> {
        Err(Failure::NoPath { method: call.head.method.to_string(), path: call.head.uri.path().to_owned() })
    }

    fn whole(&self, _: &Answer) -> Bytes {
        Bytes::new()
    }

    fn events(&self, _: &Answer) -> Vec<Event> {
        Vec::new()
    }

    fn failure(&self, failure: &Failure, _: &str) -> (u16, String) {
        let (status, message) = error(failure);
        (status, format!(r#"{{"detail":{}}}"#, quote(&message)))
    }

    fn failure_event(&self, failure: &Failure, request: &str) -> Bytes {
        Bytes::from(self.failure(failure, request).1)
    }

    fn headers(&self, headers: &mut HeaderMap, _: &str) {
        for (name, value) in [
            ("x-ratelimit-limit", "500"),
            ("x-ratelimit-remaining", "499"),
            ("server", "cloudflare"),
            ("cf-ray", "9a1b2c3d4e5f6789-SIM"),
        ] {
            set(headers, name, value);
        }
    }

    fn failure_headers(&self, headers: &mut HeaderMap, failure: &Failure, _: u16) {
        if let Failure::RateLimited(Some(seconds)) = failure {
            set(headers, "retry-after", &seconds.to_string());
        }
    }
}

fn error(failure: &Failure) -> (u16, String) {
    let (status, message) = match failure {
        Failure::NoKey => (401, "Unauthorized: no API key was given."),
        Failure::WrongKey(_) => (401, "Invalid API key, please get a new one from https://jina.ai."),
        Failure::NoModel(model) => return (422, format!("Model {model} not found.")),
        Failure::NoPath { .. } => (404, "Not Found"),
        Failure::Invalid { message, .. } => (422, message.as_str()),
        Failure::TooLarge => (413, "Request Entity Too Large"),
        Failure::ContextLength => (422, "The documents are longer than this model can read."),
        Failure::ContentFilter => (400, "The request was refused by the content policy."),
        Failure::RateLimited(_) => (429, "Per-minute rate limit exceeded: 500 requests per minute."),
        Failure::InsufficientQuota => (402, "Account balance not enough to run this query, please recharge."),
        Failure::Status(status) => (*status, words(*status)),
    };
    (status, message.to_owned())
}

fn words(status: u16) -> &'static str {
    match status {
        401 => "Unauthorized",
        402 => "Account balance not enough to run this query, please recharge.",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        429 => "Per-minute rate limit exceeded: 500 requests per minute.",
        503 | 529 => "The service is overloaded, please try again later.",
        _ => "Internal Server Error",
    }
}

/// Answers `/v1/rerank`.
pub(crate) fn rerank(call: &Call<'_>) -> Decision {
    said::plain(call, write)
}

fn write(body: &Value, model: &Model) -> Result<(Bytes, Usage), Failure> {
    let Some(query) = body.get("query").and_then(Value::as_str) else { return refuse("query: Field required") };
    let documents = list(body, "documents");
    if documents.is_empty() {
        return refuse("documents: List should have at least 1 item after validation, not 0");
    }
    let Some(texts) = texts(documents) else {
        return refuse("documents: Input should be a valid string, or an object with a text");
    };
    let top = match body.get("top_n").filter(|top| !top.is_null()) {
        None => texts.len(),
        Some(top) => match top.as_u64() {
            Some(top) if top > 0 => usize::try_from(top).unwrap_or(usize::MAX),
            _ => return refuse("top_n: Input should be greater than 0"),
        },
    };
    let total = model.input(cost(query, &texts));
    let usage = model.told(format!(r#","usage":{{"total_tokens":{total}}}"#));
    let results = results(&rank(query, texts, top), body);
    let name = quote(&model.name);
    let body = format!(r#"{{"model":{name},"object":"list"{usage},"results":[{results}]}}"#);
    Ok((Bytes::from(body), Usage::read(total)))
}

fn refuse<T>(message: &str) -> Result<T, Failure> {
    Err(Failure::invalid(message, None, None))
}
