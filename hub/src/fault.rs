//! Errors, sorted by whose fault they are, and the one object that callers see.
//!
//! [`Reject`] is the caller's fault and is always safe to show. [`UpstreamFault`] is a provider's failure.
//! [`HostFault`] is Weir's own. Each becomes a [`Problem`], which a dialect writes as its own error object. The fourth
//! kind, the operator's error in the configuration, is in `weir-core` and never reaches a caller.

mod reject;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use crate::codec::Unreadable;

pub use reject::{Reject, shown};

/// An error as callers see it, before a dialect writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// OpenAI's `error.type`.
    pub kind: &'static str,
    /// OpenAI's `error.code`; it does not change between versions.
    pub code: String,
    /// For people: what happened and what to do now.
    pub message: String,
    /// The request's field at fault.
    pub param: Option<String>,
    /// More fields for programs, in Anthropic's errors.
    pub details: Option<Box<Details>>,
    /// How long to wait before trying again, if that can help.
    pub retry_after: Option<Duration>,
    /// The value of `x-should-retry`: whether the same request may succeed later. If absent, the SDK uses its own rule.
    pub retry: Retry,
}

impl Problem {
    /// A problem that names no field and that a retry does not solve. `kind` is OpenAI's `error.type`, `code` its
    /// `error.code`.
    pub fn new(status: u16, kind: &'static str, code: impl Into<String>, message: impl Into<String>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self { status, kind, code, message, param: None, details: None, retry_after: None, retry: Retry::No }
    }
}

/// An object, as JSON: `{"error_code":…}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details(pub String);

/// Whether an official SDK should retry by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// No: the request, or the operator's configuration, would have to change first.
    No,
    /// Waiting can help (a rate limit).
    Yes,
    /// Unknown: nothing is said, and the SDK uses its own rule.
    Own,
}

/// Whose fault a failed try was. This decides whether the next target is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The caller's: another try on the same model would fail the same way.
    Caller,
    /// The provider's: the next target may succeed.
    Provider,
    /// The operator's account or configuration at the provider: the next target is tried, and this one rests for long.
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
    /// An error event came in place of an answer.
    ErrorEvent,
    /// The answer ended before it was complete.
    Cut,
    /// The answer breaks the rules of the provider's API.
    Malformed,
    /// Nobody could connect to the provider.
    Unreachable,
    /// The connection to the provider broke before an answer was there.
    Reset,
    /// 401, 403: our credential is wrong or lacks a permission.
    Auth,
    /// 404: our model or deployment name is wrong.
    NotFound,
    /// 402, `insufficient_quota`: our account is out of money.
    Billing,
}

impl FaultKind {
    /// Whether another model may accept a request that this one does not.
    pub const fn is_about_size(self) -> bool {
        matches!(self, Self::ContextLength | Self::TooLarge)
    }

    /// Whose fault it was.
    pub const fn whose(self) -> Whose {
        match self {
            Self::InvalidRequest | Self::ContextLength | Self::ContentPolicy | Self::TooLarge => Whose::Caller,
            Self::Unavailable
            | Self::RateLimited
            | Self::Timeout
            | Self::ErrorEvent
            | Self::Cut
            | Self::Malformed
            | Self::Unreachable
            | Self::Reset => Whose::Provider,
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
            Self::Unreachable => "connect_failure",
            Self::Reset => "reset",
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
    pub const ALL: [Self; 15] = [
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
        Self::Unreachable,
        Self::Reset,
        Self::Auth,
        Self::NotFound,
        Self::Billing,
    ];
}

/// The error code of an answer that broke off after its first token.
pub const BROKEN_OFF: &str = "stream_incomplete";

/// The words with which providers say that they are overloaded: Anthropic, hosts of OpenAI's API, Bedrock and Google.
const OVERLOADED: [&str; 8] = [
    "overloaded_error",
    "engine_overloaded",
    "server_is_overloaded",
    "service_unavailable",
    "serviceUnavailableException",
    "UNAVAILABLE",
    "503",
    "529",
];

/// One try's failure, as the provider told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamFault {
    /// What went wrong.
    pub kind: FaultKind,
    /// For an [error event](FaultKind::ErrorEvent): the kind that it would have had as an error answer, if the provider
    /// says so.
    pub class: Option<FaultKind>,
    /// The provider's own message. The caller sees it if the fault is the caller's, or if only an error event came.
    pub message: String,
    /// The provider's own error code, if it has one.
    pub code: Option<String>,
    /// The request's field at fault, as the provider names it.
    pub param: Option<String>,
    /// More fields for programs, in Anthropic's format.
    pub details: Option<Box<Details>>,
    /// How long to wait before trying again, if the provider says so in its message and not only in a header.
    pub retry_after: Option<Duration>,
    /// Whether the target may rest for this fault, if its kind allows that. False if a single request may have caused
    /// it.
    pub rests: bool,
}

impl UpstreamFault {
    /// A fault with a message, and nothing else.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        let (class, code, param, details, retry_after) = (None, None, None, None, None);
        Self { kind, class, message: message.into(), code, param, details, retry_after, rests: true }
    }

    /// The same fault, if it came as an event or in an answer with a status of success. A provider's fault becomes an
    /// error event, and its kind the event's class. Rate limits, and the faults of others, stay as they are.
    #[must_use]
    pub fn as_event(self) -> Self {
        if self.kind.whose() != Whose::Provider || matches!(self.kind, FaultKind::RateLimited | FaultKind::ErrorEvent) {
            return self;
        }
        Self { kind: FaultKind::ErrorEvent, class: Some(self.kind), ..self }
    }

    /// A caller's fault as the caller sees it: the provider's message, with the status that SDKs map to a bad request.
    ///
    /// For faults of other kinds the plan decides what the caller is told.
    pub fn problem(&self) -> Problem {
        let status = if self.kind == FaultKind::TooLarge { 413 } else { 400 };
        let code = match self.kind {
            FaultKind::InvalidRequest => self.code.as_deref().unwrap_or("invalid_request"),
            kind => kind.name(),
        };
        let (param, details) = (self.param.clone(), self.details.clone());
        Problem { param, details, ..Problem::new(status, "invalid_request_error", code, &*self.message) }
    }

    /// What the caller is told inside a stream that broke off after its first token, whoever is at fault. It includes
    /// the message of an error that the provider sent, unless that concerns the operator's account.
    pub fn broken_off(&self) -> Problem {
        let code = self.code.as_deref().unwrap_or_default();
        let (status, kind) = match self.class.unwrap_or(self.kind) {
            FaultKind::RateLimited => (429, "rate_limit_error"),
            FaultKind::Unavailable if OVERLOADED.contains(&code) => (503, "upstream_error"),
            _ => (502, "upstream_error"),
        };
        let mut message = format!(
            "The provider broke off before the answer was complete ({}); what came so far is not whole.",
            self.kind.name()
        );
        let said = self.class.is_some() || self.code.is_some();
        if said && self.kind.whose() != Whose::Ours && !self.message.is_empty() {
            message = format!("{message} It said: {}", self.message);
        }
        Problem::new(status, kind, BROKEN_OFF, message)
    }
}

impl From<Unreadable> for UpstreamFault {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Cut(problem) => Self::new(FaultKind::Cut, problem),
            Unreadable::Broken(problem) => Self::new(FaultKind::Malformed, problem),
        }
    }
}

/// Weir's own fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostFault {
    /// The filter has no configuration (yet).
    NoConfig,
    /// A request without a plan reached a provider's filter chain.
    NoPlan,
    /// The host refused a call that it should not refuse.
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
        Problem { retry: Retry::Own, ..Problem::new(status, "server_error", code, message) }
    }
}
