//! How answers are read: a [`Reader`] reads pieces; a [`Reply`] gives the bytes that the caller receives.

use alloc::vec::Vec;

use crate::buffer::cut;
use crate::codec::json::Raw;
use crate::fault::UpstreamFault;
use crate::piece::Piece;
use crate::progress::Progress;
use crate::usage::Usage;

/// Reads one answer to a chat as pieces, event by event.
pub trait Reader: Send {
    /// Reads one event of a stream.
    ///
    /// An error before the first token is a failed try. An error after it ends the stream with an error event.
    fn event(&mut self, event: Event<'_>, pieces: &mut Pieces<'_>) -> Result<Flow, UpstreamFault>;

    /// Reads a whole answer.
    fn whole(&mut self, answer: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault>;

    /// Whether only the stream's end is missing, as far as one can know. For dialects in which no event is marked as
    /// the last.
    fn awaits_end(&self) -> bool {
        false
    }

    /// The stream ended cleanly, without an event that [ended](Flow::Ended) it. Gives an error if this dialect does not
    /// allow that here.
    fn end(&mut self, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        let _ = pieces;
        Err(cut())
    }

    /// How many received bytes it keeps, to give them as pieces later. There is a limit to this.
    fn kept(&self) -> usize {
        0
    }

    /// The last event that such a stream lacks, for a caller who receives the stream unchanged.
    fn last_event(&self) -> &'static str {
        ""
    }

    /// The event with which the provider has reported a failure in its own API, as bytes of a stream. Only if all of it
    /// may be shown.
    fn own_failure(&self) -> Option<&str> {
        None
    }

    /// The number of the stream's next event, if the dialect numbers them.
    fn next_number(&self) -> u64 {
        0
    }
}

/// What a [`Reader`] gives its pieces to.
pub type Pieces<'p> = dyn FnMut(Piece<'_>) + 'p;

/// One event of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// JSON and the event's name (`event:`, `:event-type`); the name is empty if there is none.
    Json {
        /// The name.
        name: &'a str,
        /// The data.
        data: Raw<'a>,
    },
    /// A failure that the framing itself reports (`:exception-type`, `:error-code`): its name and its data.
    Exception {
        /// The name.
        name: &'a str,
        /// Usually an object with a `message`.
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
    /// More is to come. This event says only that the provider is working: a ping, a frame around content, or work
    /// without text.
    Alive,
    /// That was the last event. Anything that still follows has no meaning.
    Ended,
}

/// What happens to the chunk that was just read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// The caller receives exactly the bytes of this chunk; nothing was written to `out`.
    AsIs,
    /// The caller receives what was appended to `out` instead, possibly nothing: bytes may be held for a later chunk,
    /// and bytes held earlier come first.
    Rewritten,
}

/// Reads one successful answer (2xx), chunk by chunk, and writes it in the caller's dialect.
///
/// Chunks may be cut anywhere; the answer that is written does not depend on it. For [`Delivery::Whole`], the caller of
/// this trait may pass the body in one piece or in many. Nothing is written before [`end`](Self::end), unless it passes
/// as it is.
pub trait Reply: Send {
    /// Reads the next bytes (identity-encoded). Appends what the caller receives to `out`, unless the chunk passes as
    /// it is.
    ///
    /// An error before [`begun`](Self::begun) is a failed try. An error after it ends the stream with an error event.
    /// What was appended to `out` before the error came earlier in the stream, and still goes to the caller.
    fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<Passage, UpstreamFault>;

    /// The upstream ended the answer cleanly. Gives an error if the answer is incomplete in its own dialect (no
    /// terminal event, JSON cut short). [`Passage::AsIs`] means that there is nothing to add.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault>;

    /// How far the answer has come.
    fn progress(&self) -> &Progress;

    /// Whether the first token was seen: content, reasoning, a tool call, a refusal, or a finish reason. A whole answer
    /// has begun when it is complete, which may be at [`end`](Self::end).
    fn begun(&self) -> bool {
        self.progress().has_begun()
    }

    /// Whether the answer is complete: everything that the caller must receive has been written.
    fn done(&self) -> bool {
        self.progress().is_done()
    }

    /// Whether only the stream's end is missing. What is written at the end can be added to the last bytes, but once
    /// trailers have come, to nothing.
    fn awaits_end(&self) -> bool {
        false
    }

    /// Ends the answer here, as at a limit of tokens: appends what the caller then lacks. False if that cannot be, or need
    /// not: all of the content has passed.
    fn end_at_limit(&mut self, out: &mut Vec<u8>) -> bool {
        let _ = out;
        false
    }

    /// [The provider's own failure](Reader::own_failure), from the reader.
    fn own_failure(&self) -> Option<&str> {
        None
    }

    /// The number of the next event, if the dialect numbers them.
    fn next_number(&self) -> u64 {
        0
    }

    /// Tokens so far; final once the upstream has counted them.
    fn usage(&self) -> Usage {
        self.progress().usage
    }

    /// The model that answered, as the upstream names it.
    fn model(&self) -> Option<&str> {
        Some(&*self.progress().model).filter(|model| !model.is_empty())
    }
}
