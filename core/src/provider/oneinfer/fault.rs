//! `OneInfer`'s errors. Its pages list statuses and show no body. The members in which a message may be are those that
//! its own desktop application reads.
//!
//! <https://oneinfer.ai/docs/api/audio-generation>, Error Status Codes,
//! <https://github.com/oneinfer/oneinfer-desktop-app/blob/main/src/api.ts>

use alloc::borrow::Cow;

use weir_hub::codec::json::{Kind, Raw, check};
use weir_hub::fault::{FaultKind, UpstreamFault};

use crate::provider::misfit::misfit;
use crate::provider::named::{judged, own_words};
use crate::provider::openai::by_status;
use crate::provider::redact;

/// Reads an answer whose status is not 2xx.
pub(super) fn fault(status: u16, body: &[u8]) -> UpstreamFault {
    let json = core::str::from_utf8(body).ok().and_then(|text| check(text).ok());
    let said = json.and_then(|json| said(json).or_else(|| around(json)));
    if let Some(said) = said {
        return judged(status, UpstreamFault::new(kind(status, &said), redact::fit(&said)));
    }
    // A request that does not fit the schema is reported as a list of places.
    let fault = json.and_then(|json| misfit(json, by_status(status)));
    judged(status, fault.unwrap_or_else(|| UpstreamFault::new(by_status(status), redact::from_text(status, body))))
}

/// Reads an error in place of an answer or of an event; `None` if there is none.
pub(super) fn in_answer(answer: Raw<'_>) -> Option<UpstreamFault> {
    let status = answer.get("api_details").and_then(|details| details.get("api_status")).and_then(Raw::string);
    let failed = status.is_some_and(|status| status != "success");
    let said = said(answer).or_else(|| failed.then(|| around(answer)).flatten())?;
    Some(event(&said))
}

/// Reads an event whose name says that it is an error.
pub(super) fn failed(data: Raw<'_>) -> UpstreamFault {
    let said = said(data).or_else(|| around(data));
    event(said.as_deref().unwrap_or("The provider reported an error without a message."))
}

/// The fault of an error in place of an answer. It has no status, so only some messages tell whose fault it was.
fn event(said: &str) -> UpstreamFault {
    let kind = match kind(400, said) {
        FaultKind::InvalidRequest => FaultKind::ErrorEvent,
        kind => kind,
    };
    UpstreamFault::new(kind, redact::fit(said))
}

/// The message in the envelope's `error`. A success also has this member, but empty.
fn said(envelope: Raw<'_>) -> Option<Cow<'_, str>> {
    let error = envelope.get("error")?;
    if error.kind() == Kind::String {
        return error.string().filter(|said| !said.is_empty());
    }
    member(error, &["error_description", "message"])
}

/// The message in other members.
fn around(envelope: Raw<'_>) -> Option<Cow<'_, str>> {
    let details = envelope.get("api_details").and_then(|details| member(details, &["api_message"]));
    details.or_else(|| member(envelope, &["message", "detail"]))
}

/// The first of `names` that is not empty.
fn member<'a>(object: Raw<'a>, names: &[&str]) -> Option<Cow<'a, str>> {
    names.iter().find_map(|name| object.get(name).and_then(Raw::string).filter(|said| !said.is_empty()))
}

/// The kind of failure. Only the message says more than the status.
fn kind(status: u16, message: &str) -> FaultKind {
    match status {
        // According to the page, it means that the balance is too low. Other hosts use it for a wrong token.
        403 if ["credit", "balance"].iter().any(|word| own_words(message).contains(word)) => FaultKind::Billing,
        // Messages of OpenAI and Anthropic, which may have been passed on.
        400 | 422 if ["maximum context length", "prompt is too long"].iter().any(|words| message.contains(words)) => {
            FaultKind::ContextLength
        }
        status => by_status(status),
    }
}
