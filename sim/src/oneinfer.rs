//! `OneInfer`'s API, under `/v1/ula`. Requests are read and checked in [`ask`], answers written in [`write`], failures here.
//!
//! Shapes: <https://oneinfer.ai/docs/api/chat-completions>, <https://oneinfer.ai/docs/guides/chat-streaming>,
//! <https://oneinfer.ai/docs/api/ula-auth>, and the envelope and statuses of
//! <https://oneinfer.ai/docs/api/audio-generation>. What an event holds besides `delta`, and what a failure's body is, these
//! pages do not say; it is made up after what they do.

mod ask;
mod write;

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::{Value, json};

use crate::{
    answer::{Answer, Ask},
    dialect::{Call, Dialect, Event, Failure, accepts, bearer, set},
    model::Model,
    percent::decoded,
    reply::Decision,
};

/// The dialect of `/v1/ula/…`.
pub(crate) struct OneInfer;

/// What its tokens begin with here, so that they can be told from keys.
const TOKEN: &str = "sk-ula-";

/// Exchanges a key, which is in the query, for a token.
pub(crate) fn authenticate(call: &Call<'_>) -> Decision {
    let query = call.head.uri.query().unwrap_or_default();
    let key = decoded(query.split('&').find_map(|pair| pair.strip_prefix("api_key=")).unwrap_or_default());
    call.tell(if key.starts_with(TOKEN) || !accepts(call.options(), &key) {
        Err(Failure::Status(403))
    } else {
        Ok(Bytes::from(json!({"access_token": format!("{TOKEN}{key}")}).to_string()))
    })
}

impl Dialect for OneInfer {
    fn folder(&self) -> &'static str {
        "oneinfer"
    }

    fn admit(&self, call: &Call<'_>) -> Result<(), Failure> {
        bearer(call)
    }

    fn ask(&self, call: &Call<'_>, body: &Value, model: &Model) -> Result<Ask, Failure> {
        ask::read(body, model, call.delivery(body))
    }

    /// Remembers whose model was asked for: answers repeat it.
    fn answer(&self, call: &Call<'_>, body: &Value, ask: &Ask, model: &Model) -> Answer {
        let echo = body.get("provider").cloned().unwrap_or_else(|| "openai".into());
        Answer { echo, ..Answer::to(ask, model, call.options().tokens, call.id.clone()) }
    }

    fn whole(&self, answer: &Answer) -> Bytes {
        write::whole(answer)
    }

    fn events(&self, answer: &Answer) -> Vec<Event> {
        write::events(answer)
    }

    fn failure(&self, failure: &Failure, _: &str) -> (u16, String) {
        let (status, body) = error(failure);
        (status, body.to_string())
    }

    fn failure_event(&self, failure: &Failure, _: &str) -> Bytes {
        Bytes::from(format!("data: {}\n\n", error(failure).1))
    }

    fn headers(&self, _: &mut HeaderMap, _: &str) {}

    fn failure_headers(&self, headers: &mut HeaderMap, failure: &Failure, _: u16) {
        if let Failure::RateLimited(Some(seconds)) = failure {
            set(headers, "retry-after", &seconds.to_string());
        }
    }

    fn no_model(&self) -> &'static str {
        "Field required: model"
    }
}

/// What does not fit the schema, as `ask` calls it: told with 422, in a list.
const MISFIT: &str = "misfit";

fn error(failure: &Failure) -> (u16, Value) {
    let detail = |status: u16, detail: &str| (status, json!({"detail": detail}));
    match failure {
        Failure::NoKey => detail(401, "Missing or invalid Authorization header"),
        Failure::NoModel(model) => failed(400, &format!("Unsupported model: {model}")),
        Failure::NoPath { .. } => detail(404, "Not Found"),
        Failure::Invalid { message, param, code: Some(MISFIT) } => {
            let place = param.iter().flat_map(|param| param.split('.')).map(step);
            let place: Value = std::iter::once("body".into()).chain(place).collect();
            (422, json!({"detail": [{"type": "value_error", "loc": place, "msg": message}]}))
        }
        Failure::Invalid { message, .. } => failed(400, message),
        Failure::TooLarge => detail(413, "Request Entity Too Large"),
        Failure::ContextLength => failed(
            400,
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 128312 tokens.",
        ),
        Failure::ContentFilter => failed(400, "The request was refused by the provider's content policy."),
        Failure::RateLimited(_) => failed(429, "Too many requests. Please try again later."),
        Failure::InsufficientQuota | Failure::Status(402) => detail(403, "Insufficient credit balance"),
        Failure::WrongKey(_) | Failure::Status(401) => detail(401, "Invalid Bearer token"),
        Failure::Status(403) => detail(403, "API key is invalid or expired."),
        Failure::Status(status) => failed(*status, "Unexpected error during chat completion."),
    }
}

/// The envelope of a failure.
fn failed(status: u16, message: &str) -> (u16, Value) {
    let details = json!({"api_status": "failure", "api_message": "API has failed."});
    (status, json!({"api_details": details, "data": {}, "error": {"error_description": message}}))
}

/// A step of a path: a name or a number.
fn step(step: &str) -> Value {
    step.parse::<u64>().map_or_else(|_| step.into(), Value::from)
}
