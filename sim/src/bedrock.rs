//! Amazon Bedrock's runtime: Converse, `InvokeModel` where it embeds, and `CountTokens`. Requests are read in [`ask`] and checked in
//! [`check`], answers written in [`write`] and framed in [`frame`], signatures checked in [`sign`], failures in [`told`].
//!
//! Shapes: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>.

mod ask;
mod check;
mod exception;
mod frame;
mod invoke;
mod sign;
mod write;

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

pub(crate) use self::invoke::invoke;
use crate::{
    Keyless,
    answer::{Answer, Ask},
    dialect::{Call, Dialect, Event, Failure, accepts, set, uuid},
    model::Model,
    reply::Decision,
    said,
};

/// The dialect of `/model/…`.
pub(crate) struct Bedrock;

impl Dialect for Bedrock {
    fn folder(&self) -> &'static str {
        "bedrock"
    }

    fn admit(&self, call: &Call<'_>) -> Result<(), Failure> {
        let denied = |kind, message: &str| Err(Failure::invalid(message, None, Some(kind)));
        match call.header("authorization") {
            None if call.options().keyless == Keyless::Admit => Ok(()),
            None => denied("MissingAuthenticationTokenException", "Missing Authentication Token"),
            Some(value) => match value.strip_prefix("Bearer ") {
                Some(key) if key.starts_with("ABSK") && call.options().keys.is_empty() => Ok(()),
                Some(key) if accepts(call.options(), key) => Ok(()),
                Some(_) => {
                    denied("AccessDeniedException", "Authentication failed: Please make sure your API Key is valid.")
                }
                None => sign::check(call, value),
            },
        }
    }

    fn ask(&self, call: &Call<'_>, body: &Value, model: &Model) -> Result<Ask, Failure> {
        check::check(body, model)?;
        ask::read(body, model, call)
    }

    fn whole(&self, answer: &Answer) -> Bytes {
        write::whole(answer)
    }

    fn events(&self, answer: &Answer) -> Vec<Event> {
        write::events(answer)
    }

    fn failure(&self, failure: &Failure, _: &str) -> (u16, String) {
        let exception = exception::exception(failure);
        (exception.status, exception.body())
    }

    fn failure_event(&self, failure: &Failure, _: &str) -> Bytes {
        let exception = exception::exception(failure);
        frame::exception(&exception::member(exception.kind), &exception.body())
    }

    fn headers(&self, headers: &mut HeaderMap, request: &str) {
        set(headers, "x-amzn-requestid", &uuid(request));
    }

    fn failure_headers(&self, headers: &mut HeaderMap, failure: &Failure, _: u16) {
        let kind = exception::exception(failure).kind;
        set(headers, "x-amzn-errortype", &format!("{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/"));
    }

    fn stream_type(&self) -> &'static str {
        "application/vnd.amazon.eventstream"
    }

    /// Well framed: what cannot be read is what it carries. A broken frame would take the rest of the stream with it.
    fn malformed(&self, _: &[u8]) -> Bytes {
        frame::event("contentBlockDelta", "\u{1}\u{2},,[{]}")
    }

    /// Any: AWS's own clients send none where they invoke a model.
    fn reads(&self, _: &str) -> bool {
        true
    }

    fn overload(&self) -> u16 {
        503
    }
}

/// Answers `count-tokens`, of what Converse would be asked. Only models count, and not all of them.
pub(crate) fn count_tokens(call: &Call<'_>) -> Decision {
    said::free(call, |body, model| {
        let refuse = |why: &str| Err(Failure::invalid(why, None, None));
        let Some(converse) = body.pointer("/input/converse") else {
            return refuse("Input must hold one of converse, invokeModel.");
        };
        if PROFILES.iter().any(|region| model.name.starts_with(region)) {
            return refuse("The provided model doesn't support counting tokens.");
        }
        let mut keys = converse.as_object().into_iter().flat_map(|members| members.keys());
        if let Some(name) = keys.find(|name| !COUNTED.contains(&name.as_str())) {
            return refuse(&format!("The key {name} is not known in converse."));
        }
        check::check(converse, model)?;
        Ok(Bytes::from(format!("{{\"inputTokens\":{}}}", ask::input(converse))))
    })
}

/// What of a request can be counted.
const COUNTED: [&str; 4] = ["messages", "system", "toolConfig", "additionalModelRequestFields"];

/// How the names of inference profiles begin that span regions.
const PROFILES: [&str; 4] = ["us.", "eu.", "apac.", "global."];
