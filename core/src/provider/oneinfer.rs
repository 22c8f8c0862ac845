//! `OneInfer`, which serves models of many makers through an API of its own: conversations of text, without tools.
//!
//! What its pages say is below, under their addresses. Where they say nothing, a comment says what is assumed.
//!
//! <https://oneinfer.ai/docs/api/chat-completions>,
//! <https://oneinfer.ai/docs/guides/chat-streaming>,
//! <https://oneinfer.ai/docs/api/ula-auth>,
//! <https://oneinfer.ai/docs/getting-started/inference-api>

mod ask;
mod fault;
mod reply;

use alloc::boxed::Box;

use weir_hub::call::ReplyStart;
use weir_hub::chat::Chat;
use weir_hub::endpoint::Endpoint;
use weir_hub::fault::{Reject, UpstreamFault};
use weir_hub::relay;
use weir_hub::reply::{Reader, Reply};

use super::{Ask, ChatApi, CredentialHeader, Provider, To};
use crate::upstream::Upstream;

/// The provider; see the module.
pub(super) struct OneInfer;

impl Provider for OneInfer {
    fn name(&self) -> &'static str {
        "oneinfer"
    }

    fn endpoint(&self) -> &'static str {
        "https://api.oneinfer.ai/v1/ula"
    }

    /// The credential is the token that is exchanged for a key, not the key itself.
    fn credential(&self) -> Option<CredentialHeader> {
        Some(CredentialHeader { name: "authorization", prefix: "Bearer " })
    }

    fn relays(&self, _: &str, _: Endpoint, _: &Upstream) -> bool {
        false
    }

    fn relayed(&self, start: &ReplyStart<'_>) -> Box<dyn Reply> {
        relay::reply(Box::new(reply::Reading::new()), start)
    }

    fn fault(&self, status: u16, body: &[u8]) -> UpstreamFault {
        fault::fault(status, body)
    }

    fn chat_api(&self) -> Option<&dyn ChatApi> {
        Some(self)
    }
}

impl ChatApi for OneInfer {
    fn write(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        Ok(Ask::json("/chat/completions", ask::write(chat, to)?))
    }

    fn reader(&self, _: &ReplyStart<'_>) -> Box<dyn Reader> {
        Box::new(reply::Reading::new())
    }
}

#[cfg(test)]
mod tests;
