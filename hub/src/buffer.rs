//! Whole answers: collects an answer's chunks until it is complete, and checks that it is JSON.

use alloc::vec::Vec;

use crate::codec::json::{Flaw, Raw, Spans, check, check_into};
use crate::fault::{FaultKind, UpstreamFault};

/// No provider's answer is larger than this.
const MAX_BODY: usize = 64 << 20;

/// The chunks of an answer so far.
#[derive(Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    /// Whether the answer is too long: then nothing of it is held, and nothing more is added.
    overflowed: bool,
}

impl Buffer {
    /// Appends `chunk`. After the first error, nothing more is added.
    pub fn add(&mut self, chunk: &[u8]) -> Result<(), UpstreamFault> {
        if self.overflowed || self.bytes.len() + chunk.len() > MAX_BODY {
            *self = Self { bytes: Vec::new(), overflowed: true };
            return Err(malformed("The provider's answer is too long."));
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// Whether nothing has come yet, or all of it was taken out.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.overflowed
    }

    /// Takes all of it out; the buffer is empty afterwards.
    pub fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.bytes)
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// A chunk that still fitted was added behind one that did not.
    #[test]
    fn a_body_that_is_too_long_stays_so() {
        let mut buffer = Buffer::default();
        buffer.add(b"{").unwrap();
        let fault = buffer.add(&vec![b' '; MAX_BODY]).unwrap_err();
        assert_eq!(buffer.add(b"}"), Err(fault));
        assert!(!buffer.is_empty(), "what comes next is no whole answer");
        assert_eq!(parse(&buffer.take()).map(|_| ()), Err(cut_whole()));
    }
}
