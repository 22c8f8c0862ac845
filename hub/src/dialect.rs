//! The APIs that callers speak to chat models, one file each. A dialect reads a request into a [`Chat`] and writes an
//! answer from [`Piece`]s. It does not know which provider answers.
//!
//! [`of`] finds the dialect of an endpoint. Errors have one format for each [`Family`] of endpoints: [`error`] and
//! [`error_event`].

pub mod anthropic;
mod arguments;
pub mod completions;
mod fields;
pub mod gemini;
pub mod openai;
pub mod responses;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::call::Call;
use crate::call::ReplyStart;
use crate::chat::Chat;
use crate::endpoint::{Endpoint, Family, Task};
use crate::fault::{Problem, Reject};
use crate::piece::{Answer, Piece};
use crate::tail::Tail;
use crate::usage::Usage;

/// At most this many fields of a request are named in an answer's notes, because all of them are in one header.
pub const MOST_NOTED: usize = 64;

/// One of the APIs that callers speak to chat models.
pub trait Dialect: Sync {
    /// Rewrites the body if it cannot be [read](Self::read) as it is; `None` if it can. The [`Chat`] that is read
    /// borrows from the rewritten body.
    fn reword(&self, call: &Call<'_>) -> Option<Vec<u8>> {
        let _ = call;
        None
    }

    /// Reads a request. Errors name the field as this dialect does.
    fn read<'a>(&self, call: &Call<'a>) -> Result<Chat<'a>, Reject>;

    /// This dialect's name for a field, which is given by its name in OpenAI's chat completions: `stop`,
    /// `messages[2].content`.
    fn field<'f>(&self, field: &'f str) -> Cow<'f, str>;

    /// What an answer repeats from its request: an object of those members, on one line. Empty if this dialect's
    /// answers repeat nothing.
    fn echo(&self, call: &Call<'_>) -> String {
        let _ = call;
        String::new()
    }

    /// Starts writing a streamed answer.
    fn stream(&self, start: &ReplyStart<'_>) -> Box<dyn Writer>;

    /// Starts to follow a streamed answer, to end it before its provider does.
    fn tail(&self, start: &ReplyStart<'_>) -> Box<dyn Tail>;

    /// Appends a whole answer.
    fn whole(&self, answer: &Answer, usage: &Usage, start: &ReplyStart<'_>, out: &mut Vec<u8>);
}

/// Writes the events of one streamed answer.
pub trait Writer: Send {
    /// Appends what `piece` adds, possibly nothing.
    fn piece(&mut self, piece: Piece<'_>, out: &mut Vec<u8>);

    /// The answer is complete: appends the end of the stream.
    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>);

    /// Whether the writer would keep what `piece` says, to write it later or again. There is a limit to how much is
    /// kept.
    fn keeps(&self, piece: &Piece<'_>) -> bool;

    /// The number of the next event, if this dialect numbers them.
    fn next_number(&self) -> u64 {
        0
    }
}

/// The dialect of a chat endpoint; `None` if the endpoint does not ask a chat model for an answer.
pub fn of(endpoint: Endpoint) -> Option<&'static dyn Dialect> {
    match endpoint {
        Endpoint::Chat => Some(&openai::Chat),
        Endpoint::Completions => Some(&completions::Completions),
        Endpoint::Responses => Some(&responses::Responses),
        Endpoint::Messages => Some(&anthropic::Messages),
        Endpoint::GenerateContent => Some(&gemini::GenerateContent),
        Endpoint::CountTokens
        | Endpoint::CountContent
        | Endpoint::Embeddings
        | Endpoint::EmbedContent
        | Endpoint::BatchEmbedContents
        | Endpoint::Images
        | Endpoint::ImageEdits
        | Endpoint::Transcriptions
        | Endpoint::Translations
        | Endpoint::Speech
        | Endpoint::Moderations
        | Endpoint::Rerank => None,
    }
}

/// The dialect in which a request to `endpoint` is written. Unlike [`of`], this includes endpoints that only count a
/// chat's tokens.
pub fn written_in(endpoint: Endpoint) -> Option<&'static dyn Dialect> {
    match (endpoint.task(), endpoint.family()) {
        (Task::Count, Family::Anthropic) => of(Endpoint::Messages),
        (Task::Count, Family::Gemini) => of(Endpoint::GenerateContent),
        _ => of(endpoint),
    }
}

/// The body of an error answer.
pub fn error(family: Family, problem: &Problem) -> Vec<u8> {
    match family {
        Family::OpenAi => openai::error(problem),
        Family::Anthropic => anthropic::error(problem),
        Family::Gemini => gemini::error(problem),
    }
}

/// Puts the phrase with which the caller's own API reports a prompt that is too long before another provider's message,
/// unless the message has it.
///
/// Agents recognize that phrase and shorten the conversation. Many look at nothing else.
pub fn say_too_long(family: Family, message: &mut String) {
    let (words, known) = match family {
        Family::OpenAi => ("This model's maximum context length is exceeded", "maximum context length"),
        Family::Anthropic => ("prompt is too long", "prompt is too long"),
        Family::Gemini => {
            ("The input token count exceeds the maximum number of tokens allowed", "maximum number of tokens allowed")
        }
    };
    if !message.contains(known) {
        *message = format!("{words}: {message}");
    }
}

/// The event that ends a failed stream of `endpoint`. `number` is the event's number, in a dialect that numbers events.
pub fn error_event(endpoint: Endpoint, problem: &Problem, number: u64) -> Vec<u8> {
    match endpoint.family() {
        _ if endpoint == Endpoint::Responses => responses::error_event(problem, number),
        Family::OpenAi => openai::error_event(problem),
        Family::Anthropic => anthropic::error_event(problem),
        Family::Gemini => gemini::error_event(problem),
    }
}
