//! The reasons to refuse a request, in `OpenAI`'s shape. They hold no text of the request except names of fields and models.

use std::time::Duration;

use thiserror::Error;
use weir_hub::fault::{FaultKind, Problem, Retry};

/// Why a request was refused. Always safe to show to its caller.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Reject {
    /// The path is not served here.
    #[error("There is nothing at this path. POST /v1/embeddings is served here.")]
    NoSuchPath,
    /// The path is, the method is not.
    #[error("This method is not allowed here. Use {allowed}.")]
    Method {
        /// What is allowed.
        allowed: &'static str,
    },
    /// The body is longer than allowed.
    #[error("The request body is longer than {limit} bytes. Send fewer inputs per request.")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body is not JSON.
    #[error("The request body is not valid JSON: {what} at line {line}, column {column}.")]
    NotJson {
        /// What is wrong.
        what: &'static str,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A field has the wrong type.
    #[error("`{param}` must be {expected} (line {line}, column {column}).")]
    WrongType {
        /// The field.
        param: &'static str,
        /// What it must be.
        expected: &'static str,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A field is not known.
    #[error("Unknown parameter: `{name}`. The local model cannot honour it; leave it out.")]
    UnknownParameter {
        /// The field, shortened.
        name: String,
    },
    /// A field is missing.
    #[error("Missing required parameter: `{param}`.")]
    Missing {
        /// The field.
        param: &'static str,
    },
    /// A field has a value that is not allowed.
    #[error("`{param}` {problem}.")]
    Invalid {
        /// The field, or a place in it.
        param: String,
        /// What is wrong with its value.
        problem: String,
    },
    /// More inputs than allowed.
    #[error("`input` holds {given} inputs; at most {limit} are allowed in one request.")]
    TooManyInputs {
        /// How many there are.
        given: usize,
        /// How many may be.
        limit: usize,
    },
    /// An input of tokens is longer than the model's longest.
    #[error("This model's maximum context length is {limit} tokens; `{param}` has {given}.")]
    ContextLength {
        /// The input.
        param: String,
        /// Its length.
        given: usize,
        /// The model's longest.
        limit: usize,
    },
    /// The answer could be longer than allowed.
    #[error("The answer could be longer than {limit} bytes. Send fewer inputs, or ask for encoding_format \"base64\".")]
    AnswerTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// No model has this name.
    #[error("The model `{name}` does not exist here.")]
    ModelNotFound {
        /// The name, shortened.
        name: String,
    },
    /// The model is still being loaded.
    #[error("The model is still loading. Try again shortly.")]
    Loading,
    /// The model could not be loaded.
    #[error("The model could not be loaded: {reason}.")]
    Unavailable {
        /// Why.
        reason: String,
    },
    /// The sidecar is stopping.
    #[error("The server is stopping. Try again.")]
    Draining,
    /// The model's queue is full.
    #[error("The model is busy: its queue is full. Try again after {} s.", seconds(*.retry_after))]
    QueueFull {
        /// When there will be room, at the speed measured.
        retry_after: Duration,
    },
    /// Too many bytes of requests and answers are held already.
    #[error("The server is busy: it holds as many requests as it may. Try again shortly.")]
    Overloaded,
    /// Our own fault.
    #[error("The model failed on this request.")]
    Failed,
}

impl Reject {
    /// This refusal as callers see it.
    pub fn problem(&self) -> Problem {
        let (status, code, param): (u16, _, Option<&str>) = match self {
            Self::NoSuchPath => (404, "not_found", None),
            Self::Method { .. } => (405, "method_not_allowed", None),
            Self::BodyTooLarge { .. } => (413, "request_too_large", None),
            Self::NotJson { .. } => (400, "invalid_json", None),
            Self::WrongType { param, .. } => (400, "invalid_type", Some(param)),
            Self::UnknownParameter { name } => (400, "unknown_parameter", Some(name)),
            Self::Missing { param } => (400, "missing_required_parameter", Some(param)),
            Self::Invalid { param, .. } => (400, "invalid_value", Some(param)),
            Self::TooManyInputs { .. } | Self::AnswerTooLarge { .. } => (400, "invalid_value", Some("input")),
            Self::ContextLength { param, .. } => (400, FaultKind::ContextLength.name(), Some(param)),
            Self::ModelNotFound { .. } => (404, "model_not_found", Some("model")),
            Self::Loading => (503, "model_loading", None),
            Self::Unavailable { .. } => (503, "model_unavailable", None),
            Self::Draining => (503, "draining", None),
            Self::QueueFull { .. } => (429, "queue_full", None),
            Self::Overloaded => (429, "overloaded", None),
            Self::Failed => (500, "inference_failed", None),
        };
        let retry_after = match self {
            Self::QueueFull { retry_after } => Some(*retry_after),
            Self::Overloaded | Self::Loading | Self::Draining => Some(Duration::from_secs(1)),
            _ => None,
        };
        let kind = match status {
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        Problem {
            status,
            kind,
            code: code.to_owned(),
            message: self.to_string(),
            param: param.map(str::to_owned),
            details: None,
            retry_after,
            retry: Retry::Own,
        }
    }
}

/// Whole seconds, rounded up. At the measured speed there is room by then, unless somebody else takes it.
pub(super) fn seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use weir_hub::dialect::openai;

    use super::*;
    use crate::api::Reply;

    #[test]
    fn a_refusal_is_openais_error_object() {
        let problem = Reject::Missing { param: "input" }.problem();
        let body = String::from_utf8(openai::error(&problem)).unwrap();
        let expect = r#"{"error":{"message":"Missing required parameter: `input`.","type":"invalid_request_error","param":"input","code":"missing_required_parameter"}}"#;
        assert_eq!((problem.status, body.as_str()), (400, expect));
    }

    #[test]
    fn waiting_as_long_as_told_is_enough() {
        let after =
            |millis| Reply::from(&Reject::QueueFull { retry_after: Duration::from_millis(millis) }).headers.pop();
        assert_eq!(after(10), Some(("retry-after", "1".into())));
        assert_eq!(after(1001), Some(("retry-after", "2".into())));
    }
}
