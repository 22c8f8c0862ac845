//! Mistral's API, under `/mistral`: its paths are OpenAI's, its answers nearly so, its refusals its own. Requests are
//! checked in [`check`], answers written in [`write`], failures here.
//!
//! Shapes: <https://docs.mistral.ai/api/endpoint/chat>, <https://docs.mistral.ai/api/endpoint/embeddings>,
//! <https://docs.mistral.ai/api/endpoint/classifiers>, <https://docs.mistral.ai/api/endpoint/audio/transcriptions>.

mod check;
mod embed;
mod hear;
mod judge;
mod write;

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::{Value, json};

pub(crate) use self::{embed::embed, hear::hear, judge::judge};
use crate::{
    answer::{Answer, Ask},
    dialect::{Call, Dialect, Event, Failure, bearer, set, uuid},
    field::text,
    model::Model,
    openai::OpenAi,
};

/// The dialect of `/mistral/v1/…`.
pub(crate) struct Mistral;

impl Dialect for Mistral {
    fn folder(&self) -> &'static str {
        "mistral"
    }

    fn admit(&self, call: &Call<'_>) -> Result<(), Failure> {
        bearer(call)
    }

    fn ask(&self, call: &Call<'_>, body: &Value, model: &Model) -> Result<Ask, Failure> {
        check::check(body)?;
        let mut ask = OpenAi.ask(call, body, model)?;
        ask.thinking = text(body, "prompt_mode") == "reasoning" || text(body, "reasoning_effort") == "high";
        Ok(ask)
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

    fn headers(&self, headers: &mut HeaderMap, request: &str) {
        let id = uuid(request);
        for (name, value) in [
            ("mistral-correlation-id", id.as_str()),
            ("x-kong-request-id", &id),
            ("x-ratelimit-limit-req-minute", "60"),
            ("x-ratelimit-remaining-req-minute", "59"),
            ("x-ratelimit-limit-tokens-minute", "500000"),
            ("x-ratelimit-remaining-tokens-minute", "499000"),
            ("x-ratelimit-tokens-query-cost", "32"),
            ("x-envoy-upstream-service-time", "412"),
            ("access-control-allow-origin", "*"),
            ("cf-cache-status", "DYNAMIC"),
            ("cf-ray", "9a1b2c3d4e5f6789-SIM"),
            ("server", "cloudflare"),
            ("set-cookie", "__cf_bm=simulated; path=/; domain=.mistral.ai; HttpOnly; Secure; SameSite=None"),
        ] {
            set(headers, name, value);
        }
    }

    fn failure_headers(&self, headers: &mut HeaderMap, failure: &Failure, _: u16) {
        if let Failure::RateLimited(Some(seconds)) = failure {
            set(headers, "retry-after", &seconds.to_string());
        }
    }

    fn overload(&self) -> u16 {
        503
    }

    fn no_model(&self) -> &'static str {
        "Field required: model"
    }
}

/// The kinds of what does not fit the API's schema, as its validator calls them: told with 422, in a list.
const VALIDATION: [&str; 6] =
    ["missing", "extra_forbidden", "less_than_equal", "greater_than_equal", "union_tag_invalid", "enum"];

fn error(failure: &Failure) -> (u16, Value) {
    let say = |status: u16, kind: &str, code: &str, message: &str| {
        (status, json!({"object": "error", "message": message, "type": kind, "param": null, "code": code}))
    };
    match failure {
        Failure::NoKey | Failure::WrongKey(_) => (401, json!({"detail": "Unauthorized"})),
        Failure::NoPath { .. } => (404, json!({"detail": "Not Found"})),
        Failure::NoModel(model) => say(400, "invalid_model", "1500", &format!("Invalid model: {model}")),
        Failure::Invalid { message, param, code: Some(kind) } if VALIDATION.contains(kind) => {
            let detail = json!([{"type": kind, "loc": place(param.as_deref().unwrap_or_default()), "msg": message}]);
            let message = json!({"detail": detail});
            (
                422,
                json!({"object": "error", "message": message, "type": "invalid_request_error", "param": null, "code": null}),
            )
        }
        Failure::Invalid { message, code: Some(kind), .. } => say(400, kind, number(kind), message),
        Failure::Invalid { message, .. } => say(400, "invalid_request_error", "3000", message),
        Failure::TooLarge => (413, json!({"detail": "Request Entity Too Large"})),
        Failure::ContextLength => say(
            400,
            "invalid_request_prompt",
            "3051",
            "Prompt contains 140001 tokens and 0 draft tokens, too large for model with 131072 maximum context length",
        ),
        Failure::ContentFilter => say(403, "guardrail_violation", "3400", "The request was blocked by a guardrail."),
        Failure::RateLimited(_) => say(429, "rate_limited", "1300", "Rate limit exceeded"),
        Failure::InsufficientQuota => (402, json!({"detail": "Inactive subscription or usage limit reached"})),
        Failure::Status(status @ (401 | 402)) => (*status, json!({"detail": "Unauthorized"})),
        Failure::Status(404) => say(404, "invalid_model", "1500", "The model does not exist."),
        Failure::Status(status @ (503 | 529)) => {
            say(*status, "unreachable_backend", "1100", "Internal server error: the backend is unreachable.")
        }
        Failure::Status(status) => say(*status, "internal_server_error", "1000", "Service unavailable."),
    }
}

/// The number of a kind of error.
fn number(kind: &str) -> &'static str {
    match kind {
        "invalid_request_message_order" => "3230",
        "invalid_request_assistant_message" => "3240",
        "invalid_function_call" => "3280",
        _ => "3000",
    }
}

/// `messages.0.role` as the list of its steps.
fn place(param: &str) -> Value {
    let step = |step: &str| step.parse::<u64>().map_or_else(|_| step.into(), Value::from);
    std::iter::once(Value::from("body")).chain(param.split('.').map(step)).collect()
}
