//! Answers rendered once, for benchmarks: the simulator must not be what is measured.

use bytes::Bytes;
use hyper::HeaderMap;
use memchr::memmem;

use crate::{
    answer::{Delivery, Usage},
    bill::Said,
    reply::{Length, Reply},
    script::Step,
};

/// The rendered answers, one for each line of the table of routes.
pub(crate) struct Quick(Vec<Rendered>);

/// The answers of one line.
pub(crate) struct Rendered {
    pub(crate) whole: (HeaderMap, Written),
    pub(crate) stream: (HeaderMap, Written),
    /// The stream with the tokens used (OpenAI, on request).
    pub(crate) counted: Written,
    pub(crate) usage: Usage,
}

/// A body, and whether it tells the tokens used.
#[derive(Clone)]
pub(crate) struct Written {
    pub(crate) bytes: Bytes,
    pub(crate) told: bool,
}

impl Quick {
    /// The answers of all lines.
    pub(crate) fn of(lines: impl Iterator<Item = Rendered>) -> Self {
        Self(lines.collect())
    }

    /// Picks the answer to a chat request of the table's line `line` by searching its bytes. What a message says cannot be mistaken for a field:
    /// within a string, quotes are escaped.
    pub(crate) fn reply(&self, line: usize, delivery: Delivery, body: &[u8]) -> Option<(Reply, Usage)> {
        let rendered = self.0.get(line)?;
        let streamed = delivery == Delivery::Streamed || is_true(body, b"\"stream\"");
        let ((headers, written), length) =
            if streamed { (&rendered.stream, Length::Chunked) } else { (&rendered.whole, Length::Known) };
        let counted = streamed && is_true(body, b"\"include_usage\"");
        let Written { bytes, told } = if counted { &rendered.counted } else { written };
        let said = Said { output: rendered.usage.output, told: *told, ends: true };
        let script = vec![Step::Said(said), Step::Send(bytes.clone())];
        Some((Reply { status: 200, headers: headers.clone(), script, length }, rendered.usage))
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
