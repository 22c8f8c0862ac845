//! A streamed chat answer, relayed: events go on byte for byte, except the usage chunk that the caller did not ask for.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::event::Beginning;
use super::fault::in_answer;
use crate::codec::sse::{self, Block};
use crate::endpoint::UsageChunk;
use crate::fault::{FaultKind, UpstreamFault};
use crate::provider::held::malformed;
use crate::provider::passing::Passing;
use crate::provider::progress::Progress;
use crate::provider::{Passage, Reply};

pub(super) struct Stream {
    reader: sse::Reader,
    watch: Watch,
}

/// What watches the blocks.
struct Watch {
    wanted: UsageChunk,
    beginning: Beginning,
    progress: Progress,
}

/// What becomes of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passed,
    LeftOut,
}

impl Stream {
    pub(super) fn new(wanted: UsageChunk) -> Self {
        let watch = Watch { wanted, beginning: Beginning::default(), progress: Progress::default() };
        Self { reader: sse::Reader::new(sse::MAX_EVENT), watch }
    }
}

impl Reply for Stream {
    fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let mut passing = Passing::new(chunk, self.reader.holds());
        let watch = &mut self.watch;
        let read = self.reader.read(chunk, |block| {
            match watch.block(&block)? {
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
        let watch = &mut self.watch;
        // Some leave out the blank line after the last event. It is `[DONE]` all the same.
        self.reader.end(|block| {
            if block.data.as_deref() == Some(b"[DONE]") && watch.block(&block)? == Fate::Passed {
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

    fn progress(&self) -> &Progress {
        &self.watch.progress
    }
}

impl Watch {
    fn block(&mut self, block: &Block<'_>) -> Result<Fate, UpstreamFault> {
        // What follows the end is none of the caller's business.
        if self.progress.is_done() {
            return Ok(Fate::LeftOut);
        }
        match block.data.as_deref() {
            None | Some(b"") => Ok(Fate::Passed),
            Some(b"[DONE]") => {
                self.progress.finish();
                Ok(Fate::Passed)
            }
            Some(data) => self.chunk(data, block.name),
        }
    }

    fn chunk(&mut self, data: &[u8], event: &[u8]) -> Result<Fate, UpstreamFault> {
        let (chunk, members) = core::str::from_utf8(data)
            .ok()
            .and_then(|text| self.beginning.check(text).ok())
            .ok_or_else(|| malformed("The provider sent an event that is not JSON."))?;
        if members.is_error() || event == b"error" {
            return Err(in_answer(chunk));
        }
        let progress = &mut self.progress;
        if progress.model.is_empty() {
            progress.model = members.model().map(Cow::into_owned).unwrap_or_default();
        }
        if let Some(usage) = members.usage() {
            progress.usage = usage;
        }
        let deltas = members.deltas;
        if deltas.tokens > 0 || deltas.finished {
            progress.begin();
        }
        if progress.usage.estimated {
            progress.usage.output += deltas.tokens;
        }
        Ok(if self.wanted == UsageChunk::Unwanted && members.is_usage_only() { Fate::LeftOut } else { Fate::Passed })
    }
}
