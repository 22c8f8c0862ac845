//! How far an answer has come.

use alloc::string::{String, ToString};

use crate::call::ReplyStart;
use crate::codec::json::Str;
use crate::piece::Piece;
use crate::usage::{self, Usage};

/// No provider's name for an answer or a model is longer, in bytes. Each event of a stream repeats both.
const MAX_NAME: usize = 512;

/// How far an answer has come: what a [`Reply`](crate::reply::Reply) tells about it.
pub struct Progress {
    phase: Phase,
    /// Tokens so far.
    pub usage: Usage,
    /// Empty if the provider has not named it.
    pub model: String,
    /// The answer's name if its provider gives none.
    id: String,
    signs: Signs,
    /// How many alternatives have finished, as far as pieces tell.
    finishes: usize,
}

/// Counts of what a provider has sent that shows that it works, or at least lives. Only differences between two counts
/// mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// Tokens, or other parts of the answer.
    pub tokens: u64,
    /// Keep-alives: comments, pings, and events that frame the answer or report work without text.
    pub beats: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No token has come yet.
    Waiting,
    Begun,
    Done,
}

impl Default for Progress {
    /// For an answer that names itself, or needs no name.
    fn default() -> Self {
        let usage = Usage { estimated: true, ..Usage::default() };
        Self {
            phase: Phase::Waiting,
            usage,
            model: String::new(),
            id: String::new(),
            signs: Signs::default(),
            finishes: 0,
        }
    }
}

impl Progress {
    /// For the answer that begins like this.
    pub fn new(start: &ReplyStart<'_>) -> Self {
        Self { model: start.model.to_string(), id: start.id.to_string(), ..Self::default() }
    }

    /// Notes what `piece` says. Gives the answer a name if its provider did not.
    pub fn note<'p>(&'p mut self, piece: Piece<'p>) -> Piece<'p> {
        let content = match piece {
            Piece::Start { id, model } => {
                let is_name = |name: Str<'_>| (1..=MAX_NAME).contains(&name.written().len());
                if is_name(model) {
                    self.model = model.text().into_owned();
                }
                let id = if is_name(id) { id } else { Str::Plain(&self.id) };
                return Piece::Start { id, model: Str::Plain(&self.model) };
            }
            Piece::Usage(usage) => {
                self.usage = usage;
                return piece;
            }
            Piece::Choice(_) | Piece::StopSequence(_) => return piece,
            Piece::Text(text)
            | Piece::Refusal(text)
            | Piece::Reasoning { text, .. }
            | Piece::Arguments { json: text, .. } => text.bytes(),
            Piece::Signature { .. }
            | Piece::Redacted { .. }
            | Piece::Call { .. }
            | Piece::Citation(_)
            | Piece::Image { .. }
            | Piece::Logprobs(_) => 0,
            Piece::Finish(_) => {
                self.finishes += 1;
                0
            }
        };
        // Guesses what the provider has not counted yet.
        if self.usage.estimated {
            self.usage.output += usage::guess(content);
        }
        self.begin();
        piece
    }

    /// Notes that a token was seen.
    pub fn begin(&mut self) {
        self.signs.tokens += 1;
        if self.phase == Phase::Waiting {
            self.phase = Phase::Begun;
        }
    }

    /// Notes that the answer is complete.
    pub fn finish(&mut self) {
        self.phase = Phase::Done;
    }

    /// Notes a keep-alive.
    pub fn beat(&mut self) {
        self.signs.beats += 1;
    }

    /// How many alternatives have finished, as far as pieces tell.
    pub fn finishes(&self) -> usize {
        self.finishes
    }

    /// The counts so far.
    pub fn signs(&self) -> Signs {
        self.signs
    }

    /// Whether a token has been seen.
    pub fn has_begun(&self) -> bool {
        self.phase != Phase::Waiting
    }

    /// Whether the answer is complete.
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }
}
