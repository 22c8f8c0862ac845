//! Anthropic's models on Vertex AI: their Messages API without `model`, with a version in the body. What is wrong with a
//! message is told in Anthropic's words, what is wrong with who asks in Google's.
//!
//! <https://platform.claude.com/docs/en/api/claude-on-vertex-ai>

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

use super::{admit, status::status};
use crate::{
    answer::{Answer, Ask},
    anthropic::{self, Anthropic},
    dialect::{Call, Dialect, Event, Failure, set},
    model::Model,
};

/// The dialect of `/v1/projects/…/publishers/anthropic/models/…`.
pub(crate) struct Claude;

/// The versions that go in the body: that of this place, and for newer clients that of the API itself.
const VERSIONS: [&str; 2] = ["vertex-2023-10-16", "2026-10-21"];

impl Dialect for Claude {
    fn folder(&self) -> &'static str {
        "vertex"
    }

    fn admit(&self, call: &Call<'_>) -> Result<(), Failure> {
        admit(call)
    }

    fn ask(&self, call: &Call<'_>, body: &Value, model: &Model) -> Result<Ask, Failure> {
        let refuse = |message: String| Err(Failure::invalid(message, None, None));
        let mut plain = body.clone();
        let Some(fields) = plain.as_object_mut() else { return refuse("Input should be an object".to_owned()) };
        let Some(version) = fields.remove("anthropic_version") else {
            return refuse("anthropic_version: Field required".to_owned());
        };
        let version = version.as_str().unwrap_or_default();
        if !VERSIONS.contains(&version) {
            return refuse(format!("anthropic_version: Input should be '{}'", VERSIONS.join("' or '")));
        }
        if fields.contains_key("model") {
            return refuse("model: Extra inputs are not permitted".to_owned());
        }
        fields.remove("anthropic_beta");
        fields.insert("model".to_owned(), model.name.as_str().into());
        // Dates follow an `@` here.
        let model = Model { base: model.base.replace('@', "-"), ..model.clone() };
        anthropic::read(call, &plain, &model, version)
    }

    fn whole(&self, answer: &Answer) -> Bytes {
        Anthropic.whole(&named(answer))
    }

    fn events(&self, answer: &Answer) -> Vec<Event> {
        Anthropic.events(&named(answer))
    }

    fn failure(&self, failure: &Failure, request: &str) -> (u16, String) {
        match failure {
            Failure::Invalid { .. }
            | Failure::TooLarge
            | Failure::ContextLength
            | Failure::ContentFilter
            | Failure::Status(408 | 500..) => Anthropic.failure(failure, &format!("vrtx_{request}")),
            other => status(other).body(),
        }
    }

    fn failure_event(&self, failure: &Failure, request: &str) -> Bytes {
        Anthropic.failure_event(failure, &format!("vrtx_{request}"))
    }

    fn headers(&self, headers: &mut HeaderMap, request: &str) {
        for (name, value) in [
            ("request-id", format!("req_vrtx_{request}").as_str()),
            ("vary", "origin"),
            ("vary", "referer"),
            ("vary", "x-origin"),
            ("server", "hcp-api"),
            ("x-content-type-options", "nosniff"),
            ("alt-svc", "h3=\":443\"; ma=2592000"),
        ] {
            set(headers, name, value);
        }
    }

    fn failure_headers(&self, _: &mut HeaderMap, _: &Failure, _: u16) {}

    fn overload(&self) -> u16 {
        529
    }
}

/// The answer with ids as they are given here.
fn named(answer: &Answer) -> Answer {
    let mut named = answer.clone();
    named.id = format!("vrtx_{}", named.id);
    for call in named.choices.iter_mut().flat_map(|choice| &mut choice.calls) {
        call.id = format!("vrtx_{}", call.id);
    }
    named
}
