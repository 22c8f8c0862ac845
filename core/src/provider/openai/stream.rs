//! A streamed chat answer, relayed: events go on byte for byte, except the usage chunk that the caller did not ask for.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::event::{Deltas, Members};
use super::fault::{in_answer, malformed};
use crate::codec::json::check;
use crate::codec::sse::{self, Block};
use crate::endpoint::UsageChunk;
use crate::fault::{FaultKind, UpstreamFault};
use crate::provider::passing::Passing;
use crate::provider::{Passage, Reply};
use crate::usage::Usage;

pub(super) struct Stream {
    reader: sse::Reader,
    progress: Progress,
}

/// What the blocks so far have told.
struct Progress {
    wanted: UsageChunk,
    phase: Phase,
    usage: Usage,
    model: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No token yet.
    Waiting,
    Begun,
    /// `[DONE]` was read; whatever follows is none of the caller's business.
    Done,
}

/// What becomes of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passed,
    LeftOut,
}

impl Stream {
    pub(super) fn new(wanted: UsageChunk) -> Self {
        let usage = Usage { estimated: true, ..Usage::default() };
        let progress = Progress { wanted, phase: Phase::Waiting, usage, model: None };
        Self { reader: sse::Reader::new(sse::MAX_EVENT), progress }
    }
}

impl Reply for Stream {
    fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let mut passing = Passing::new(chunk, self.reader.holds());
        let progress = &mut self.progress;
        let read = self.reader.read(chunk, |block| {
            match progress.block(&block)? {
                Fate::Passed => passing.pass(block.raw, out),
                Fate::LeftOut => passing.stop(out),
            }
            Ok(())
        });
        if read.is_err() {
            passing.stop(out);
        }
        read.map(|()| passing.end(out))
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let progress = &mut self.progress;
        // Some leave out the blank line after the last event. It is `[DONE]` all the same.
        self.reader.end(|block| {
            if block.data.as_deref() == Some(b"[DONE]") && progress.block(&block)? == Fate::Passed {
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            Ok(())
        })?;
        if self.done() {
            Ok(Passage::Rewritten)
        } else {
            Err(UpstreamFault::new(FaultKind::Cut, "The provider's stream ended before it was complete."))
        }
    }

    fn begun(&self) -> bool {
        self.progress.phase != Phase::Waiting
    }

    fn done(&self) -> bool {
        self.progress.phase == Phase::Done
    }

    fn usage(&self) -> Usage {
        self.progress.usage
    }

    fn model(&self) -> Option<&str> {
        self.progress.model.as_deref()
    }
}

impl Progress {
    fn block(&mut self, block: &Block<'_>) -> Result<Fate, UpstreamFault> {
        if self.phase == Phase::Done {
            return Ok(Fate::LeftOut);
        }
        match block.data.as_deref() {
            None | Some(b"") => Ok(Fate::Passed),
            Some(b"[DONE]") => {
                self.phase = Phase::Done;
                Ok(Fate::Passed)
            }
            Some(data) => self.chunk(data, block.name),
        }
    }

    fn chunk(&mut self, data: &[u8], event: &[u8]) -> Result<Fate, UpstreamFault> {
        let chunk = core::str::from_utf8(data)
            .ok()
            .and_then(|text| check(text).ok())
            .ok_or_else(|| malformed("The provider sent an event that is not JSON."))?;
        let members = Members::read(chunk);
        if members.is_error() || event == b"error" {
            return Err(in_answer(chunk));
        }
        if self.model.is_none() {
            self.model = members.model().map(Cow::into_owned);
        }
        if let Some(usage) = members.usage() {
            self.usage = usage;
        }
        let deltas = members.choices.map(Deltas::read).unwrap_or_default();
        if deltas.tokens > 0 || deltas.finished {
            self.phase = Phase::Begun;
        }
        if self.usage.estimated {
            self.usage.output += deltas.tokens;
        }
        Ok(if self.wanted == UsageChunk::Unwanted && members.is_usage_only() { Fate::LeftOut } else { Fate::Passed })
    }
}
