//! Google's errors: `{"error":{"code":429,"message":…,"status":"RESOURCE_EXHAUSTED","details":[…]}}`.
//!
//! <https://ai.google.dev/gemini-api/docs/troubleshooting>, <https://google.aip.dev/193>

use alloc::borrow::Cow;
use core::time::Duration;

use weir_hub::codec::json::{Kind, Raw, check};
use weir_hub::fault::{FaultKind, UpstreamFault, Whose};

use crate::provider::named::{is_own, judged, own_words};
use crate::provider::openai::by_status;
use crate::provider::redact;

/// Reads an answer whose status is not 2xx.
pub(in crate::provider) fn fault(status: u16, body: &[u8]) -> UpstreamFault {
    let json = core::str::from_utf8(body).ok().and_then(|text| check(text).ok());
    let fault = match json.and_then(error) {
        Some(error) => said(error, by_status(status)),
        None => UpstreamFault::new(by_status(status), redact::from_text(status, body)),
    };
    judged(status, fault)
}

/// Reads an error in an answer with a status of success, or in an event.
pub(in crate::provider) fn in_answer(answer: Raw<'_>) -> Option<UpstreamFault> {
    let error = error(answer)?;
    let status = error.get("code").and_then(Raw::integer).and_then(|code| u16::try_from(code).ok());
    let status = status.unwrap_or(500);
    Some(judged(status, said(error, by_status(status))).as_event())
}

/// The error object. If a stream was requested, some errors come in an array.
fn error(body: Raw<'_>) -> Option<Raw<'_>> {
    let body = if body.kind() == Kind::Array { body.items().next()? } else { body };
    body.get("error").filter(|error| error.kind() == Kind::Object)
}

fn said(error: Raw<'_>, by_status: FaultKind) -> UpstreamFault {
    let text = |name| error.get(name).and_then(Raw::string).unwrap_or_default();
    let (message, status) = (text("message"), text("status"));
    let details = || error.get("details").unwrap_or(Raw::NULL).items();
    let detail = |kind: &str| details().find(|detail| is_a(*detail, kind));
    let reason = detail("ErrorInfo").and_then(|info| info.get("reason")).and_then(Raw::string);
    let kind = kind(&status, reason.as_deref().unwrap_or_default(), &message, by_status);
    let violation = detail("BadRequest").and_then(|bad| bad.get("fieldViolations")?.items().next()?.get("field"));
    let message: Cow<'_, str> = if message.is_empty() { "The provider gave no reason.".into() } else { message };
    UpstreamFault {
        code: reason
            .filter(|reason| !reason.is_empty())
            .or(Some(status))
            .filter(|code| !code.is_empty())
            .map(|code| redact::fit(&code)),
        param: violation.and_then(Raw::string).filter(|field| !field.is_empty()).map(|field| redact::fit(&field)),
        retry_after: detail("RetryInfo").and_then(|info| delay(&info.get("retryDelay")?.string()?)),
        ..UpstreamFault::new(kind, redact::fit(&message))
    }
}

/// Whether a detail is of `kind`: `type.googleapis.com/google.rpc.RetryInfo`.
fn is_a(detail: Raw<'_>, kind: &str) -> bool {
    let name = detail.get("@type").and_then(Raw::string).unwrap_or_default();
    name.rsplit('.').next() == Some(kind)
}

/// A duration in the format of these APIs: `34.07s`.
fn delay(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// One status has many causes; the reason and the message say more.
fn kind(status: &str, reason: &str, message: &str, by_status: FaultKind) -> FaultKind {
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    let own = |words: &[&str]| words.iter().any(|words| own_words(message).contains(words));
    match reason {
        "API_KEY_INVALID" | "API_KEY_SERVICE_BLOCKED" | "ACCESS_TOKEN_EXPIRED" | "SERVICE_DISABLED" => {
            return FaultKind::Auth;
        }
        "BILLING_DISABLED" => return FaultKind::Billing,
        _ => {}
    }
    match status {
        "INVALID_ARGUMENT" if is_own(message, &["API key not valid", "API key expired", "API Key not found"]) => {
            FaultKind::Auth
        }
        "INVALID_ARGUMENT" if says(&["input token count", "exceeds the maximum number of tokens"]) => {
            FaultKind::ContextLength
        }
        "INVALID_ARGUMENT" if says(&["payload size exceeds"]) => FaultKind::TooLarge,
        "INVALID_ARGUMENT" if says(&["was blocked", "safety"]) => FaultKind::ContentPolicy,
        "INVALID_ARGUMENT" | "OUT_OF_RANGE" => by_status_of_caller(by_status),
        // An unsupported region, or a project without an account.
        "FAILED_PRECONDITION" if is_own(message, &["Gemini API free tier", "User location"]) => {
            if says(&["billing"]) {
                FaultKind::Billing
            } else {
                FaultKind::Auth
            }
        }
        // Every limit that was reached is called a quota, with the advice to check one's plan. Only used-up credits do
        // not come back.
        "RESOURCE_EXHAUSTED" if own(&["credits are depleted", "spending cap"]) => FaultKind::Billing,
        "RESOURCE_EXHAUSTED" if message.starts_with("You exceeded your current quota") && says(&["limit: 0,"]) => {
            FaultKind::Billing
        }
        "RESOURCE_EXHAUSTED" => FaultKind::RateLimited,
        "UNAUTHENTICATED" | "PERMISSION_DENIED" => FaultKind::Auth,
        "NOT_FOUND" => FaultKind::NotFound,
        "DEADLINE_EXCEEDED" => FaultKind::Timeout,
        "UNAVAILABLE" | "INTERNAL" | "ABORTED" | "UNKNOWN" | "CANCELLED" | "DATA_LOSS" => match by_status {
            FaultKind::Timeout => FaultKind::Timeout,
            _ => FaultKind::Unavailable,
        },
        _ => by_status,
    }
}

/// A caller's fault, of the kind that the status says if that is a caller's.
fn by_status_of_caller(by_status: FaultKind) -> FaultKind {
    if by_status.whose() == Whose::Caller { by_status } else { FaultKind::InvalidRequest }
}
