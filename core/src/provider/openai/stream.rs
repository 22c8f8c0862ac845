//! Relays a streamed chat answer byte for byte, except the usage chunk that the caller did not ask for.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use weir_hub::buffer::{cut, malformed};
use weir_hub::codec::sse::{self, Block};
use weir_hub::endpoint::UsageChunk;
use weir_hub::fault::{FaultKind, UpstreamFault};
use weir_hub::passthrough::Passthrough;
use weir_hub::progress::Progress;
use weir_hub::reply::{Passage, Reply};

use super::event::{Beginning, Deltas, is_ping};
use super::fault::{failed, in_answer, stray};

pub(super) struct Stream {
    reader: sse::Reader<UpstreamFault>,
    watch: Watch,
}

/// What is read of the blocks.
struct Watch {
    wanted: UsageChunk,
    beginning: Beginning,
    /// The content of the choices in all events so far.
    choices: Deltas,
    progress: Progress,
}

/// The last event of every stream.
const DONE: &[u8] = b"data: [DONE]\n\n";

/// What happens to a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passed,
    LeftOut,
}

impl Stream {
    pub(super) fn new(wanted: UsageChunk) -> Self {
        let (beginning, choices, progress) = (Beginning::default(), Deltas::default(), Progress::default());
        let watch = Watch { wanted, beginning, choices, progress };
        Self { reader: sse::Reader::new(sse::MAX_EVENT), watch }
    }
}

impl Reply for Stream {
    fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let mut passthrough = Passthrough::new(chunk, self.reader.holds());
        let watch = &mut self.watch;
        let read = self.reader.read(chunk, |block| {
            match watch.block(&block)? {
                Fate::Passed => passthrough.pass(block.raw, out),
                Fate::LeftOut => passthrough.stop(out),
            }
            Ok(())
        });
        if read.is_err() {
            passthrough.stop(out);
        }
        read.map(|()| passthrough.end(out))
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let watch = &mut self.watch;
        // The last event may lack its blank line; it counts if it is otherwise complete.
        self.reader.end(|block| {
            match watch.block(&block) {
                Ok(Fate::Passed) => {
                    out.extend_from_slice(block.raw.trim_ascii_end());
                    out.extend_from_slice(b"\n\n");
                }
                // If it is not JSON, it was cut off. Earlier events tell whether the stream is complete.
                Ok(Fate::LeftOut) => {}
                Err(fault) if fault.kind == FaultKind::Malformed => {}
                Err(fault) => return Err(fault),
            }
            Ok(())
        })?;
        if !watch.progress.is_done() {
            if !watch.choices.all_finished() {
                return Err(cut());
            }
            // Every choice has given its finish reason, so only this event is missing.
            watch.progress.finish();
            out.extend_from_slice(DONE);
        }
        Ok(Passage::Rewritten)
    }

    fn progress(&self) -> &Progress {
        &self.watch.progress
    }

    fn awaits_end(&self) -> bool {
        let Watch { choices, progress, .. } = &self.watch;
        // Usage comes last. A host that gave usage before it finished may send more.
        !progress.is_done() && !progress.usage.estimated && choices.all_finished()
    }
}

impl Watch {
    fn block(&mut self, block: &Block<'_>) -> Result<Fate, UpstreamFault> {
        // Whatever follows the end of the answer is not for the caller.
        if self.progress.is_done() {
            return Ok(Fate::LeftOut);
        }
        match block.data.as_deref() {
            None | Some(b"") => {
                self.progress.beat();
                Ok(Fate::Passed)
            }
            // A comment that some proxy has turned into data; clients would read it as JSON.
            Some([b':', ..]) => {
                self.progress.beat();
                Ok(Fate::LeftOut)
            }
            // The event alone says that the connection is done, not that the answer is.
            Some(b"[DONE]") if !self.choices.all_finished() => Err(cut()),
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
        if !members.is_part() || members.is_ping() {
            return if members.is_ping() || core::str::from_utf8(event).is_ok_and(is_ping) {
                self.progress.beat();
                Ok(Fate::Passed)
            } else if self.choices.all_finished() {
                // The answer is complete without it.
                Ok(Fate::LeftOut)
            } else {
                Err(stray(chunk))
            };
        }
        let progress = &mut self.progress;
        if progress.model.is_empty() {
            progress.model = members.model().map(Cow::into_owned).unwrap_or_default();
        }
        if let Some(usage) = members.usage() {
            progress.usage = usage;
        }
        let deltas = members.deltas;
        if deltas.failed {
            return Err(failed());
        }
        self.choices.join(deltas);
        if deltas.tokens > 0 || deltas.finishes() {
            progress.begin();
        }
        if progress.usage.estimated {
            progress.usage.output += deltas.tokens;
        }
        Ok(if self.wanted == UsageChunk::Unwanted && members.is_usage_only() { Fate::LeftOut } else { Fate::Passed })
    }
}
