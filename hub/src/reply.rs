//! How answers are read: by a [`Reader`] as pieces, by a [`Reply`] as what the caller receives.

use alloc::vec::Vec;

use crate::buffer::cut;
use crate::codec::json::Raw;
use crate::fault::UpstreamFault;
use crate::piece::Piece;
use crate::progress::Progress;
use crate::usage::Usage;

/// Reads one answer to a chat, frame by frame, as pieces.
pub trait Reader: Send {
    /// Reads one event of a stream.
    ///
    /// An error before the first token is a failed try; after it, the stream ends with an error event.
    fn event(&mut self, event: Event<'_>, pieces: &mut Pieces<'_>) -> Result<Flow, UpstreamFault>;

    /// Reads a whole answer.
    fn whole(&mut self, answer: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault>;

    /// Whether the stream's end is all that lacks, as far as anybody can know: in dialects where no event is the last.
    fn awaits_end(&self) -> bool {
        false
    }

    /// A stream ended cleanly without an event that [ended](Flow::Ended) it. An error, if by this dialect that is too early.
    fn end(&mut self, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        let _ = pieces;
        Err(cut())
    }

    /// How many bytes it keeps of what came, to be told later. How much may be is bounded.
    fn kept(&self) -> usize {
        0
    }

    /// The event that such a stream lacks, for a caller to whom it passes as it comes.
    fn last_event(&self) -> &'static str {
        ""
    }

    /// The event with which the provider itself has told that the answer failed, in its own API, as bytes of a stream; only if
    /// all of it may be shown.
    fn own_failure(&self) -> Option<&str> {
        None
    }

    /// The number of the stream's next event, in a dialect that numbers them.
    fn next_number(&self) -> u64 {
        0
    }
}

/// What a [`Reader`] gives its pieces to.
pub type Pieces<'p> = dyn FnMut(Piece<'_>) + 'p;

/// One event of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// JSON, and the name under which it came (`event:`, `:event-type`); empty if it had none.
    Json {
        /// The name.
        name: &'a str,
        /// The data.
        data: Raw<'a>,
    },
    /// A failure that the framing itself calls one (`:exception-type`, `:error-code`): its name, and what is said of it.
    Exception {
        /// The name.
        name: &'a str,
        /// An object with a `message`, as a rule.
        data: Raw<'a>,
    },
    /// `[DONE]`
    Done,
}

/// Whether a stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// More is to come.
    More,
    /// More is to come, and this told nothing of the answer but that the provider is at it: a ping, a frame around content, work
    /// without words.
    Alive,
    /// That was the last event; what may still follow says nothing.
    Ended,
}

/// What becomes of the chunk that was just read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// The caller receives exactly the bytes of this chunk; nothing was written to `out`.
    AsIs,
    /// The caller receives what was appended to `out` instead, possibly nothing: bytes may be held for a later chunk, or
    /// held bytes come before this chunk's.
    Rewritten,
}

/// Reads one successful answer (2xx), chunk by chunk, and writes it in the caller's dialect.
///
/// Chunks are cut anywhere; the answer written is the same wherever they are cut. For [`Delivery::Whole`] the caller of
/// this trait may pass the body in one piece or many; nothing is written before [`end`](Self::end) unless passed as is.
pub trait Reply: Send {
    /// Reads the next bytes (identity-encoded), and appends what the caller receives to `out`, unless the
    /// chunk passes as it is.
    ///
    /// An error before [`begun`](Self::begun) is a failed try; after it, the stream ends with an error event. What was
    /// appended to `out` before the error came earlier in the stream, and still belongs to the caller.
    fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<Passage, UpstreamFault>;

    /// The upstream ended the answer cleanly. An error if the answer is incomplete by its own dialect (no terminal event,
    /// JSON cut short). [`Passage::AsIs`] means that nothing is to be added.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault>;

    /// How far the answer has come.
    fn progress(&self) -> &Progress;

    /// The first token was seen: first content, reasoning, tool-call or refusal delta, or a finish reason. A whole answer
    /// has begun when it is complete, which may be at [`end`](Self::end).
    fn begun(&self) -> bool {
        self.progress().has_begun()
    }

    /// The answer is complete: everything that the caller must receive has been written.
    fn done(&self) -> bool {
        self.progress().is_done()
    }

    /// Whether the stream's end is all that lacks. What is written at the end can be added to what came last, but to nothing
    /// once trailers have come.
    fn awaits_end(&self) -> bool {
        false
    }

    /// What the reader says of [its provider's own failure](Reader::own_failure).
    fn own_failure(&self) -> Option<&str> {
        None
    }

    /// The number of the event that would come next, in a dialect that numbers them.
    fn next_number(&self) -> u64 {
        0
    }

    /// Tokens so far; final once the upstream has said.
    fn usage(&self) -> Usage {
        self.progress().usage
    }

    /// The model that answered, as the upstream names it.
    fn model(&self) -> Option<&str> {
        Some(&*self.progress().model).filter(|model| !model.is_empty())
    }
}
