//! What every dialect must be able to do, and the failures it must have words for.

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

use crate::{
    Options,
    answer::{Answer, Ask},
    model::Model,
    state::State,
};

/// Speaks one provider's API. Stateless: what outlives a request is in [`State`].
pub(crate) trait Dialect: Sync {
    /// The folder of its fixtures.
    fn folder(&self) -> &'static str;

    /// Checks what a request must carry in its headers.
    fn admit(&self, headers: &HeaderMap, options: &Options) -> Result<(), Failure>;

    /// Reads a chat request, and refuses what the provider would refuse.
    fn ask(&self, headers: &HeaderMap, body: &Value, model: &Model, state: &State) -> Result<Ask, Failure>;

    /// Writes an answer in one piece.
    fn whole(&self, answer: &Answer) -> Bytes;

    /// Writes an answer as the events of a stream.
    fn events(&self, answer: &Answer) -> Vec<Event>;

    /// Writes a failure: its status, and its body as JSON.
    fn failure(&self, failure: &Failure, request: &str) -> (u16, String);

    /// Writes a failure as an event of a stream that has begun.
    fn failure_event(&self, failure: &Failure, request: &str) -> Bytes;

    /// Adds the headers of the provider's own that come with every answer.
    fn headers(&self, headers: &mut HeaderMap, request: &str);
}

/// One event of a stream, framed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) moment: Moment,
    pub(crate) bytes: Bytes,
}

/// Where in a stream an event stands; faults are aimed by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Not something said: a role, a start, a ping, the frame of a block.
    Frame,
    /// Something said.
    Token,
    /// Why it ended, and what it cost.
    Finish,
    /// The last event.
    Terminal,
}

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

/// `text` as JSON.
pub(crate) fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

/// Whether `key` is one the simulator accepts.
pub(crate) fn accepts(options: &Options, key: &str) -> bool {
    if options.keys.is_empty() { key.starts_with("sk-") } else { options.keys.iter().any(|known| known == key) }
}

/// Adds a header whose name and value are known to be well-formed; another is left out.
pub(crate) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = value.parse() {
        headers.append(name, value);
    }
}
