//! Cohere's API, second version. Requests are read in [`ask`] and checked in [`check`], answers written in [`write`],
//! failures here.
//!
//! Shapes: <https://docs.cohere.com/reference/chat>, <https://docs.cohere.com/reference/chat-stream>,
//! <https://docs.cohere.com/reference/embed>, <https://docs.cohere.com/reference/errors>.

mod ask;
mod check;
mod embed;
mod rerank;
mod write;

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

pub(crate) use self::{embed::embed, rerank::rerank};
use crate::{
    answer::{Answer, Ask},
    dialect::{Call, Dialect, Event, Failure, bearer, quote, set, uuid},
    model::Model,
};

/// The dialect of `/v2/…`.
pub(crate) struct Cohere;

/// What is well-formed, but cannot be processed.
const UNPROCESSABLE: &str = "unprocessable";

impl Dialect for Cohere {
    fn folder(&self) -> &'static str {
        "cohere"
    }

    fn admit(&self, call: &Call<'_>) -> Result<(), Failure> {
        bearer(call)
    }

    fn ask(&self, call: &Call<'_>, body: &Value, model: &Model) -> Result<Ask, Failure> {
        check::check(body)?;
        Ok(ask::read(body, model, call))
    }

    /// Remembers the documents: what is said cites them.
    fn answer(&self, call: &Call<'_>, body: &Value, ask: &Ask, model: &Model) -> Answer {
        let echo = body.get("documents").cloned().unwrap_or_default();
        Answer { echo, ..Answer::to(ask, model, call.options().tokens, call.id.clone()) }
    }

    fn whole(&self, answer: &Answer) -> Bytes {
        write::whole(answer)
    }

    fn events(&self, answer: &Answer) -> Vec<Event> {
        write::events(answer)
    }

    fn failure(&self, failure: &Failure, request: &str) -> (u16, String) {
        let (status, message) = error(failure);
        (status, format!(r#"{{"id":"{}","message":{}}}"#, uuid(request), quote(&message)))
    }

    /// An end like any other, with a reason of its own.
    fn failure_event(&self, failure: &Failure, _: &str) -> Bytes {
        let message = quote(&error(failure).1);
        write::event("message-end", &format!(r#""delta":{{"error":{message},"finish_reason":"ERROR"}}"#))
    }

    fn headers(&self, headers: &mut HeaderMap, request: &str) {
        for (name, value) in [
            ("x-debug-trace-id", request),
            ("access-control-expose-headers", "X-Debug-Trace-ID"),
            ("x-endpoint-monthly-call-limit", "1000"),
            ("x-trial-endpoint-call-limit", "40"),
            ("x-trial-endpoint-call-remaining", "39"),
            ("cache-control", "no-cache, no-store, no-transform, must-revalidate, private, max-age=0"),
            ("expires", "Thu, 01 Jan 1970 00:00:00 UTC"),
            ("pragma", "no-cache"),
            ("vary", "Origin"),
            ("server", "envoy"),
            ("x-envoy-upstream-service-time", "412"),
            ("via", "1.1 google"),
        ] {
            set(headers, name, value);
        }
    }

    fn failure_headers(&self, headers: &mut HeaderMap, failure: &Failure, _: u16) {
        if let Failure::RateLimited(Some(seconds)) = failure {
            set(headers, "retry-after", &seconds.to_string());
        }
    }

    fn stream_type(&self) -> &'static str {
        "text/event-stream"
    }

    fn no_model(&self) -> &'static str {
        "model is required"
    }
}

fn error(failure: &Failure) -> (u16, String) {
    let (status, message) = match failure {
        Failure::NoKey => (401, "no api key supplied"),
        Failure::WrongKey(_) => (401, "invalid api token"),
        Failure::NoModel(model) => {
            let message = format!(
                "model '{model}' not found, make sure the correct model ID was used and that you have access to the model."
            );
            return (404, message);
        }
        Failure::NoPath { .. } => (404, "page not found"),
        Failure::Invalid { message, code: Some(UNPROCESSABLE), .. } => (422, message.as_str()),
        Failure::Invalid { message, .. } => return (400, format!("invalid request: {message}")),
        Failure::TooLarge => (413, "request too large"),
        Failure::ContextLength => (
            400,
            "too many tokens: total number of tokens in the prompt cannot exceed 256000 - received 256312. Try using a shorter prompt, or use a model with a longer context.",
        ),
        Failure::ContentFilter => (400, "blocked input: please adjust your prompt and try again"),
        Failure::RateLimited(_) => (
            429,
            "You are using a Trial key, which is limited to 40 API calls / minute. You can continue to use the Trial key for free or upgrade to a Production key with higher rate limits at 'https://dashboard.cohere.com/api-keys'.",
        ),
        Failure::InsufficientQuota => {
            (402, "Please add or update your payment method at https://dashboard.cohere.com/billing?tab=payment")
        }
        Failure::Status(status) => (*status, words(*status)),
    };
    (status, message.to_owned())
}

fn words(status: u16) -> &'static str {
    match status {
        401 => "invalid api token",
        402 => "Please add or update your payment method at https://dashboard.cohere.com/billing?tab=payment",
        403 => "the token does not have the permission to use this resource",
        404 => "model not found, make sure the correct model ID was used and that you have access to the model.",
        408 => "the request timed out",
        429 => "trial token rate limit exceeded, limit is 40 calls per minute",
        503 | 529 => "the service is unavailable: please wait and try again later",
        _ => "internal server error, this has been reported to our developers",
    }
}
