//! What a request gets, before it is performed: a status, headers and a script, or no answer at all.

use std::time::Duration;

use bytes::Bytes;
use hyper::{
    HeaderMap,
    header::{CONTENT_TYPE, HeaderValue},
};

use crate::{Fault, script::Step};

/// An answer, ready to be performed.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) script: Vec<Step>,
    pub(crate) length: Length,
}

/// What is said about the length of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// The length of what is sent.
    Known,
    /// Nothing: HTTP/1.1 sends chunks.
    Chunked,
    /// This length, whatever is sent.
    Claimed(usize),
}

/// What a request gets.
pub(crate) enum Decision {
    /// An answer, after a while.
    Answer { after: Duration, reply: Reply, fault: Option<Fault> },
    /// An answer at once, whose bytes must stay as they are: never compressed.
    Verbatim(Reply),
    /// No answer, ever.
    Hang,
    /// A reset, as if nothing had been read.
    Refuse,
    /// A reset.
    Reset,
}

impl Decision {
    /// An answer at once.
    pub(crate) fn now(reply: Reply) -> Self {
        Self::Answer { after: Duration::ZERO, reply, fault: None }
    }

    /// Whether the request was read by the model and gets no answer: its input costs something all the same.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self, Self::Hang | Self::Reset)
    }
}

/// An answer of JSON with a known length.
pub(crate) fn json(mut headers: HeaderMap, status: u16, body: Bytes) -> Reply {
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    Reply { status, headers, script: vec![Step::Send(body)], length: Length::Known }
}
