//! Counts the tokens of a request, between Anthropic's or Gemini's dialect and a provider's own API. Writes the answer.
//!
//! Counts the request as this provider would receive it, so it refuses the same fields.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/token-counting>, <https://ai.google.dev/api/tokens>

use alloc::vec::Vec;

use weir_hub::buffer::{Buffer, malformed, parse};
use weir_hub::call::{Call, ReplyStart};
use weir_hub::codec::json::scan;
use weir_hub::codec::json::write::object;
use weir_hub::dialect::{self, Dialect};
use weir_hub::endpoint::Family;
use weir_hub::fault::{Reject, UpstreamFault};
use weir_hub::progress::Progress;
use weir_hub::reply::{Passage, Reply};
use weir_hub::usage::Usage;

use crate::provider::{Ask, Provider, To};

/// Writes the request for `provider`.
pub(super) fn ask(provider: &dyn Provider, call: &Call<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
    let dialect = dialect::written_in(call.asked.endpoint).ok_or_else(|| call.unserved())?;
    match dialect.reword(call) {
        None => read(provider, dialect, call, to),
        Some(body) => read(provider, dialect, &Call { body: &body, scan: &scan(&body)?, ..*call }, to),
    }
}

fn read(provider: &dyn Provider, dialect: &dyn Dialect, call: &Call<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
    let chat = dialect.read(call)?;
    to.known(&chat);
    let (Some(chats), Some(counts)) = (provider.chat_api(), provider.count_api()) else {
        return Err(to.wrong_endpoint());
    };
    counts.count(&to.fitted(chats, &chat), to)
}

/// An answer being read.
pub(super) struct Counted {
    provider: &'static dyn Provider,
    buffer: Buffer,
    progress: Progress,
    /// The name of the member with the count.
    name: &'static str,
}

impl Counted {
    pub(super) fn new(provider: &'static dyn Provider, start: &ReplyStart<'_>) -> Self {
        let name = if start.asked.endpoint.family() == Family::Gemini { "totalTokens" } else { "input_tokens" };
        Self { provider, buffer: Buffer::default(), progress: Progress::new(start), name }
    }
}

impl Reply for Counted {
    fn read(&mut self, chunk: &[u8], _: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        self.buffer.add(chunk)?;
        Ok(Passage::Rewritten)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let body = self.buffer.take();
        let answer = parse(&body)?;
        if let Some(fault) = self.provider.fault_in_answer(answer) {
            return Err(fault);
        }
        let count = self.provider.count_api().and_then(|api| api.counted(answer));
        let count = count.ok_or_else(|| malformed("The provider's answer has no count."))?;
        object(out, |body| body.number(self.name, count));
        // Counted tokens are not used tokens.
        self.progress.usage = Usage::default();
        self.progress.finish();
        Ok(Passage::Rewritten)
    }

    fn progress(&self) -> &Progress {
        &self.progress
    }
}
