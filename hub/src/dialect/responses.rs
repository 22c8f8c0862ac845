//! OpenAI's Responses API, as callers speak it: reads requests, writes answers and the error event of a broken stream.
//!
//! Weir stores no responses. Every request has the whole conversation, as with `store: false`. The answer has
//! everything that the caller must send back: reasoning items always carry their proof in `encrypted_content`.
//!
//! <https://platform.openai.com/docs/api-reference/responses>,
//! <https://platform.openai.com/docs/api-reference/responses-streaming>

mod echo;
mod ending;
mod fault;
mod input;
mod read;
mod stream;
mod tools;
mod whole;
mod write;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub use fault::error_event;

use super::{Dialect, Writer};
use crate::call::Call;
use crate::call::ReplyStart;
use crate::chat::Chat;
use crate::fault::Reject;
use crate::piece::Answer;
use crate::tail::Tail;
use crate::usage::Usage;

/// The dialect; see the module.
pub struct Responses;

impl Dialect for Responses {
    fn read<'a>(&self, call: &Call<'a>) -> Result<Chat<'a>, Reject> {
        read::read(call.body, call.scan)
    }

    fn field<'f>(&self, field: &'f str) -> Cow<'f, str> {
        if let Some(rest) = field.strip_prefix("messages") {
            let rest = &*rest.replacen(".image_url.detail", ".detail", 1);
            // In this API a call is an item of its own; a message has no calls.
            let rest = match rest.split_once(".tool_calls[") {
                Some((item, call)) => format!("{item}.{}", call.rsplit('.').next().unwrap_or_default()),
                None => String::from(rest),
            };
            return Cow::Owned(format!("input{rest}"));
        }
        if let Some(rest) = field.strip_prefix("response_format") {
            return Cow::Owned(format!("text.format{}", rest.strip_prefix(".json_schema").unwrap_or(rest)));
        }
        match field {
            "max_tokens" | "max_completion_tokens" => Cow::Borrowed("max_output_tokens"),
            "reasoning_effort" => Cow::Borrowed("reasoning.effort"),
            "web_search_options" => Cow::Borrowed("tools.web_search"),
            "verbosity" => Cow::Borrowed("text.verbosity"),
            "logprobs" => Cow::Borrowed("include.message.output_text.logprobs"),
            _ if field.starts_with("tools[") => Cow::Owned(field.replacen(".function.", ".", 1)),
            _ => Cow::Borrowed(field),
        }
    }

    fn echo(&self, call: &Call<'_>) -> String {
        echo::of(call.body, call.scan)
    }

    fn stream(&self, start: &ReplyStart<'_>) -> Box<dyn Writer> {
        Box::new(stream::Stream::new(start))
    }

    fn tail(&self, _: &ReplyStart<'_>) -> Box<dyn Tail> {
        Box::new(ending::Ending::default())
    }

    fn whole(&self, answer: &Answer, usage: &Usage, start: &ReplyStart<'_>, out: &mut Vec<u8>) {
        whole::write(answer, usage, start, out);
    }
}
