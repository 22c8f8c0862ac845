//! Ends a streamed answer before its provider does, as if the model had reached its limit of tokens.
//!
//! A [`Tail`] follows the events that the caller has received, whoever wrote them: a provider whose bytes pass, or a
//! dialect's writer. So it knows what is open, and what an answer in that dialect lacks.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::codec::json::Raw;
use crate::fault::UpstreamFault;
use crate::frames::{Frames, Framing};
use crate::progress::Progress;
use crate::reply::{Event, Passage, Reply};
use crate::usage::Usage;

/// Follows a streamed answer in one dialect.
pub trait Tail: Send {
    /// Reads the next event that the caller has received.
    fn event(&mut self, data: Raw<'_>);

    /// How many alternatives have begun.
    fn alternatives(&self) -> usize {
        1
    }

    /// Appends what the caller lacks of an answer that ends here, at a limit of tokens. False, and nothing is appended,
    /// if the caller has received the answer's end.
    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) -> bool;
}

/// The alternatives of an answer: which have begun, and which have ended.
#[derive(Default)]
pub(crate) struct Alternatives {
    begun: Vec<u64>,
    ended: Vec<u64>,
}

/// No provider gives this many alternatives; a larger number is a mistake and must not take memory.
const MOST: u64 = 128;

impl Alternatives {
    /// Notes a part of the alternative with this number; `ends` if it is the last.
    pub(crate) fn note(&mut self, number: u64, ends: bool) {
        let list = if ends { &mut self.ended } else { &mut self.begun };
        if number < MOST && !list.contains(&number) {
            list.push(number);
        }
    }

    /// How many have begun.
    pub(crate) fn count(&self) -> usize {
        self.begun.len().max(1)
    }

    /// Those that have begun and have not ended. None, if all have.
    pub(crate) fn open(&self) -> Vec<u64> {
        self.begun.iter().filter(|number| !self.ended.contains(number)).copied().collect()
    }
}

/// `reply`, which can be [ended](Reply::end_at_limit): `tail` follows what the caller receives of it.
pub fn followed(reply: Box<dyn Reply>, tail: Box<dyn Tail>) -> Box<dyn Reply> {
    Box::new(Followed { reply, tail, frames: Frames::new(Framing::Sse), is_over: false })
}

struct Followed {
    reply: Box<dyn Reply>,
    tail: Box<dyn Tail>,
    frames: Frames,
    /// It was ended here.
    is_over: bool,
}

impl Reply for Followed {
    fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let before = out.len();
        let passage = self.reply.read(chunk, out)?;
        let Self { tail, frames, .. } = self;
        let received = match passage {
            Passage::AsIs => chunk,
            Passage::Rewritten => out.get(before..).unwrap_or_default(),
        };
        let mut follow = |event: Option<Event<'_>>| {
            if let Some(Event::Json { data, .. }) = event {
                tail.event(data);
            }
            Ok(())
        };
        frames.read(received, &mut follow)?;
        if received.ends_with(b"\r") {
            // Only whole blocks are received, so no line feed follows.
            frames.read(b"\n", &mut follow)?;
        }
        Ok(passage)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        self.reply.end(out)
    }

    fn progress(&self) -> &Progress {
        self.reply.progress()
    }

    fn begun(&self) -> bool {
        self.reply.begun()
    }

    fn done(&self) -> bool {
        self.is_over || self.reply.done()
    }

    fn awaits_end(&self) -> bool {
        !self.is_over && self.reply.awaits_end()
    }

    fn own_failure(&self) -> Option<&str> {
        self.reply.own_failure()
    }

    fn next_number(&self) -> u64 {
        self.reply.next_number()
    }

    fn usage(&self) -> Usage {
        self.reply.usage()
    }

    fn model(&self) -> Option<&str> {
        self.reply.model()
    }

    fn end_at_limit(&mut self, out: &mut Vec<u8>) -> bool {
        // A writer may wait with the finish until the stream has ended.
        let is_complete = self.reply.progress().finishes() >= self.tail.alternatives() || self.awaits_end();
        self.is_over = !is_complete && !self.done() && self.tail.end(&self.reply.usage(), out);
        self.is_over
    }
}
