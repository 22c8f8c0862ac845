//! A whole answer, relayed: it goes on byte for byte, once it is known to be complete and no error in disguise.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::event::{Deltas, Members};
use super::fault::{in_answer, malformed};
use crate::codec::json::{Flaw, Kind, Raw, check};
use crate::endpoint::Endpoint;
use crate::fault::{FaultKind, UpstreamFault};
use crate::provider::{Passage, Reply};
use crate::usage::Usage;

/// More than any provider answers with.
const MAX_BODY: usize = 64 << 20;

pub(super) struct Whole {
    endpoint: Endpoint,
    /// What came so far, unless it was complete at once.
    held: Vec<u8>,
    complete: bool,
    usage: Usage,
    model: Option<String>,
}

impl Whole {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        let usage = Usage { estimated: true, ..Usage::default() };
        Self { endpoint, held: Vec::new(), complete: false, usage, model: None }
    }

    fn inspect(&mut self, answer: Raw<'_>) -> Result<(), UpstreamFault> {
        let members = Members::read(answer);
        if members.is_error() {
            return Err(in_answer(answer));
        }
        let (due, missing) = match self.endpoint {
            Endpoint::Embeddings | Endpoint::Images | Endpoint::ImageEdits => {
                (members.data, "The provider's answer has no data.")
            }
            Endpoint::Moderations | Endpoint::Rerank => (members.results, "The provider's answer has no results."),
            _ => (members.choices, "The provider's answer has no choices."),
        };
        let due = due.filter(|due| due.kind() == Kind::Array).ok_or_else(|| malformed(missing))?;
        self.model = members.model().map(Cow::into_owned);
        match members.usage() {
            Some(usage) => self.usage = usage,
            None if self.endpoint.is_chat() => self.usage.output = Deltas::read(due).tokens,
            None => {}
        }
        self.complete = true;
        Ok(())
    }
}

/// Reads a body that should be one JSON value.
pub(in crate::provider) fn parse(body: &[u8]) -> Result<Raw<'_>, UpstreamFault> {
    let not_json = || malformed("The provider's answer is not JSON.");
    match core::str::from_utf8(body) {
        Ok(text) => check(text).map_err(|Flaw { offset, .. }| if offset >= body.len() { cut() } else { not_json() }),
        Err(error) if error.error_len().is_none() => Err(cut()),
        Err(_) => Err(not_json()),
    }
}

fn cut() -> UpstreamFault {
    UpstreamFault::new(FaultKind::Cut, "The provider's answer ended before it was complete.")
}

impl Reply for Whole {
    fn read(&mut self, chunk: &[u8], _: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        if self.complete {
            if chunk.iter().all(u8::is_ascii_whitespace) {
                return Ok(Passage::AsIs);
            }
            return Err(malformed("The provider's answer goes on after its end."));
        }
        if self.held.len() + chunk.len() > MAX_BODY {
            return Err(malformed("The provider's answer is too long."));
        }
        // Most answers come in one piece, and then nothing need be kept.
        if self.held.is_empty() && chunk.trim_ascii_end().ends_with(b"}") {
            match parse(chunk) {
                Ok(answer) => {
                    self.inspect(answer)?;
                    return Ok(Passage::AsIs);
                }
                Err(fault) if fault.kind != FaultKind::Cut => return Err(fault),
                Err(_) => {}
            }
        }
        self.held.extend_from_slice(chunk);
        Ok(Passage::AsIs)
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        if !self.complete {
            let held = core::mem::take(&mut self.held);
            self.inspect(parse(&held)?)?;
        }
        Ok(Passage::AsIs)
    }

    fn begun(&self) -> bool {
        self.complete
    }

    fn done(&self) -> bool {
        self.complete
    }

    fn usage(&self) -> Usage {
        self.usage
    }

    fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }
}
