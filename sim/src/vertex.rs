//! Vertex AI: Gemini's API with Google Cloud's credentials, and Anthropic's ([`claude`]) as a guest in it.
//!
//! Shapes: <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>,
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429>.

mod claude;
mod predict;
mod status;

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

pub(crate) use self::{claude::Claude, predict::predict};
use crate::{
    answer::{Answer, Ask},
    dialect::{Call, Dialect, Event, Failure, Refusal, bearer},
    gemini::{Api, Framing, Gemini},
    model::Model,
};

/// The dialect of `/v1/projects/…/publishers/google/models/…`.
pub(crate) struct Vertex(pub(crate) Framing);

impl Vertex {
    /// The API it speaks.
    fn gemini(&self) -> Gemini {
        Gemini { framing: self.0, api: Api::Vertex }
    }
}

impl Dialect for Vertex {
    fn folder(&self) -> &'static str {
        "vertex"
    }

    fn admit(&self, call: &Call<'_>) -> Result<(), Failure> {
        admit(call)
    }

    fn ask(&self, call: &Call<'_>, body: &Value, model: &Model) -> Result<Ask, Failure> {
        self.gemini().ask(call, body, model)
    }

    fn whole(&self, answer: &Answer) -> Bytes {
        self.gemini().whole(answer)
    }

    fn events(&self, answer: &Answer) -> Vec<Event> {
        self.gemini().events(answer)
    }

    fn failure(&self, failure: &Failure, _: &str) -> (u16, String) {
        status::status(failure).body()
    }

    fn failure_event(&self, failure: &Failure, _: &str) -> Bytes {
        Bytes::from(status::status(failure).body().1)
    }

    fn headers(&self, headers: &mut HeaderMap, request: &str) {
        self.gemini().headers(headers, request);
    }

    fn failure_headers(&self, _: &mut HeaderMap, _: &Failure, _: u16) {}

    fn whole_type(&self) -> &'static str {
        self.gemini().whole_type()
    }

    fn stream_type(&self) -> &'static str {
        self.gemini().stream_type()
    }

    fn overload(&self) -> u16 {
        503
    }

    fn refusal(&self) -> Refusal {
        Refusal::Answer
    }
}

/// Checks an access token; those of Google begin with `ya29.`.
fn admit(call: &Call<'_>) -> Result<(), Failure> {
    let token = call.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if call.options().keys.is_empty() && token.is_some_and(|token| token.starts_with("ya29.")) {
        return Ok(());
    }
    bearer(call)
}
