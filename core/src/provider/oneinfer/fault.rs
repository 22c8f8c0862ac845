//! `OneInfer`'s errors. The pages list statuses and show no body; where words may be is what its own desktop application
//! looks at.
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
    // What does not fit the schema is told as a list of places.
    let fault = json.and_then(|json| misfit(json, by_status(status)));
    judged(status, fault.unwrap_or_else(|| UpstreamFault::new(by_status(status), redact::from_text(status, body))))
}

/// Reads an error that came where an answer, or an event of one, was due; `None` if it is none.
pub(super) fn in_answer(answer: Raw<'_>) -> Option<UpstreamFault> {
    let status = answer.get("api_details").and_then(|details| details.get("api_status")).and_then(Raw::string);
    let failed = status.is_some_and(|status| status != "success");
    let said = said(answer).or_else(|| failed.then(|| around(answer)).flatten())?;
    Some(event(&said))
}

/// Reads an event that its name calls an error.
pub(super) fn failed(data: Raw<'_>) -> UpstreamFault {
    let said = said(data).or_else(|| around(data));
    event(said.as_deref().unwrap_or("The provider reported an error without a message."))
}

/// What came where an answer was due. No status tells whose fault it was, but some words do.
fn event(said: &str) -> UpstreamFault {
    let kind = match kind(400, said) {
        FaultKind::InvalidRequest => FaultKind::ErrorEvent,
        kind => kind,
    };
    UpstreamFault::new(kind, redact::fit(said))
}

/// What the envelope's `error` says. It is there in a success as well, and empty.
fn said(envelope: Raw<'_>) -> Option<Cow<'_, str>> {
    let error = envelope.get("error")?;
    if error.kind() == Kind::String {
        return error.string().filter(|said| !said.is_empty());
    }
    member(error, &["error_description", "message"])
}

/// What is said of it elsewhere.
fn around(envelope: Raw<'_>) -> Option<Cow<'_, str>> {
    let details = envelope.get("api_details").and_then(|details| member(details, &["api_message"]));
    details.or_else(|| member(envelope, &["message", "detail"]))
}

/// The first of `names` that says something.
fn member<'a>(object: Raw<'a>, names: &[&str]) -> Option<Cow<'a, str>> {
    names.iter().find_map(|name| object.get(name).and_then(Raw::string).filter(|said| !said.is_empty()))
}

/// What kind of failure it is. Nothing but the words tells more than the status.
fn kind(status: u16, message: &str) -> FaultKind {
    match status {
        // By the page, it stands for a balance that is not enough. A token that is wrong is told with it elsewhere.
        403 if ["credit", "balance"].iter().any(|word| own_words(message).contains(word)) => FaultKind::Billing,
        // OpenAI's words and Anthropic's, which may have been passed on.
        400 | 422 if ["maximum context length", "prompt is too long"].iter().any(|words| message.contains(words)) => {
            FaultKind::ContextLength
        }
        status => by_status(status),
    }
}
