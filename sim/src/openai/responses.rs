//! OpenAI's Responses API. Requests are checked in [`check`] and read in [`ask`], answers written in [`write`] and
//! [`events`]; [`past`] remembers what `previous_response_id` may refer to.
//!
//! Shapes: <https://platform.openai.com/docs/api-reference/responses>,
//! <https://platform.openai.com/docs/api-reference/responses-streaming>.

mod ask;
mod check;
mod events;
mod write;

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

use super::{ErrorObject, error};
use crate::{
    answer::{Answer, Ask},
    dialect::{Call, Dialect, Event, Failure},
    model::Model,
    reply::Decision,
    said,
};

/// The dialect of `/v1/responses`, at OpenAI or at another who has it: keys, headers and most failures are theirs.
pub(crate) struct Responses(pub(crate) &'static dyn Dialect);

impl Dialect for Responses {
    fn folder(&self) -> &'static str {
        self.0.folder()
    }

    fn admit(&self, call: &Call<'_>) -> Result<(), Failure> {
        self.0.admit(call)
    }

    fn ask(&self, call: &Call<'_>, body: &Value, model: &Model) -> Result<Ask, Failure> {
        check::check(body, model)?;
        ask::read(call, body, model)
    }

    fn answer(&self, call: &Call<'_>, body: &Value, ask: &Ask, model: &Model) -> Answer {
        let mut answer = Answer::to(ask, model, call.options().tokens, call.id.clone());
        if body.get("store").and_then(Value::as_bool) != Some(false) {
            call.state.past.note(&answer);
        }
        answer.echo = body.clone();
        if let Some(fields) = answer.echo.as_object_mut() {
            fields.remove("input");
        }
        answer
    }

    fn whole(&self, answer: &Answer) -> Bytes {
        write::whole(answer)
    }

    fn events(&self, answer: &Answer) -> Vec<Event> {
        events::events(answer)
    }

    fn failed(&self, answer: &Answer, failure: &Failure) -> Bytes {
        write::failed(answer, &said(failure))
    }

    fn broken(&self, answer: &Answer, failure: &Failure, told: &[Event]) -> Bytes {
        events::broken(answer, &said(failure), told)
    }

    fn failure(&self, failure: &Failure, request: &str) -> (u16, String) {
        if *failure == Failure::ContextLength {
            let error = said(failure);
            return (error.status, error.body());
        }
        self.0.failure(failure, request)
    }

    fn failure_event(&self, failure: &Failure, _: &str) -> Bytes {
        events::error(&said(failure), 0)
    }

    fn headers(&self, headers: &mut HeaderMap, request: &str) {
        self.0.headers(headers, request);
    }

    fn failure_headers(&self, headers: &mut HeaderMap, failure: &Failure, status: u16) {
        self.0.failure_headers(headers, failure, status);
    }
}

/// A failure as this endpoint tells it.
fn said(failure: &Failure) -> ErrorObject {
    let mut error = error(failure);
    if *failure == Failure::ContextLength {
        error.param = Some("input".to_owned());
        "Your input exceeds the context window of this model. Please adjust your input and try again."
            .clone_into(&mut error.message);
    }
    error
}

/// Answers `/v1/responses/input_tokens`.
pub(crate) fn input_tokens(call: &Call<'_>) -> Decision {
    said::free(call, |body, model| {
        let ask = call.dialect.ask(call, body, model)?;
        Ok(Bytes::from(format!(r#"{{"object":"response.input_tokens","input_tokens":{}}}"#, ask.input_tokens)))
    })
}
