//! Errors by whose fault they are, and the one object that callers see.
//!
//! [`Reject`] is the caller's fault and always safe to show; [`UpstreamFault`] is what a provider did; [`HostFault`] is
//! ours. Each becomes a [`Problem`], which a dialect writes as its own error object. (The fourth, the operator's
//! [`ConfigError`](crate::config::ConfigError), never reaches a caller.)

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use crate::plan::Plan;
use crate::provider::Call;

/// An error as callers see it, before a dialect writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// OpenAI's `error.type`.
    pub kind: &'static str,
    /// OpenAI's `error.code`; stable.
    pub code: String,
    /// For people: what happened and what to do now.
    pub message: String,
    /// The request's field at fault.
    pub param: Option<String>,
    /// What programs go by beside the words, in Anthropic's errors.
    pub details: Option<Box<Details>>,
    /// How long to wait before trying again, if that can help.
    pub retry_after: Option<Duration>,
    /// What `x-should-retry` says: whether the same request may succeed later. Absent: the SDK's own rule.
    pub retry: Retry,
}

/// An object, as JSON: `{"error_code":…}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details(pub String);

/// Whether an official SDK should repeat the request by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Weir has tried what there is; repeating at once multiplies the load and changes nothing.
    No,
    /// Waiting can help (a rate limit).
    Yes,
}

/// The caller's fault: safe to show, never tried elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// The body is no JSON; byte offset, line and column (from 1) of the first error.
    InvalidJson {
        /// Byte offset.
        offset: usize,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
        /// What was expected.
        problem: &'static str,
    },
    /// A required field is missing.
    Missing {
        /// The field's path.
        field: String,
    },
    /// A field has a value that it cannot have.
    Invalid {
        /// The field's path.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No target of the model can express this field.
    Unsupported {
        /// The field's path.
        field: String,
        /// The provider that cannot express it.
        provider: &'static str,
    },
    /// The conversation is to be kept elsewhere than with the caller. Never left out in silence: the next request would hold
    /// what is new, and no more.
    Unthreaded,
    /// No such model.
    UnknownModel {
        /// As the caller wrote it.
        model: String,
    },
    /// The key may not use this model.
    ModelNotAllowed {
        /// As the caller wrote it.
        model: String,
    },
    /// The model does not serve this endpoint.
    WrongEndpoint {
        /// The model.
        model: String,
        /// The endpoint's path.
        path: &'static str,
    },
    /// No key was sent.
    NoKey,
    /// A key was sent that nobody has.
    BadKey,
    /// The worker holds as much of large bodies as it may; the next one has room once one of those has been answered.
    Busy,
    /// The body is longer than the endpoint allows.
    BodyTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// No such path.
    UnknownPath {
        /// The path, without its query.
        path: String,
    },
    /// The path exists, but not for this method.
    WrongMethod {
        /// What it is for.
        allowed: &'static str,
    },
}

impl Reject {
    /// The model that `call` names does not serve what it asks for.
    pub fn unserved(call: &Call<'_>) -> Self {
        Self::WrongEndpoint { model: call.model.to_string(), path: call.endpoint.path() }
    }

    /// This error as the caller sees it.
    pub fn problem(&self) -> Problem {
        let invalid = |status, code: &str, message, param: Option<&str>| Problem {
            status,
            kind: "invalid_request_error",
            code: code.to_string(),
            message,
            param: param.map(ToString::to_string),
            details: None,
            retry_after: None,
            retry: Retry::No,
        };
        match self {
            Self::InvalidJson { offset, line, column, problem } => invalid(
                400,
                "invalid_json",
                format!("The body is not valid JSON: {problem} at line {line}, column {column} (byte {offset})."),
                None,
            ),
            Self::Missing { field } => invalid(
                400,
                "missing_required_parameter",
                format!("Missing required parameter: '{field}'."),
                Some(field),
            ),
            Self::Invalid { field, problem } => {
                invalid(400, "invalid_value", format!("Invalid value for '{field}': {problem}."), Some(field))
            }
            Self::Unsupported { field, provider } => invalid(
                400,
                "unsupported_parameter",
                format!(
                    "'{field}' cannot be expressed for the provider \"{provider}\"; remove it or choose another model."
                ),
                Some(field),
            ),
            Self::Unthreaded => Problem {
                details: Some(Box::new(Details(
                    r#"{"error_code":"thread_unsupported_request","unsupported":["thread"]}"#.to_string(),
                ))),
                ..invalid(
                    400,
                    "unsupported_parameter",
                    "Conversations are not kept here; send all messages, without 'thread'.".to_string(),
                    Some("thread"),
                )
            },
            Self::UnknownModel { model } => invalid(
                404,
                "model_not_found",
                format!("The model '{model}' does not exist here. GET /v1/models lists those that do."),
                Some("model"),
            ),
            Self::ModelNotAllowed { model } => Problem {
                kind: "permission_error",
                ..invalid(403, "model_not_allowed", format!("This key may not use the model '{model}'."), Some("model"))
            },
            Self::WrongEndpoint { model, path } => invalid(
                400,
                "endpoint_not_supported",
                format!("The model '{model}' does not serve {path}."),
                Some("model"),
            ),
            Self::NoKey => Problem {
                kind: "authentication_error",
                ..invalid(
                    401,
                    "missing_api_key",
                    "No API key was sent: use the header 'Authorization: Bearer weir-…'.".to_string(),
                    None,
                )
            },
            Self::BadKey => Problem {
                kind: "authentication_error",
                ..invalid(401, "invalid_api_key", "The API key is not known here.".to_string(), None)
            },
            Self::Busy => Problem {
                kind: "rate_limit_error",
                retry_after: Some(Duration::from_secs(1)),
                retry: Retry::Yes,
                ..invalid(
                    429,
                    "too_many_large_bodies",
                    "As many large requests are under way as fit; try again shortly.".to_string(),
                    None,
                )
            },
            Self::BodyTooLarge { limit } => invalid(
                413,
                "request_too_large",
                format!("The body is longer than the {limit} bytes that this endpoint allows."),
                None,
            ),
            Self::UnknownPath { path } => invalid(404, "unknown_path", format!("There is nothing at {path}."), None),
            Self::WrongMethod { allowed } => {
                invalid(405, "method_not_allowed", format!("Use {allowed} for this path."), None)
            }
        }
    }
}

/// Whose fault a failed try was; it decides whether the next target is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The caller's: another try on the same model would fail the same way.
    Caller,
    /// The provider's: the next target may do better.
    Provider,
    /// The operator's account or configuration at the provider: the next target, and this one rests long.
    Ours,
}

/// What went wrong with one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The request is invalid for this provider (400, 422 and the like).
    InvalidRequest,
    /// The prompt is longer than the model's context.
    ContextLength,
    /// The provider's policy refuses the prompt.
    ContentPolicy,
    /// The body is too large for the provider (413).
    TooLarge,
    /// 5xx, 529.
    Unavailable,
    /// 429 that passes with time.
    RateLimited,
    /// 408, 504.
    Timeout,
    /// The answer carried an error event where an answer was due.
    ErrorEvent,
    /// The answer ended before it was complete.
    Cut,
    /// The answer is not what the provider's API promises.
    Malformed,
    /// 401, 403: our credential is wrong or lacks a permission.
    Auth,
    /// 404: our model or deployment name is wrong.
    NotFound,
    /// 402, `insufficient_quota`: our account is out of money.
    Billing,
}

impl FaultKind {
    /// Whose fault it was.
    pub const fn whose(self) -> Whose {
        match self {
            Self::InvalidRequest | Self::ContextLength | Self::ContentPolicy | Self::TooLarge => Whose::Caller,
            Self::Unavailable | Self::RateLimited | Self::Timeout | Self::ErrorEvent | Self::Cut | Self::Malformed => {
                Whose::Provider
            }
            Self::Auth | Self::NotFound | Self::Billing => Whose::Ours,
        }
    }

    /// The stable name used in error codes, records and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::ContextLength => "context_length_exceeded",
            Self::ContentPolicy => "content_policy_violation",
            Self::TooLarge => "request_too_large",
            Self::Unavailable => "unavailable",
            Self::RateLimited => "rate_limited",
            Self::Timeout => "timeout",
            Self::ErrorEvent => "error_event",
            Self::Cut => "cut",
            Self::Malformed => "malformed",
            Self::Auth => "auth",
            Self::NotFound => "not_found",
            Self::Billing => "billing",
        }
    }

    /// Reads the name that [`name`](Self::name) writes.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::InvalidRequest,
        Self::ContextLength,
        Self::ContentPolicy,
        Self::TooLarge,
        Self::Unavailable,
        Self::RateLimited,
        Self::Timeout,
        Self::ErrorEvent,
        Self::Cut,
        Self::Malformed,
        Self::Auth,
        Self::NotFound,
        Self::Billing,
    ];
}

/// One try's failure, as the provider told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamFault {
    /// What went wrong.
    pub kind: FaultKind,
    /// The provider's own words; shown to the caller only if the fault is the caller's.
    pub message: String,
    /// The provider's own error code, where it has one.
    pub code: Option<String>,
    /// The request's field at fault, as the provider names it.
    pub param: Option<String>,
    /// What programs go by beside the words, as Anthropic says it.
    pub details: Option<Box<Details>>,
    /// How long to wait before trying again, where the provider says so in its words and not only in a header.
    pub retry_after: Option<Duration>,
}

impl UpstreamFault {
    /// A fault without more words than its kind.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None, param: None, details: None, retry_after: None }
    }

    /// A caller's fault as the caller sees it: with the provider's words, and the status that SDKs map to a bad request.
    ///
    /// For faults of other kinds see [`exhausted`].
    pub fn problem(&self) -> Problem {
        Problem {
            status: if self.kind == FaultKind::TooLarge { 413 } else { 400 },
            kind: "invalid_request_error",
            code: match self.kind {
                FaultKind::InvalidRequest => self.code.clone().unwrap_or_else(|| "invalid_request".to_string()),
                kind => kind.name().to_string(),
            },
            message: self.message.clone(),
            param: self.param.clone(),
            details: self.details.clone(),
            retry_after: None,
            retry: Retry::No,
        }
    }

    /// What the caller is told within a stream that broke off after its first token, whoever is at fault.
    pub fn broken_off(&self) -> Problem {
        Problem {
            status: 502,
            kind: "upstream_error",
            code: "stream_incomplete".to_string(),
            message: format!(
                "The provider broke off before the answer was complete ({}); what came so far is not whole.",
                self.kind.name()
            ),
            param: None,
            details: None,
            retry_after: None,
            retry: Retry::No,
        }
    }
}

/// What the caller sees when every target has failed: the last failure decides, and each is named.
///
/// Whose account or key at a provider is wrong is the operator's affair: it is 502, never a 401 that blames the caller's key.
pub fn exhausted(plan: &Plan) -> Problem {
    let last = plan.failed.last();
    let kind = last.and_then(|failed| FaultKind::from_name(&failed.outcome));
    let (status, code) = match kind {
        Some(FaultKind::RateLimited) => (429, "rate_limited"),
        Some(FaultKind::Auth) => (502, "upstream_auth"),
        Some(FaultKind::Billing) => (502, "upstream_billing"),
        Some(FaultKind::NotFound) => (502, "upstream_not_found"),
        Some(FaultKind::Timeout) => (504, "upstream_timeout"),
        Some(FaultKind::Cut | FaultKind::Malformed | FaultKind::ErrorEvent) => (502, "upstream_bad_answer"),
        _ => (503, "upstream_unavailable"),
    };
    // The first target that is free again decides how long waiting takes.
    let retry_after = plan.failed.iter().filter_map(|failed| failed.retry_after).min();
    let limited = kind == Some(FaultKind::RateLimited);
    Problem {
        status,
        kind: if limited { "rate_limit_error" } else { "upstream_error" },
        code: code.to_string(),
        message: format!("No provider of '{}' could answer: {}.", plan.model, plan.tries()),
        param: None,
        details: None,
        retry_after: retry_after.filter(|_| limited),
        retry: if limited && retry_after.is_some() { Retry::Yes } else { Retry::No },
    }
}

/// Ours: something in Weir itself did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostFault {
    /// The filter has no configuration (yet).
    NoConfig,
    /// A request reached a provider's chain without a plan.
    NoPlan,
    /// The host refused a call that it must not refuse.
    Host,
}

impl HostFault {
    /// This error as the caller sees it.
    pub fn problem(self) -> Problem {
        let (status, code, message) = match self {
            Self::NoConfig => (503, "not_ready", "The gateway has no configuration yet; try again shortly."),
            Self::NoPlan => (500, "no_plan", "The request reached a provider without a plan; see the gateway's log."),
            Self::Host => (500, "internal_error", "The gateway could not process the request; see its log."),
        };
        Problem {
            status,
            kind: "server_error",
            code: code.to_string(),
            message: message.to_string(),
            param: None,
            details: None,
            retry_after: None,
            retry: Retry::No,
        }
    }
}
