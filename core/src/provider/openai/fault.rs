//! OpenAI's errors, and those of the many providers with the same format.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};

use weir_hub::buffer::malformed;
use weir_hub::codec::json::{Kind, Raw, check};
use weir_hub::fault::{FaultKind, UpstreamFault};

use crate::provider::misfit::misfit;
use crate::provider::named::judged;
use crate::provider::redact;

/// Reads an answer whose status is not 2xx.
pub(in crate::provider) fn fault(status: u16, body: &[u8]) -> UpstreamFault {
    let json = core::str::from_utf8(body).ok().and_then(|text| check(text).ok());
    let fault = match json.and_then(Said::read) {
        Some(said) => said.fault(by_status(status)),
        // A server made with FastAPI reports a request that does not fit its schema like this.
        None if let Some(fault) = json.and_then(|json| misfit(json, by_status(status))) => fault,
        None => UpstreamFault::new(by_status(status), redact::from_text(status, body)),
    };
    judged(status, fault)
}

/// Reads the `error` member of an answer with a status of success; `answer` is the whole answer.
pub(super) fn in_answer(answer: Raw<'_>) -> UpstreamFault {
    let Some(said) = Said::read(answer) else {
        return UpstreamFault::new(FaultKind::ErrorEvent, "The provider reported an error without a message.");
    };
    // Some hosts put the status that they would have sent in `code`.
    let told = said.code.as_deref().and_then(|code| code.parse().ok());
    let otherwise = if said.kind.as_deref() == Some("invalid_request_error") { 400 } else { 500 };
    let status = told.unwrap_or(otherwise);
    let fault = judged(status, said.fault(by_status(status))).as_event();
    let fails = |name: &&str| [said.code.as_deref(), said.kind.as_deref()].contains(&Some(*name));
    // Otherwise it is assumed that the provider would have sent a 500.
    let is_status = told.is_some_and(|status| (400..600).contains(&status));
    let class = fault.class.filter(|_| is_status || FAILS.iter().any(fails));
    UpstreamFault { class, ..fault }
}

/// The codes with which hosts say that they cannot answer at the moment.
const FAILS: [&str; 5] =
    ["engine_overloaded", "overloaded_error", "server_error", "server_is_overloaded", "service_unavailable"];

/// Reads an event that is neither part of an answer nor an error in a known format.
pub(in crate::provider) fn stray(event: Raw<'_>) -> UpstreamFault {
    match Said::read(event) {
        Some(_) => in_answer(event),
        None => malformed("The provider sent an event that is no part of an answer."),
    }
}

/// The fault of a model that failed, according to its finish reason.
pub(super) fn failed() -> UpstreamFault {
    UpstreamFault::new(FaultKind::ErrorEvent, "The provider's model failed before the answer was complete.")
}

/// The codes of refusals by a policy.
const POLICY: [&str; 5] = [
    "content_filter",
    "content_policy_violation",
    "moderation_blocked",
    "invalid_prompt",
    "image_content_policy_violation",
];

/// The codes for invalid images, which come in answers with a status of success.
///
/// <https://platform.openai.com/docs/api-reference/responses/object#responses/object-error>
const IMAGES: [&str; 13] = [
    "empty_image_file",
    "failed_to_download_image",
    "image_file_not_found",
    "image_file_too_large",
    "image_parse_error",
    "image_too_large",
    "image_too_small",
    "invalid_base64_image",
    "invalid_image",
    "invalid_image_format",
    "invalid_image_mode",
    "invalid_image_url",
    "unsupported_image_media_type",
];

/// The kind of failure for a status alone.
pub(in crate::provider) fn by_status(status: u16) -> FaultKind {
    match status {
        401 | 403 => FaultKind::Auth,
        402 => FaultKind::Billing,
        // A redirect means a wrongly configured endpoint: nobody follows it.
        300..400 | 404 | 405 => FaultKind::NotFound,
        // A CDN's status for a timeout.
        408 | 504 | 522 | 524 => FaultKind::Timeout,
        413 => FaultKind::TooLarge,
        429 => FaultKind::RateLimited,
        // A conflict, or a request that came too early, passes; the official SDKs retry both.
        409 | 425 => FaultKind::Unavailable,
        400..500 => FaultKind::InvalidRequest,
        _ => FaultKind::Unavailable,
    }
}

/// An error object.
struct Said<'a> {
    message: Cow<'a, str>,
    kind: Option<Cow<'a, str>>,
    code: Option<String>,
    param: Option<Cow<'a, str>>,
}

impl<'a> Said<'a> {
    /// From `{"error":{…}}`, `{"error":"…"}`, `{"x_groq":{"error":"…"}}`, `{"message":…}` or `{"detail":…}`.
    fn read(body: Raw<'a>) -> Option<Self> {
        let said = |at: Raw<'a>| at.get("error").filter(|error| !error.is_null());
        let error = said(body).or_else(|| said(body.get("x_groq")?)).unwrap_or(body);
        if let Some(message) = error.string() {
            return Some(Self { message, kind: None, code: None, param: None });
        }
        let string = |name| error.get(name).and_then(Raw::string);
        let message = string("message").or_else(|| string("detail"))?;
        let code = error.get("code").and_then(|code| match code.kind() {
            Kind::String => code.string().map(Cow::into_owned),
            Kind::Number => Some(code.text().to_string()),
            _ => None,
        });
        Some(Self { message, kind: string("type"), code, param: string("param").filter(|param| !param.is_empty()) })
    }

    fn fault(&self, by_status: FaultKind) -> UpstreamFault {
        UpstreamFault {
            code: self.code.as_deref().or(self.kind.as_deref()).map(redact::fit),
            param: self.param.as_deref().map(redact::fit),
            ..UpstreamFault::new(self.kind(by_status), redact::fit(&self.message))
        }
    }

    /// The kind that the message says, if it says more than the status.
    fn kind(&self, by_status: FaultKind) -> FaultKind {
        let named = |name: &str| self.code.as_deref() == Some(name) || self.kind.as_deref() == Some(name);
        let any = |names: &[&str]| names.iter().any(|name| named(name));
        if any(&["insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance"]) {
            FaultKind::Billing
        } else if any(&["context_length_exceeded"])
            || by_status == FaultKind::InvalidRequest && self.message.contains("maximum context length")
        {
            FaultKind::ContextLength
        } else if any(&POLICY) {
            FaultKind::ContentPolicy
        } else if any(&["invalid_api_key"]) {
            FaultKind::Auth
        } else if any(&["model_not_found"]) {
            FaultKind::NotFound
        } else if any(&["rate_limit_exceeded", "rate_limit_error", "rate_limited"]) {
            FaultKind::RateLimited
        } else if any(&IMAGES) {
            FaultKind::InvalidRequest
        } else {
            by_status
        }
    }
}
