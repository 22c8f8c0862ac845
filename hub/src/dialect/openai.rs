//! OpenAI's chat completions, as callers speak them: reads requests, writes answers and errors.
//!
//! <https://platform.openai.com/docs/api-reference/chat>

mod ending;
mod fault;
mod read;
mod stream;
mod whole;
mod write;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

pub(super) use ending::{Ending, Of};
pub use fault::error_object;
pub use fault::{error, error_event};
pub use read::is_neutral;
pub(super) use read::sampling;
pub(super) use write::write_usage;

use super::{Dialect, Writer};
use crate::call::Call;
use crate::call::ReplyStart;
use crate::chat;
use crate::fault::Reject;
use crate::piece::Answer;
use crate::tail::Tail;
use crate::usage::Usage;

/// The dialect; see the module.
pub struct Chat;

impl Dialect for Chat {
    fn read<'a>(&self, call: &Call<'a>) -> Result<chat::Chat<'a>, Reject> {
        read::read(call.body, call.scan)
    }

    fn field<'f>(&self, field: &'f str) -> Cow<'f, str> {
        Cow::Borrowed(field)
    }

    fn stream(&self, start: &ReplyStart<'_>) -> Box<dyn Writer> {
        Box::new(stream::Stream::new(start))
    }

    fn tail(&self, start: &ReplyStart<'_>) -> Box<dyn Tail> {
        Box::new(Ending::new(start, Of::Chat))
    }

    fn whole(&self, answer: &Answer, usage: &Usage, start: &ReplyStart<'_>, out: &mut Vec<u8>) {
        whole::write(answer, usage, start, out);
    }
}
