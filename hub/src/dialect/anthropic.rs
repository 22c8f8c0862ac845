//! Anthropic's Messages API, as callers speak it: reads requests, writes answers and errors.
//!
//! Some things in an answer have no place in this API. Callers cannot ask for log probabilities and further
//! alternatives, so these are left out. A refusal is written as text, with the stop reason `refusal`. Of an image that
//! the model made, only a note in words is written. Proofs of reasoning of any maker travel unchanged in
//! `thinking.signature` and `redacted_thinking.data`. The header `anthropic-beta` only allows fields that the body then
//! uses, so it is not read.
//!
//! <https://platform.claude.com/docs/en/api/messages>,
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>

mod ending;
mod fault;
mod ids;
mod read;
mod stream;
mod whole;
mod write;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub use fault::{error, error_event};
pub use ids::call_id;

use super::{Dialect, Writer};
use crate::call::Call;
use crate::call::ReplyStart;
use crate::chat::Chat;
use crate::fault::Reject;
use crate::piece::Answer;
use crate::tail::Tail;
use crate::usage::Usage;

/// The dialect; see the module.
pub struct Messages;

/// The index that stands for the system prompt, which is not one of the messages.
pub const SYSTEM: usize = usize::MAX;

impl Dialect for Messages {
    fn read<'a>(&self, call: &Call<'a>) -> Result<Chat<'a>, Reject> {
        read::read(call.body, call.scan, call.asked.endpoint).map_err(|reject| match reject {
            Reject::Missing { field } => Reject::Missing { field: dotted(&field) },
            Reject::Invalid { field, problem } => Reject::Invalid { field: dotted(&field), problem },
            other => other,
        })
    }

    fn field<'f>(&self, field: &'f str) -> Cow<'f, str> {
        match field {
            "stop" => "stop_sequences".into(),
            "max_completion_tokens" => "max_tokens".into(),
            "parallel_tool_calls" => "tool_choice.disable_parallel_tool_use".into(),
            "reasoning_effort" => "output_config.effort".into(),
            "user" => "metadata.user_id".into(),
            _ if field.starts_with("response_format") => "output_config.format".into(),
            _ => dotted(&native(field)).into(),
        }
    }

    fn stream(&self, _: &ReplyStart<'_>) -> Box<dyn Writer> {
        Box::new(stream::Stream::default())
    }

    fn tail(&self, _: &ReplyStart<'_>) -> Box<dyn Tail> {
        Box::new(ending::Ending::default())
    }

    fn whole(&self, answer: &Answer, usage: &Usage, _: &ReplyStart<'_>, out: &mut Vec<u8>) {
        whole::write(answer, usage, out);
    }
}

/// This API's path for a path in OpenAI's API, if the two differ.
fn native(field: &str) -> Cow<'_, str> {
    // Calls are content blocks here. A call's number does not tell which block it is.
    if let Some((message, _)) = field.split_once(".tool_calls") {
        return format!("{message}.content").into();
    }
    if let Some((part, kind)) = field.rsplit_once("].")
        && part.contains(".content[")
        && matches!(kind.split('.').next(), Some("image_url" | "file" | "input_audio"))
    {
        return format!("{part}]").into();
    }
    match field.split_once(".function.") {
        Some((tool, "parameters")) => format!("{tool}.input_schema").into(),
        Some((tool, member)) => format!("{tool}.{member}").into(),
        None => field.into(),
    }
}

/// `messages[2].content[0]` as this API writes it: `messages.2.content.0`.
fn dotted(path: &str) -> String {
    let system = format!("messages[{SYSTEM}].content");
    let path = match path.strip_prefix(&system) {
        Some(rest) => format!("system{rest}"),
        None => path.into(),
    };
    path.replace('[', ".").replace(']', "")
}
