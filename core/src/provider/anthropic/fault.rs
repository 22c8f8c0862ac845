//! Anthropic's errors: `{"type":"error","error":{"type":…,"message":…},"request_id":…}`.

use alloc::boxed::Box;

use weir_hub::codec::json::{Kind, Raw, check};
use weir_hub::fault::{Details, FaultKind, UpstreamFault};

use crate::provider::named::{is_own, judged};
use crate::provider::openai::by_status;
use crate::provider::redact;

/// Longer details are not passed on.
const MAX_DETAILS: usize = 4 << 10;

/// Reads an answer whose status is not 2xx.
pub(in crate::provider) fn fault(status: u16, body: &[u8]) -> UpstreamFault {
    let kind = by_status(status);
    let json = core::str::from_utf8(body).ok().and_then(|text| check(text).ok());
    let fault = json.and_then(|json| said(json, kind));
    judged(status, fault.unwrap_or_else(|| UpstreamFault::new(kind, redact::from_text(status, body))))
}

/// Reads an `error` event, or an error in an answer with a status of success.
pub(super) fn in_answer(event: Raw<'_>) -> UpstreamFault {
    let fault = said(event, FaultKind::ErrorEvent).unwrap_or_else(|| {
        UpstreamFault::new(FaultKind::ErrorEvent, "The provider reported an error without a message.")
    });
    judged(0, fault).as_event()
}

fn said(body: Raw<'_>, otherwise: FaultKind) -> Option<UpstreamFault> {
    let error = body.get("error").unwrap_or(body);
    let message = error.get("message").and_then(Raw::string)?;
    let code = error.get("type").and_then(Raw::string).unwrap_or_default();
    let details = error.get("details").filter(|details| details.kind() == Kind::Object);
    let says = |name| details.and_then(|details| details.get(name)).and_then(Raw::string).unwrap_or_default();
    let kind = match &*code {
        // It does not have the thread; the client then sends the whole conversation.
        _ if says("error_code").starts_with("thread_") => FaultKind::InvalidRequest,
        "authentication_error" | "permission_error" => FaultKind::Auth,
        "billing_error" => FaultKind::Billing,
        "not_found_error" => FaultKind::NotFound,
        "request_too_large" => FaultKind::TooLarge,
        "rate_limit_error" => FaultKind::RateLimited,
        "timeout_error" => FaultKind::Timeout,
        "overloaded_error" | "api_error" => FaultKind::Unavailable,
        "invalid_request_error" => invalid(&message, otherwise),
        _ => otherwise,
    };
    let code = if code.is_empty() { None } else { Some(redact::fit(&code)) };
    let details = details.filter(|details| details.text().len() <= MAX_DETAILS);
    let details = details.map(|details| Box::new(Details(redact::fit_json(details))));
    Some(UpstreamFault { code, details, ..UpstreamFault::new(kind, redact::fit(&message)) })
}

/// One type stands for every error in a request; only the message, and sometimes the status, says more.
fn invalid(message: &str, otherwise: FaultKind) -> FaultKind {
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if says(&["prompt is too long", "exceed context limit", "exceeds the maximum context"]) {
        FaultKind::ContextLength
    } else if is_own(message, &["Your credit balance is too low"]) {
        FaultKind::Billing
    } else if says(&["content filtering policy", "usage policy"]) {
        FaultKind::ContentPolicy
    } else if otherwise == FaultKind::ErrorEvent {
        FaultKind::InvalidRequest
    } else {
        otherwise
    }
}
