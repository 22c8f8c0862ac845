//! Bedrock's errors. A header has the kind of error. The body has a `message`, and sometimes its `__type`. In streams,
//! errors are exceptions with a name.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors>,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html>

use alloc::borrow::Cow;

use weir_hub::codec::json::{Raw, check};
use weir_hub::fault::{FaultKind, UpstreamFault, Whose};

use crate::provider::named::{is_own, judged, own_words};
use crate::provider::openai::by_status;
use crate::provider::redact;

/// Reads an answer whose status is not 2xx.
pub(super) fn fault(status: u16, body: &[u8]) -> UpstreamFault {
    let Some(json) = core::str::from_utf8(body).ok().and_then(|text| check(text).ok()) else {
        return judged(status, UpstreamFault::new(of_status(status), redact::from_text(status, body)));
    };
    // The gateway in front of the API wraps its own errors in `Output`.
    let json = json.get("Output").unwrap_or(json);
    let name = ["__type", "code"].iter().find_map(|name| json.get(name)?.string()).unwrap_or_default();
    let name = shape(&name);
    let otherwise = of_name(name).unwrap_or_else(|| of_status(status));
    let fault = match message(json) {
        Some(message) => said(name, &message, of_model(json).unwrap_or(otherwise)),
        None => UpstreamFault::new(otherwise, redact::from_text(status, b"")),
    };
    judged(status, fault)
}

/// Reads an exception of a stream. A provider's fault becomes an error event; the faults of others keep their kind,
/// although they come in a stream.
pub(super) fn in_stream(name: &str, data: Raw<'_>) -> UpstreamFault {
    let kind = of_model(data).or_else(|| of_name(name)).unwrap_or(FaultKind::ErrorEvent);
    let words = message(data).unwrap_or(Cow::Borrowed("The provider reported an error without a message."));
    judged(0, said(name, &words, kind)).as_event()
}

fn said(name: &str, message: &str, kind: FaultKind) -> UpstreamFault {
    let code = Some(redact::fit(name)).filter(|code| !code.is_empty());
    UpstreamFault { code, ..UpstreamFault::new(of_words(message, kind), redact::fit(message)) }
}

/// Services differ in how they spell this member.
fn message(json: Raw<'_>) -> Option<Cow<'_, str>> {
    ["message", "Message"].iter().find_map(|name| json.get(name)?.string())
}

/// The name of a shape: `com.amazon.coral.service#ThrottlingException:http://…` is a `ThrottlingException`.
fn shape(name: &str) -> &str {
    let name = name.rsplit_once('#').map_or(name, |(_, name)| name);
    name.split_once(':').map_or(name, |(name, _)| name)
}

/// The kind of fault that the model's own server reported, if that was what failed.
fn of_model(json: Raw<'_>) -> Option<FaultKind> {
    let status = json.get("originalStatusCode").and_then(Raw::integer)?;
    let kind = by_status(u16::try_from(status).ok()?);
    // AWS runs the model, so errors about its keys and addresses are the provider's fault.
    Some(if kind.whose() == Whose::Ours { FaultKind::Unavailable } else { kind })
}

fn of_status(status: u16) -> FaultKind {
    match status {
        // The model or its stream failed.
        424 => FaultKind::Unavailable,
        status => by_status(status),
    }
}

/// In streams, names begin with a small letter.
fn of_name(name: &str) -> Option<FaultKind> {
    let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
    if is(&["ThrottlingException", "ModelNotReadyException", "TooManyRequestsException"]) {
        Some(FaultKind::RateLimited)
    } else if is(&["ValidationException", "SerializationException"]) {
        Some(FaultKind::InvalidRequest)
    } else if is(&["ModelTimeoutException"]) {
        Some(FaultKind::Timeout)
    } else if is(&[
        "InternalServerException",
        "ModelErrorException",
        "ModelStreamErrorException",
        "ServiceUnavailableException",
        "InternalFailure",
    ]) {
        Some(FaultKind::Unavailable)
    } else if is(&[
        "AccessDeniedException",
        "BadCScoreException",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "UnrecognizedClientException",
    ]) {
        Some(FaultKind::Auth)
    } else if is(&["FTUFormNotFilled", "ResourceNotFoundException", "UnknownOperationException"]) {
        Some(FaultKind::NotFound)
    } else if is(&["ServiceQuotaExceededException"]) {
        Some(FaultKind::Billing)
    } else {
        None
    }
}

/// One name stands for every error in a request, and another for everything that is forbidden; only the message says
/// more.
fn of_words(message: &str, kind: FaultKind) -> FaultKind {
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    // The start of AWS's messages contains nothing from the request: a model's own message follows AWS's words.
    let begins = |words: &[&str]| words.iter().any(|words| message.starts_with(words));
    match kind {
        FaultKind::InvalidRequest => {
            if says(&[
                "Input is too long",
                "input is too long",
                "prompt is too long",
                "Too many input tokens",
                "exceed context limit",
                "maximum context length",
            ]) {
                FaultKind::ContextLength
            } else if says(&["content filtering policy", "usage policy"]) {
                FaultKind::ContentPolicy
            } else if begins(&[
                "The provided model identifier is invalid",
                "Invocation of model ID ",
                "This action doesn't support the model",
                "This model version has reached the end of its life",
            ]) {
                FaultKind::NotFound
            } else if begins(&["The security token included in the request", "The request signature we calculated"])
                || is_own(message, &["Operation not allowed", "Your account is not authorized"])
            {
                FaultKind::Auth
            } else {
                kind
            }
        }
        FaultKind::Auth if own_words(message).contains("PAYMENT_INSTRUMENT") => FaultKind::Billing,
        kind => kind,
    }
}
