//! The APIs that callers speak to chat models: one file each. A request is read into a [`Chat`], an answer written from
//! [`Piece`]s, and neither knows which provider is on the other side.
//!
//! [`of`] finds the dialect of an endpoint. Errors belong to a whole [`Family`] of endpoints: [`error`] and [`error_event`].

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
use crate::usage::Usage;

/// The most fields of a request that are named one by one where they are told: all of them stand in one header.
pub const MOST_NOTED: usize = 64;

/// One of the APIs that callers speak to chat models.
pub trait Dialect: Sync {
    /// The body in words that can be [read](Self::read), where the caller's cannot be as they stand: what is read borrows
    /// from it.
    fn reword(&self, call: &Call<'_>) -> Option<Vec<u8>> {
        let _ = call;
        None
    }

    /// Reads a request. What is wrong with it is told by the field's name in this dialect.
    fn read<'a>(&self, call: &Call<'a>) -> Result<Chat<'a>, Reject>;

    /// The name that this dialect has for a field, given as OpenAI's chat completions call it: `stop`, `messages[2].content`.
    fn field<'f>(&self, field: &'f str) -> Cow<'f, str>;

    /// What an answer repeats of its request: an object of the members that this dialect's answers have from there, on
    /// one line; empty if they have none.
    fn echo(&self, call: &Call<'_>) -> String {
        let _ = call;
        String::new()
    }

    /// Starts writing a streamed answer.
    fn stream(&self, start: &ReplyStart<'_>) -> Box<dyn Writer>;

    /// Appends a whole answer.
    fn whole(&self, answer: &Answer, usage: &Usage, start: &ReplyStart<'_>, out: &mut Vec<u8>);
}

/// Writes the events of one streamed answer.
pub trait Writer: Send {
    /// Appends what `piece` adds, possibly nothing.
    fn piece(&mut self, piece: Piece<'_>, out: &mut Vec<u8>);

    /// The answer is complete: appends what the stream ends with.
    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>);

    /// Whether what `piece` says would be kept, to be written later or once more. How much may be is bounded.
    fn keeps(&self, piece: &Piece<'_>) -> bool;

    /// The number of the next event, in a dialect that numbers them.
    fn next_number(&self) -> u64 {
        0
    }
}

/// The dialect of a chat endpoint; `None` for an endpoint that is no way to ask a chat model.
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

/// The dialect that a request to `endpoint` is written in: a chat's, also where only its tokens are to be counted.
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

/// Puts the words of the caller's own API for a prompt that is too long before those of another, unless they are there.
///
/// Agents shorten a conversation when they read them, and many have nothing else to go by.
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

/// The event with which a stream of `endpoint` ends that cannot go on; `number` is its place, where events are numbered.
pub fn error_event(endpoint: Endpoint, problem: &Problem, number: u64) -> Vec<u8> {
    match endpoint.family() {
        _ if endpoint == Endpoint::Responses => responses::error_event(problem, number),
        Family::OpenAi => openai::error_event(problem),
        Family::Anthropic => anthropic::error_event(problem),
        Family::Gemini => gemini::error_event(problem),
    }
}
