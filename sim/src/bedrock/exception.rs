//! Failures as AWS tells them: the kind in `x-amzn-errortype`, the message in the body.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html>

use crate::dialect::{Failure, quote};

/// A failure in AWS's words.
pub(super) struct Exception {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    message: String,
}

impl Exception {
    pub(super) fn body(&self) -> String {
        if self.kind == UNKNOWN {
            return format!(r#"{{"Output":{{"__type":"com.amazon.coral.service#{UNKNOWN}"}},"Version":"1.0"}}"#);
        }
        format!(r#"{{"message":{}}}"#, quote(&self.message))
    }
}

const UNKNOWN: &str = "UnknownOperationException";

pub(super) fn exception(failure: &Failure) -> Exception {
    let say = |status, kind, message: &str| Exception { status, kind, message: message.to_owned() };
    let invalid = "ValidationException";
    match failure {
        Failure::NoKey | Failure::WrongKey(_) => {
            say(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        }
        Failure::NoModel(_) => say(400, invalid, "The provided model identifier is invalid."),
        Failure::NoPath { .. } => say(404, UNKNOWN, ""),
        // What is said with a kind of its own is about who asks.
        Failure::Invalid { message, code: Some(kind), .. } if kind.ends_with("Exception") => say(403, kind, message),
        Failure::Invalid { message, .. } => say(400, invalid, message),
        Failure::TooLarge => say(413, "RequestEntityTooLargeException", "The request is too large."),
        Failure::ContextLength => say(400, invalid, "Input is too long for requested model."),
        Failure::ContentFilter => {
            say(400, invalid, "The model returned the following errors: Output blocked by content filtering policy")
        }
        Failure::RateLimited(_) => {
            say(429, "ThrottlingException", "Too many requests, please wait before trying again.")
        }
        Failure::InsufficientQuota => say(
            403,
            "AccessDeniedException",
            "Model access is denied due to INVALID_PAYMENT_INSTRUMENT:A valid payment instrument must be provided. Your AWS Marketplace subscription for this model cannot be completed at this time.",
        ),
        Failure::Status(status) => of_status(*status),
    }
}

fn of_status(status: u16) -> Exception {
    let (kind, message) = match status {
        401 | 402 => ("UnrecognizedClientException", "The security token included in the request is invalid."),
        403 => ("AccessDeniedException", "You don't have access to the model with the specified model ID."),
        404 => {
            ("ResourceNotFoundException", "Could not resolve the foundation model from the provided model identifier.")
        }
        408 => ("ModelTimeoutException", "Model has timed out in processing the request. Try your request again."),
        429 => ("ThrottlingException", "Too many requests, please wait before trying again."),
        503 | 529 => ("ServiceUnavailableException", "Bedrock is unable to process your request."),
        _ => (
            "InternalServerException",
            "The system encountered an unexpected error during processing. Try your request again.",
        ),
    };
    Exception { status, kind, message: message.to_owned() }
}

/// An exception as a member of a stream: with a small first letter.
pub(super) fn member(kind: &str) -> String {
    let mut letters = kind.chars();
    letters.next().map_or(String::new(), |first| first.to_ascii_lowercase().to_string() + letters.as_str())
}
