//! Cohere's errors: `{"message":…}`, and a status. A server made with `FastAPI` reports a request that does not fit its
//! schema as a list of places.
//!
//! <https://docs.cohere.com/reference/errors>

use weir_hub::codec::json::{Raw, check};
use weir_hub::fault::{FaultKind, UpstreamFault};

use crate::provider::misfit::misfit;
use crate::provider::named::{judged, own_words};
use crate::provider::openai::by_status;
use crate::provider::redact;

/// Reads an answer whose status is not 2xx.
pub(super) fn fault(status: u16, body: &[u8]) -> UpstreamFault {
    let json = core::str::from_utf8(body).ok().and_then(|text| check(text).ok());
    if let Some(fault) = json.and_then(|json| misfit(json, kind(status, ""))) {
        return judged(status, fault);
    }
    let said = |name| json.and_then(|json| json.get(name)).and_then(Raw::string);
    let Some(message) = said("message").or_else(|| said("detail")) else {
        return judged(status, UpstreamFault::new(kind(status, ""), redact::from_text(status, body)));
    };
    judged(status, UpstreamFault::new(kind(status, &message), redact::fit(&message)))
}

/// The kind of failure. Only the message says more than the status.
fn kind(status: u16, message: &str) -> FaultKind {
    match status {
        400 | 422 if message.starts_with("too many tokens") => FaultKind::ContextLength,
        // A trial key's calls for the month are used up; its calls for a minute come back.
        429 if ["/ month", "per month"].iter().any(|words| own_words(message).contains(words)) => FaultKind::Billing,
        // The prompt has a word that the operator or Cohere has blocked.
        498 => FaultKind::ContentPolicy,
        // The request was cancelled, but not by Weir.
        499 => FaultKind::Unavailable,
        status => by_status(status),
    }
}

/// The fault of an answer that ended with an error.
pub(super) fn ended(reason: &str, message: Option<&str>) -> UpstreamFault {
    let message = message.map(redact::fit).filter(|message| !message.is_empty());
    let message = message.unwrap_or_else(|| "The provider ended its answer with an error.".into());
    let code = Some(redact::fit(reason)).filter(|code| !code.is_empty());
    UpstreamFault { code, ..UpstreamFault::new(FaultKind::ErrorEvent, message) }
}
