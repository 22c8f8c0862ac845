//! How far an answer has come.

use alloc::string::{String, ToString};

use crate::call::ReplyStart;
use crate::codec::json::Str;
use crate::piece::Piece;
use crate::usage::{self, Usage};

/// More than any provider's name for an answer or a model has, in bytes. Each event of a stream repeats both.
const MAX_NAME: usize = 512;

/// How far an answer has come; what a [`Reply`](crate::reply::Reply) is asked about it.
pub struct Progress {
    phase: Phase,
    /// Tokens so far.
    pub usage: Usage,
    /// Empty if nobody has said.
    pub model: String,
    /// Names the answer where its provider does not.
    id: String,
    signs: Signs,
}

/// What a provider has said so far that shows that it works, or at least lives; only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// Tokens, or other bits of the answer.
    pub tokens: u64,
    /// Keep-alives: comments, pings, and events that frame the answer or tell of work that has no words.
    pub beats: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No token yet.
    Waiting,
    Begun,
    Done,
}

impl Default for Progress {
    /// An answer that names itself, or has no name.
    fn default() -> Self {
        let usage = Usage { estimated: true, ..Usage::default() };
        Self { phase: Phase::Waiting, usage, model: String::new(), id: String::new(), signs: Signs::default() }
    }
}

impl Progress {
    /// Of the answer that begins like this.
    pub fn new(start: &ReplyStart<'_>) -> Self {
        Self { model: start.model.to_string(), id: start.id.to_string(), ..Self::default() }
    }

    /// Notes what `piece` tells. An answer that its provider did not name is named.
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
            | Piece::Logprobs(_)
            | Piece::Finish(_) => 0,
        };
        // What the provider has not counted yet is guessed.
        if self.usage.estimated {
            self.usage.output += usage::guess(content);
        }
        self.begin();
        piece
    }

    /// A token was seen.
    pub fn begin(&mut self) {
        self.signs.tokens += 1;
        if self.phase == Phase::Waiting {
            self.phase = Phase::Begun;
        }
    }

    /// The answer is complete.
    pub fn finish(&mut self) {
        self.phase = Phase::Done;
    }

    /// The provider said that it lives.
    pub fn beat(&mut self) {
        self.signs.beats += 1;
    }

    /// What has been said so far.
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
