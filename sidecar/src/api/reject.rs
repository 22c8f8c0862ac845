//! The reasons to refuse a request, in `OpenAI`'s shape. They hold no text of the request except names of fields and models.

use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

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

#[derive(Serialize)]
struct Envelope<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    message: String,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

impl Reject {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::NoSuchPath | Self::ModelNotFound { .. } => 404,
            Self::Method { .. } => 405,
            Self::BodyTooLarge { .. } => 413,
            Self::QueueFull { .. } | Self::Overloaded => 429,
            Self::Failed => 500,
            Self::Loading | Self::Unavailable { .. } | Self::Draining => 503,
            _ => 400,
        }
    }

    /// Headers that belong to the refusal.
    pub fn headers(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Method { allowed } => Some(("allow", (*allowed).to_owned())),
            Self::QueueFull { retry_after } => Some(("retry-after", seconds(*retry_after).to_string())),
            Self::Overloaded | Self::Loading | Self::Draining => Some(("retry-after", "1".to_owned())),
            _ => None,
        }
    }

    /// `OpenAI`'s error object.
    pub fn body(&self) -> Vec<u8> {
        let error = Inner { message: self.to_string(), kind: self.kind(), param: self.param(), code: self.code() };
        // Strings and nulls always serialize.
        serde_json::to_vec(&Envelope { error }).unwrap_or_default()
    }

    fn kind(&self) -> &'static str {
        match self.status() {
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        }
    }

    fn param(&self) -> Option<&str> {
        match self {
            Self::WrongType { param, .. } | Self::Missing { param } => Some(param),
            Self::UnknownParameter { name } => Some(name),
            Self::Invalid { param, .. } | Self::ContextLength { param, .. } => Some(param),
            Self::TooManyInputs { .. } | Self::AnswerTooLarge { .. } => Some("input"),
            Self::ModelNotFound { .. } => Some("model"),
            _ => None,
        }
    }

    fn code(&self) -> Option<&'static str> {
        match self {
            Self::NoSuchPath => Some("not_found"),
            Self::Method { .. } => Some("method_not_allowed"),
            Self::BodyTooLarge { .. } => Some("request_too_large"),
            Self::NotJson { .. } => Some("invalid_json"),
            Self::WrongType { .. } => Some("invalid_type"),
            Self::UnknownParameter { .. } => Some("unknown_parameter"),
            Self::Missing { .. } => Some("missing_required_parameter"),
            Self::Invalid { .. } | Self::TooManyInputs { .. } | Self::AnswerTooLarge { .. } => Some("invalid_value"),
            Self::ContextLength { .. } => Some("context_length_exceeded"),
            Self::ModelNotFound { .. } => Some("model_not_found"),
            Self::Loading => Some("model_loading"),
            Self::Unavailable { .. } => Some("model_unavailable"),
            Self::Draining => Some("draining"),
            Self::QueueFull { .. } => Some("queue_full"),
            Self::Overloaded => Some("overloaded"),
            Self::Failed => None,
        }
    }
}

/// Whole seconds, rounded up. At the measured speed there is room by then, unless somebody else takes it.
fn seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_openais_error_object() {
        let reject = Reject::Missing { param: "input" };
        let body = String::from_utf8(reject.body()).unwrap();
        let expect = r#"{"error":{"message":"Missing required parameter: `input`.","type":"invalid_request_error","param":"input","code":"missing_required_parameter"}}"#;
        assert_eq!((reject.status(), body.as_str()), (400, expect));
    }

    #[test]
    fn waiting_as_long_as_told_is_enough() {
        let after = |millis| Reject::QueueFull { retry_after: Duration::from_millis(millis) }.headers();
        assert_eq!(after(10), Some(("retry-after", "1".into())));
        assert_eq!(after(1001), Some(("retry-after", "2".into())));
    }
}
