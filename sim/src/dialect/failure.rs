//! The failures for which every dialect must have words.

/// A request that gets no answer, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No key.
    NoKey,
    /// A key that is not known, shown as far as the provider shows it.
    WrongKey(String),
    /// A model that is not known.
    NoModel(String),
    /// Nothing is at this path.
    NoPath { method: String, path: String },
    /// The request is not valid.
    Invalid { message: String, param: Option<String>, code: Option<&'static str> },
    /// The request is larger than the provider reads.
    TooLarge,
    /// Longer than the model's context.
    ContextLength,
    /// Refused by the content policy.
    ContentFilter,
    /// Too many requests; come again after so many seconds, where it says so.
    RateLimited(Option<u32>),
    /// No money left.
    InsufficientQuota,
    /// A status with nothing more to say.
    Status(u16),
}

impl Failure {
    /// An invalid request, because of `param`.
    pub(crate) fn invalid(message: impl Into<String>, param: Option<&str>, code: Option<&'static str>) -> Self {
        Self::Invalid { message: message.into(), param: param.map(str::to_owned), code }
    }
}
