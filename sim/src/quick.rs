//! Answers rendered once, for benchmarks: the simulator must not be what is measured.

use bytes::Bytes;
use hyper::HeaderMap;
use memchr::memmem;
use serde_json::Value;

use crate::{
    Options,
    answer::{Answer, Ask, Delivery, UsageEvent},
    dialect::Dialect,
    model::Model,
    route::{self, Call},
    script::Step,
    service::{Length, Reply, headers},
};

/// The rendered answers, one for each line of the table of routes.
pub(crate) struct Quick(Vec<Rendered>);

struct Rendered {
    whole: (HeaderMap, Bytes),
    stream: (HeaderMap, Bytes),
    /// The stream with the tokens used (OpenAI, on request).
    counted: Bytes,
}

impl Quick {
    pub(crate) fn new(options: &Options) -> Self {
        Self(route::dialects().map(|dialect| Rendered::new(dialect, options)).collect())
    }

    /// Picks the answer to a chat request by searching its bytes. What a message says cannot be mistaken for a field:
    /// within a string, quotes are escaped.
    pub(crate) fn reply(&self, call: &Call<'_>) -> Option<Reply> {
        let body = call.body;
        let rendered = self.0.get(call.line)?;
        let streamed = call.delivery(&Value::Null) == Delivery::Streamed || is_true(body, b"\"stream\"");
        let ((headers, bytes), length) =
            if streamed { (&rendered.stream, Length::Chunked) } else { (&rendered.whole, Length::Known) };
        let counted = streamed && is_true(body, b"\"include_usage\"");
        let bytes = if counted { &rendered.counted } else { bytes };
        Some(Reply { status: 200, headers: headers.clone(), script: vec![Step::Send(bytes.clone())], length })
    }
}

impl Rendered {
    fn new(dialect: &dyn Dialect, options: &Options) -> Self {
        let answer = |usage| {
            let model = options.models.first().map(String::as_str).unwrap_or_default();
            let ask = Ask { usage, ..Ask::saying(model, "Hello") };
            Answer::to(&ask, &Model::default(), options.tokens, "0000000000000000prerendered".to_owned())
        };
        let stream = |usage| {
            let events: Vec<Bytes> = dialect.events(&answer(usage)).into_iter().map(|event| event.bytes).collect();
            Bytes::from(events.concat())
        };
        Self {
            whole: (headers(dialect, "prerendered", Delivery::Whole), dialect.whole(&answer(UsageEvent::Unwanted))),
            stream: (headers(dialect, "prerendered", Delivery::Streamed), stream(UsageEvent::Unwanted)),
            counted: stream(UsageEvent::Wanted),
        }
    }
}

/// Whether the field `name` (with its quotes) is there and true.
fn is_true(body: &[u8], name: &[u8]) -> bool {
    memmem::find_iter(body, name).any(|at| {
        let after = body.get(at + name.len()..).unwrap_or_default().trim_ascii_start();
        after.strip_prefix(b":").is_some_and(|value| value.trim_ascii_start().starts_with(b"true"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_but_not_within_a_string() {
        assert!(is_true(br#"{"model":"m","stream" : true}"#, b"\"stream\""));
        assert!(!is_true(br#"{"stream":false}"#, b"\"stream\""));
        assert!(!is_true(br#"{"content":"say \"stream\":true"}"#, b"\"stream\""));
    }
}
