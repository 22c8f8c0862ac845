//! What every dialect must be able to do.

mod call;
mod event;
mod failure;
mod head;

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

pub(crate) use self::{
    call::Call,
    event::{Event, Moment, half},
    failure::Failure,
    head::{failure, headers},
};
use crate::{
    Keyless, Options, UnknownModels,
    answer::{Answer, Ask},
    model::Model,
};

/// Speaks one provider's API. Stateless: what outlives a request is in [`State`](crate::state::State).
pub(crate) trait Dialect: Sync {
    /// The folder of its fixtures.
    fn folder(&self) -> &'static str;

    /// Checks what a request must carry in its headers, its key above all.
    fn admit(&self, call: &Call<'_>) -> Result<(), Failure>;

    /// Reads a chat request, and refuses what the provider would refuse.
    fn ask(&self, call: &Call<'_>, body: &Value, model: &Model) -> Result<Ask, Failure>;

    /// Decides what to say. A dialect whose answers repeat the request, or are referred to later, sees to it here.
    fn answer(&self, call: &Call<'_>, _body: &Value, ask: &Ask, model: &Model) -> Answer {
        Answer::to(ask, model, call.options().tokens, call.id.clone())
    }

    /// Writes an answer in one piece.
    fn whole(&self, answer: &Answer) -> Bytes;

    /// Writes an answer as the events of a stream.
    fn events(&self, answer: &Answer) -> Vec<Event>;

    /// Writes a failure: its status, and its body as JSON.
    fn failure(&self, failure: &Failure, request: &str) -> (u16, String);

    /// Writes a failure as an event of a stream that has begun.
    fn failure_event(&self, failure: &Failure, request: &str) -> Bytes;

    /// Writes in one piece that an answer failed after its status said 200.
    fn failed(&self, answer: &Answer, failure: &Failure) -> Bytes {
        Bytes::from(self.failure(failure, &answer.id).1)
    }

    /// Writes that an answer failed after some of its events.
    fn broken(&self, answer: &Answer, failure: &Failure, _told: &[Event]) -> Bytes {
        self.failure_event(failure, &answer.id)
    }

    /// Adds the headers of the provider's own that come with every answer.
    fn headers(&self, headers: &mut HeaderMap, request: &str);

    /// Adds the headers of the provider's own that come with a failure.
    fn failure_headers(&self, headers: &mut HeaderMap, failure: &Failure, status: u16) {
        if let Failure::RateLimited(Some(seconds)) = failure {
            set(headers, "retry-after", &seconds.to_string());
        }
        set(headers, "x-should-retry", if matches!(status, 408 | 429 | 500..) { "true" } else { "false" });
    }

    /// What a whole answer, or a failure, is served as.
    fn whole_type(&self) -> &'static str {
        "application/json"
    }

    /// What a stream is served as.
    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    /// An event that cannot be read, where `event` would have come. It begins as that one does: a reader that goes by
    /// the event's name must meet it, too.
    fn malformed(&self, event: &[u8]) -> Bytes {
        const GARBAGE: &[u8] = b"\x01\x02,,[{]}\n\n";
        Bytes::from([half(event), GARBAGE].concat())
    }

    /// Whether a body of this content type is read. It is JSON all the same.
    fn reads(&self, kind: &str) -> bool {
        kind.to_ascii_lowercase().starts_with("application/json")
    }

    /// The status an error within an answer stands for.
    fn overload(&self) -> u16 {
        500
    }

    /// What is said to a request that names no model.
    fn no_model(&self) -> &'static str {
        "you must provide a model parameter"
    }

    /// How the content policy refuses a request.
    fn refusal(&self) -> Refusal {
        Refusal::Failure
    }
}

/// How the content policy refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// With an error.
    Failure,
    /// With an answer that has no choices.
    Answer,
}

/// The id of a request in the form of a UUID.
pub(crate) fn uuid(id: &str) -> String {
    let part = |from: usize, to: usize| id.get(from..to).unwrap_or_default();
    format!("{:0>8}-{:0>4}-4000-8000-{:0>12}", part(0, 8), part(8, 12), part(12, 24))
}

/// `text` as JSON.
pub(crate) fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

/// Whether `key` is one the simulator accepts.
pub(crate) fn accepts(options: &Options, key: &str) -> bool {
    if options.keys.is_empty() { key.starts_with("sk-") } else { options.keys.iter().any(|known| known == key) }
}

/// Checks a key that comes as a bearer token.
pub(crate) fn bearer(call: &Call<'_>) -> Result<(), Failure> {
    match call.header("authorization").map(|value| value.strip_prefix("Bearer ")) {
        None if call.options().keyless == Keyless::Admit => Ok(()),
        None | Some(None) => Err(Failure::NoKey),
        Some(Some(key)) if accepts(call.options(), key.trim()) => Ok(()),
        Some(Some(_)) => Err(Failure::WrongKey(String::new())),
    }
}

/// Refuses a model that is not listed, where the options say so.
pub(crate) fn known(options: &Options, name: &str, model: &Model) -> Result<(), Failure> {
    let listed = || options.models.contains(&model.base);
    if options.unknown_models == UnknownModels::Answer || model.is_special() || listed() {
        Ok(())
    } else {
        Err(Failure::NoModel(name.to_owned()))
    }
}

/// Adds a header whose name and value are known to be well-formed; another is left out.
pub(crate) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = value.parse() {
        headers.append(name, value);
    }
}
