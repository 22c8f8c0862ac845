//! Anthropic's Messages API. Requests are read in [`ask`], answers written in [`write`], failures here.
//!
//! Shapes: <https://platform.claude.com/docs/en/api/messages>, <https://platform.claude.com/docs/en/api/errors>.

mod ask;
mod cache;
mod check;
mod models;
mod write;

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

pub(crate) use self::models::models;
use crate::{
    Keyless,
    answer::{Answer, Ask},
    chat,
    dialect::{Call, Dialect, Event, Failure, accepts, quote, set},
    model::Model,
    reply::Decision,
};

/// The dialect of `/v1/messages`.
pub(crate) struct Anthropic;

impl Dialect for Anthropic {
    fn folder(&self) -> &'static str {
        "anthropic"
    }

    fn admit(&self, call: &Call<'_>) -> Result<(), Failure> {
        // Clients since 2.0 of the Python SDK send a bearer; where there are both, the older header counts.
        let bearer = || call.header("authorization")?.strip_prefix("Bearer ");
        match call.header("x-api-key").or_else(bearer) {
            Some(key) if !accepts(call.options(), key) => return Err(Failure::WrongKey(String::new())),
            None if call.options().keyless == Keyless::Refuse => return Err(Failure::NoKey),
            _ => {}
        }
        match call.header("anthropic-version") {
            None => Err(Failure::invalid("anthropic-version: header is required", None, None)),
            Some(version) if Version::read(version).is_some() => Ok(()),
            Some(other) => {
                Err(Failure::invalid(format!("anthropic-version: \"{other}\" is not a valid version"), None, None))
            }
        }
    }

    fn ask(&self, call: &Call<'_>, body: &Value, model: &Model) -> Result<Ask, Failure> {
        ask::read(body, model, Version::of(call), call)
    }

    fn whole(&self, answer: &Answer) -> Bytes {
        write::whole(answer)
    }

    fn events(&self, answer: &Answer) -> Vec<Event> {
        write::events(answer)
    }

    fn failure(&self, failure: &Failure, request: &str) -> (u16, String) {
        let (status, kind, message) = error(failure);
        (status, json(kind, &message, details(failure), request))
    }

    fn failure_event(&self, failure: &Failure, request: &str) -> Bytes {
        let (_, kind, message) = error(failure);
        let event = json(kind, &message, details(failure), request);
        Bytes::from(format!("event: error\ndata: {event}\n\n"))
    }

    fn headers(&self, headers: &mut HeaderMap, request: &str) {
        for (name, value) in [
            ("request-id", format!("req_{request}").as_str()),
            ("anthropic-organization-id", "00000000-5151-4000-8000-000000000000"),
            ("anthropic-ratelimit-requests-limit", "4000"),
            ("anthropic-ratelimit-requests-remaining", "3999"),
            ("anthropic-ratelimit-requests-reset", "2026-01-02T03:04:05Z"),
            ("anthropic-ratelimit-input-tokens-limit", "400000"),
            ("anthropic-ratelimit-input-tokens-remaining", "399000"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-01-02T03:04:05Z"),
            ("anthropic-ratelimit-output-tokens-limit", "80000"),
            ("anthropic-ratelimit-output-tokens-remaining", "79000"),
            ("anthropic-ratelimit-output-tokens-reset", "2026-01-02T03:04:05Z"),
            ("anthropic-ratelimit-tokens-limit", "480000"),
            ("anthropic-ratelimit-tokens-remaining", "478000"),
            ("anthropic-ratelimit-tokens-reset", "2026-01-02T03:04:05Z"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
            ("x-robots-tag", "none"),
            ("cf-cache-status", "DYNAMIC"),
            ("cf-ray", "9a1b2c3d4e5f6789-SIM"),
            ("server", "cloudflare"),
            ("via", "1.1 google"),
            ("set-cookie", "_cfuvid=simulated; path=/; domain=.anthropic.com; HttpOnly; Secure; SameSite=None"),
        ] {
            set(headers, name, value);
        }
    }

    fn overload(&self) -> u16 {
        529
    }

    fn no_model(&self) -> &'static str {
        "model: Field required"
    }
}

/// Reads a chat request whose version is not in a header.
pub(crate) fn read(call: &Call<'_>, body: &Value, model: &Model, version: &str) -> Result<Ask, Failure> {
    ask::read(body, model, Version::read(version).unwrap_or(Version::Of2023), call)
}

/// Answers `POST /v1/messages/count_tokens`.
pub(crate) fn count_tokens(call: &Call<'_>) -> Decision {
    let counted = |body: &Value| Bytes::from(format!("{{\"input_tokens\":{}}}", ask::input(body)));
    call.tell(chat::read(call).map(|(body, _)| counted(&body)))
}

/// A version of the API; later ones refuse more.
///
/// <https://platform.claude.com/docs/en/api/versioning>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// 2023-01-01 and 2023-06-01.
    Of2023,
    /// 2026-10-21: no sampling parameters, no documents of the assistant, no citations of the user.
    Of2026,
}

impl Version {
    fn read(text: &str) -> Option<Self> {
        match text {
            "2023-01-01" | "2023-06-01" => Some(Self::Of2023),
            "2026-10-21" => Some(Self::Of2026),
            _ => None,
        }
    }

    /// The version a request was [admitted](Dialect::admit) with.
    fn of(call: &Call<'_>) -> Self {
        call.header("anthropic-version").and_then(Self::read).unwrap_or(Self::Of2023)
    }
}

fn json(kind: &str, message: &str, details: Option<&str>, request: &str) -> String {
    let message = quote(message);
    let details = details.map_or_else(String::new, |code| format!(r#","details":{{"error_code":"{code}"}}"#));
    format!(
        r#"{{"type":"error","error":{{"type":"{kind}","message":{message}{details}}},"request_id":"req_{request}"}}"#
    )
}

/// What the SDK goes by beside the words.
fn details(failure: &Failure) -> Option<&'static str> {
    match failure {
        Failure::Invalid { code, .. } => *code,
        _ => None,
    }
}

fn error(failure: &Failure) -> (u16, &'static str, String) {
    let (status, message) = match failure {
        Failure::NoKey => (401, "x-api-key header is required"),
        Failure::WrongKey(_) => (401, "invalid x-api-key"),
        Failure::NoModel(model) => return (404, "not_found_error", format!("model: {model}")),
        Failure::NoPath { .. } => (404, "Not Found"),
        Failure::Invalid { message, .. } => (400, message.as_str()),
        Failure::TooLarge => (413, "Request exceeds the maximum size"),
        Failure::ContextLength => (400, "prompt is too long: 208501 tokens > 200000 maximum"),
        Failure::ContentFilter => (400, "Output blocked by content filtering policy"),
        Failure::RateLimited(_) => {
            (429, "This request would exceed your account's rate limit. Please try again later.")
        }
        // Anthropic has no code for this: clients know it by the words "credit balance is too low".
        Failure::InsufficientQuota => (400, "Your credit balance is too low to access the Anthropic API."),
        Failure::Status(status) => (*status, words(*status)),
    };
    (status, kind(status), message.to_owned())
}

fn words(status: u16) -> &'static str {
    match status {
        401 => "invalid x-api-key",
        402 => "There is a problem with your billing or payment information.",
        403 => "Your API key does not have permission to use the specified resource.",
        404 => "model: not found",
        408 => "Request timed out",
        429 => "This request would exceed your account's rate limit. Please try again later.",
        503 => "Service unavailable",
        529 => "Overloaded",
        _ => "Internal server error",
    }
}

fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 | 504 => "timeout_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}
