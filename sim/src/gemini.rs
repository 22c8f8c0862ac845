//! Google's Gemini API. Requests are read in [`ask`] and checked in [`check`], answers written in [`write`], failures in
//! [`told`].
//!
//! Shapes: <https://ai.google.dev/api/generate-content>, <https://ai.google.dev/api/embeddings>,
//! <https://ai.google.dev/gemini-api/docs/troubleshooting>.

mod ask;
mod check;
mod embed;
mod models;
mod status;
mod write;

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

pub(crate) use self::{
    embed::{batch, one as embed},
    models::models,
    status::{Status, status},
};
use crate::{
    Keyless,
    answer::{Answer, Ask},
    chat,
    dialect::{Call, Dialect, Event, Failure, Refusal, accepts, set},
    model::Model,
    reply::Decision,
};

/// The dialect of `/v1beta/models/…`.
pub(crate) struct Gemini {
    pub(crate) framing: Framing,
    pub(crate) api: Api,
}

/// Who offers it. Vertex AI wants roles, knows more of JSON schema, and tells what kind of traffic it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// The Gemini API, for developers.
    Developer,
    /// Vertex AI.
    Vertex,
}

/// How a stream is cut into events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `alt=sse`.
    Sse,
    /// Without: one JSON array, whose elements come one by one.
    Array,
}

impl Dialect for Gemini {
    fn folder(&self) -> &'static str {
        "gemini"
    }

    fn admit(&self, call: &Call<'_>) -> Result<(), Failure> {
        let query = call.head.uri.query().unwrap_or_default();
        let in_query = || query.split('&').find_map(|pair| pair.strip_prefix("key="));
        match call.header("x-goog-api-key").or_else(in_query) {
            Some(key) if key.starts_with("AIza") && call.options().keys.is_empty() => Ok(()),
            Some(key) if !accepts(call.options(), key) => Err(Failure::WrongKey(String::new())),
            None if call.options().keyless == Keyless::Refuse => Err(Failure::NoKey),
            _ => Ok(()),
        }
    }

    fn ask(&self, call: &Call<'_>, body: &Value, model: &Model) -> Result<Ask, Failure> {
        check::check(body, model, self.api)?;
        ask::read(body, model, call)
    }

    fn whole(&self, answer: &Answer) -> Bytes {
        write::whole(answer, self.api)
    }

    fn events(&self, answer: &Answer) -> Vec<Event> {
        write::events(answer, self.framing, self.api)
    }

    fn failure(&self, failure: &Failure, _: &str) -> (u16, String) {
        status(failure).body()
    }

    /// Not an event at all: where the model gives up in the middle of a stream, the error's JSON follows as it is, over
    /// several lines and without `data:`, and the body ends. <https://github.com/theopenco/llmgateway/pull/3616>
    fn failure_event(&self, failure: &Failure, _: &str) -> Bytes {
        Bytes::from(status(failure).body().1)
    }

    fn headers(&self, headers: &mut HeaderMap, _: &str) {
        for (name, value) in [
            ("vary", "Origin"),
            ("vary", "X-Origin"),
            ("vary", "Referer"),
            ("server", "scaffolding on HTTPServer2"),
            ("server-timing", "gfet4t7; dur=412"),
            ("x-xss-protection", "0"),
            ("x-frame-options", "SAMEORIGIN"),
            ("x-content-type-options", "nosniff"),
            ("alt-svc", "h3=\":443\"; ma=2592000"),
        ] {
            set(headers, name, value);
        }
    }

    /// None: when to come again is said in the error's details.
    fn failure_headers(&self, _: &mut HeaderMap, _: &Failure, _: u16) {}

    fn whole_type(&self) -> &'static str {
        "application/json; charset=UTF-8"
    }

    fn stream_type(&self) -> &'static str {
        match self.framing {
            Framing::Sse => "text/event-stream",
            Framing::Array => "application/json; charset=UTF-8",
        }
    }

    fn overload(&self) -> u16 {
        503
    }

    fn refusal(&self) -> Refusal {
        Refusal::Answer
    }
}

/// Answers `:countTokens`, of contents or of a whole request.
pub(crate) fn count_tokens(call: &Call<'_>) -> Decision {
    let counted = |body: &Value| {
        let total = ask::input(ask::field(body, "generateContentRequest").unwrap_or(body));
        Bytes::from(format!(
            r#"{{"totalTokens":{total},"promptTokensDetails":[{{"modality":"TEXT","tokenCount":{total}}}]}}"#
        ))
    };
    call.tell(chat::read(call).and_then(|(body, _)| {
        let unnamed = body.get("generateContentRequest").is_some_and(|whole| whole["model"].as_str().is_none());
        if unnamed {
            let why = "* CountTokensRequest.generate_content_request.model: model is not specified";
            return Err(Failure::invalid(why, None, None));
        }
        Ok(counted(&body))
    }))
}
