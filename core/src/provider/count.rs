//! Counting the tokens of a request, between Anthropic's dialect and a provider's own: the answer is written here.
//!
//! What is counted is the request as this provider would receive it, so that what it could not express is refused here too.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/token-counting>

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::openai::parse;
use super::translate::malformed;
use super::{Ask, Call, Passage, Provider, Reply, ReplyStart, To};
use crate::codec::json::write::object;
use crate::dialect;
use crate::fault::{Reject, UpstreamFault};
use crate::usage::Usage;

/// Writes the request for `provider`.
pub(super) fn ask(provider: &dyn Provider, call: &Call<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
    let dialect = dialect::written_in(call.endpoint).ok_or_else(|| Reject::unserved(call))?;
    let chat = dialect.read(call)?;
    to.known(&chat)?;
    provider.count(&chat, to)
}

/// An answer being read.
pub(super) struct Counted {
    provider: &'static dyn Provider,
    held: Vec<u8>,
    done: bool,
}

impl Counted {
    pub(super) fn reply(provider: &'static dyn Provider, _: &ReplyStart<'_>) -> Box<dyn Reply> {
        Box::new(Self { provider, held: Vec::new(), done: false })
    }
}

impl Reply for Counted {
    fn read(&mut self, chunk: &[u8], _: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        self.held.extend_from_slice(chunk);
        Ok(Passage::Rewritten)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let held = core::mem::take(&mut self.held);
        let answer = parse(&held)?;
        if let Some(fault) = self.provider.fault_in_answer(answer) {
            return Err(fault);
        }
        let count = self.provider.counted(answer);
        let count = count.ok_or_else(|| malformed("The provider's answer has no count."))?;
        object(out, |body| body.number("input_tokens", count));
        self.done = true;
        Ok(Passage::Rewritten)
    }

    fn begun(&self) -> bool {
        self.done
    }

    fn done(&self) -> bool {
        self.done
    }

    /// None: what is counted is not used.
    fn usage(&self) -> Usage {
        Usage::default()
    }

    fn model(&self) -> Option<&str> {
        None
    }
}
