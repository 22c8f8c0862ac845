//! OpenAI's API. Requests are read in [`ask`], answers written in [`write`], failures here.
//!
//! Shapes: <https://platform.openai.com/docs/api-reference/chat>, <https://platform.openai.com/docs/guides/error-codes>.

mod ask;
mod audio;
mod check;
mod completions;
mod embeddings;
mod images;
mod models;
mod moderations;
mod responses;
mod write;

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

pub(crate) use self::{
    ask::functions,
    audio::{heard, speech, transcriptions, translations},
    completions::Completions,
    embeddings::{embeddings, vector, written},
    images::{edits, generations},
    models::models,
    moderations::moderations,
    responses::{Responses, input_tokens},
};
use crate::{
    Keyless,
    answer::{Answer, Ask},
    dialect::{Call, Dialect, Event, Failure, accepts, quote, set},
    model::Model,
};

/// The dialect of `/v1/chat/completions`.
pub(crate) struct OpenAi;

impl Dialect for OpenAi {
    fn folder(&self) -> &'static str {
        "openai"
    }

    fn admit(&self, call: &Call<'_>) -> Result<(), Failure> {
        let options = call.options();
        if options.keyless == Keyless::Admit && !call.headers().contains_key("authorization") {
            return Ok(());
        }
        let key = call.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let key = key.ok_or(Failure::NoKey)?.trim();
        if accepts(options, key) { Ok(()) } else { Err(Failure::WrongKey(shown(key))) }
    }

    fn ask(&self, call: &Call<'_>, body: &Value, model: &Model) -> Result<Ask, Failure> {
        ask::read(body, model, call.delivery(body))
    }

    fn whole(&self, answer: &Answer) -> Bytes {
        write::whole(answer)
    }

    fn events(&self, answer: &Answer) -> Vec<Event> {
        write::events(answer)
    }

    fn failure(&self, failure: &Failure, _: &str) -> (u16, String) {
        let error = error(failure);
        (error.status, error.body())
    }

    fn failure_event(&self, failure: &Failure, _: &str) -> Bytes {
        Bytes::from(error(failure).event())
    }

    fn headers(&self, headers: &mut HeaderMap, request: &str) {
        for (name, value) in [
            ("x-request-id", format!("req_{request}").as_str()),
            ("openai-organization", "weir-sim-org"),
            ("openai-project", "proj_weirsim"),
            ("openai-processing-ms", "12"),
            ("openai-version", "2020-10-01"),
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-limit-tokens", "2000000"),
            ("x-ratelimit-remaining-requests", "9999"),
            ("x-ratelimit-remaining-tokens", "1999000"),
            ("x-ratelimit-reset-requests", "6ms"),
            ("x-ratelimit-reset-tokens", "30ms"),
            ("access-control-expose-headers", "X-Request-ID"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
            ("x-content-type-options", "nosniff"),
            ("cf-cache-status", "DYNAMIC"),
            ("cf-ray", "9a1b2c3d4e5f6789-SIM"),
            ("server", "cloudflare"),
            ("alt-svc", "h3=\":443\"; ma=86400"),
            ("set-cookie", "__cf_bm=simulated; path=/; domain=.api.openai.com; HttpOnly; Secure; SameSite=None"),
            ("set-cookie", "_cfuvid=simulated; path=/; domain=.api.openai.com; HttpOnly; Secure; SameSite=None"),
        ] {
            set(headers, name, value);
        }
    }
}

/// A failure in OpenAI's words.
struct ErrorObject {
    status: u16,
    message: String,
    kind: &'static str,
    param: Option<String>,
    code: Option<&'static str>,
}

impl ErrorObject {
    /// As a body: over several lines, as the real one.
    fn body(&self) -> String {
        self.json("\n    ", "\n        ", "\n")
    }

    /// As an event, which is one line.
    fn event(&self) -> String {
        format!("data: {}\n\n", self.json("", "", ""))
    }

    fn json(&self, outer: &str, inner: &str, close: &str) -> String {
        let param = self.param.as_deref().map_or("null".to_owned(), quote);
        let code = self.code.map_or("null".to_owned(), quote);
        let (message, kind) = (quote(&self.message), self.kind);
        format!(
            r#"{{{outer}"error": {{{inner}"message": {message},{inner}"type": "{kind}",{inner}"param": {param},{inner}"code": {code}{outer}}}{close}}}"#
        )
    }
}

fn error(failure: &Failure) -> ErrorObject {
    let say = |status, kind, code, message: &str| ErrorObject {
        status,
        message: message.to_owned(),
        kind,
        param: None,
        code,
    };
    let invalid = "invalid_request_error";
    match failure {
        Failure::NoKey => {
            say(401, invalid, None, "You didn't provide an API key: send Authorization: Bearer YOUR_KEY.")
        }
        Failure::WrongKey(key) => {
            say(401, invalid, Some("invalid_api_key"), &format!("Incorrect API key provided: {key}."))
        }
        Failure::NoModel(model) => ErrorObject {
            param: None,
            ..say(
                404,
                invalid,
                Some("model_not_found"),
                &format!("The model `{model}` does not exist or you do not have access to it."),
            )
        },
        Failure::NoPath { method, path } => say(404, invalid, None, &format!("Invalid URL ({method} {path})")),
        Failure::Invalid { message, param, code } => {
            ErrorObject { param: param.clone(), ..say(400, invalid, *code, message) }
        }
        Failure::TooLarge => say(413, invalid, None, "The request body is too large."),
        Failure::ContextLength => ErrorObject {
            param: Some("messages".to_owned()),
            ..say(
                400,
                invalid,
                Some("context_length_exceeded"),
                "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens. \
                 Please reduce the length of the messages.",
            )
        },
        Failure::ContentFilter => say(
            400,
            invalid,
            Some("content_policy_violation"),
            "Your request was rejected by the safety system: it may not be allowed by our usage policies.",
        ),
        Failure::RateLimited(_) => say(
            429,
            "requests",
            Some("rate_limit_exceeded"),
            "Rate limit reached for this model in organization weir-sim-org on requests per min (RPM): \
             Limit 500, Used 500, Requested 1.",
        ),
        Failure::InsufficientQuota => say(
            429,
            "insufficient_quota",
            Some("insufficient_quota"),
            "You exceeded your current quota, please check your plan and billing details.",
        ),
        Failure::Status(status) => of_status(*status),
    }
}

fn of_status(status: u16) -> ErrorObject {
    let (kind, code, message) = match status {
        401 => ("invalid_request_error", Some("invalid_api_key"), "Incorrect API key provided: sk-sim****."),
        402 => ("billing_error", Some("billing_hard_limit_reached"), "Billing hard limit has been reached."),
        403 => (
            "invalid_request_error",
            Some("unsupported_country_region_territory"),
            "Country, region, or territory not supported",
        ),
        404 => (
            "invalid_request_error",
            Some("model_not_found"),
            "The model does not exist or you do not have access to it.",
        ),
        408 => ("server_error", None, "Request timed out."),
        429 => return error(&Failure::RateLimited(None)),
        503 => ("service_unavailable_error", None, "The engine is currently overloaded, please try again later."),
        529 => ("server_error", Some("overloaded"), "The server is overloaded."),
        _ => ("server_error", None, "The server had an error while processing your request. Sorry about that!"),
    };
    ErrorObject { status, message: message.to_owned(), kind, param: None, code }
}

/// A key as error messages show it: its ends.
fn shown(key: &str) -> String {
    match (key.get(..8), key.len().checked_sub(4).and_then(|end| key.get(end..))) {
        (Some(start), Some(end)) if key.len() > 12 => format!("{start}****{end}"),
        _ => "*".repeat(key.len().min(32)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_json_and_does_not_show_the_key() {
        let failure = Failure::WrongKey(shown("sk-proj-0123456789abcdef"));
        let (status, body) = OpenAi.failure(&failure, "r");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["error"]["code"]), (401, &Value::from("invalid_api_key")));
        assert_eq!(body["error"]["message"], "Incorrect API key provided: sk-proj-****cdef.");
        assert_eq!(body["error"]["param"], Value::Null);
    }
}
