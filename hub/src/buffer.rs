//! Whole answers: collects an answer's chunks until it is complete, and checks that it is JSON.

use alloc::vec::Vec;

use crate::codec::json::{Flaw, Raw, Spans, check, check_into};
use crate::fault::{FaultKind, UpstreamFault};

/// No provider's answer is larger than this.
const MAX_BODY: usize = 64 << 20;

/// The chunks of an answer so far.
#[derive(Default)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// Appends `chunk`.
    pub fn add(&mut self, chunk: &[u8]) -> Result<(), UpstreamFault> {
        if self.0.len() + chunk.len() > MAX_BODY {
            return Err(malformed("The provider's answer is too long."));
        }
        self.0.extend_from_slice(chunk);
        Ok(())
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes all of it out; the buffer is empty afterwards.
    pub fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.0)
    }
}

/// Reads a body that must be one JSON value.
pub fn parse(body: &[u8]) -> Result<Raw<'_>, UpstreamFault> {
    parse_by(body, check)
}

/// Like [`parse`], for a value whose members are then read: `spans` makes that quick.
pub fn parse_into<'a>(body: &'a [u8], spans: &'a mut Spans) -> Result<Raw<'a>, UpstreamFault> {
    parse_by(body, |text| check_into(text, spans))
}

/// Reads a body that must be one JSON value; `check` does the checking.
pub fn parse_by<'a, T>(body: &'a [u8], check: impl FnOnce(&'a str) -> Result<T, Flaw>) -> Result<T, UpstreamFault> {
    let not_json = || malformed("The provider's answer is not JSON.");
    match core::str::from_utf8(body) {
        Ok(text) => {
            check(text).map_err(|Flaw { offset, .. }| if offset >= body.len() { cut_whole() } else { not_json() })
        }
        Err(error) if error.error_len().is_none() => Err(cut_whole()),
        Err(_) => Err(not_json()),
    }
}

/// The fault of a whole answer that is incomplete.
pub fn cut_whole() -> UpstreamFault {
    UpstreamFault::new(FaultKind::Cut, "The provider's answer ended before it was complete.")
}

/// The fault of a stream that ended before its answer was complete.
pub fn cut() -> UpstreamFault {
    UpstreamFault::new(FaultKind::Cut, "The provider's stream ended before it was complete.")
}

/// The fault of an answer that its API does not allow.
pub fn malformed(message: &str) -> UpstreamFault {
    UpstreamFault::new(FaultKind::Malformed, message)
}
