//! OpenAI's legacy text completions, as callers speak them.
//!
//! A chat model answers in place of a completion model: the prompt becomes the user's message. This is noted as
//! emulated. What only a completion model can do (`suffix`, `echo`, several prompts at once) is refused by name.
//!
//! <https://platform.openai.com/docs/api-reference/completions>

mod read;
mod write;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use super::openai::{Ending, Of};
use super::{Dialect, Writer};
use crate::call::Call;
use crate::call::ReplyStart;
use crate::chat::Chat;
use crate::fault::Reject;
use crate::piece::Answer;
use crate::tail::Tail;
use crate::usage::Usage;

/// The dialect; see the module.
pub struct Completions;

impl Dialect for Completions {
    fn read<'a>(&self, call: &Call<'a>) -> Result<Chat<'a>, Reject> {
        read::read(call.body, call.scan)
    }

    fn field<'f>(&self, field: &'f str) -> Cow<'f, str> {
        Cow::Borrowed(match field {
            _ if field.starts_with("messages") => "prompt",
            "max_completion_tokens" => "max_tokens",
            _ => field,
        })
    }

    fn stream(&self, start: &ReplyStart<'_>) -> Box<dyn Writer> {
        Box::new(write::Stream::new(start))
    }

    fn tail(&self, start: &ReplyStart<'_>) -> Box<dyn Tail> {
        Box::new(Ending::new(start, Of::Completions))
    }

    fn whole(&self, answer: &Answer, usage: &Usage, start: &ReplyStart<'_>, out: &mut Vec<u8>) {
        write::whole(answer, usage, start, out);
    }
}
