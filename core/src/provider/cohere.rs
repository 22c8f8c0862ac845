//! Cohere's API, version 2: chat, embeddings and rerank.
//!
//! <https://docs.cohere.com/reference/chat>,
//! <https://docs.cohere.com/reference/chat-stream>,
//! <https://docs.cohere.com/reference/embed>,
//! <https://docs.cohere.com/reference/rerank>,
//! <https://docs.cohere.com/reference/errors>

mod ask;
mod embed;
mod fault;
mod reply;
mod rerank;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;

use weir_hub::call::{Call, ReplyStart};
use weir_hub::chat::Chat;
use weir_hub::codec::json::Raw;
use weir_hub::embed::{Embed, Vectors};
use weir_hub::endpoint::Endpoint;
use weir_hub::fault::{Reject, UpstreamFault};
use weir_hub::relay;
use weir_hub::reply::{Reader, Reply};

use super::{Ask, ChatApi, CredentialHeader, EmbedApi, Provider, To, ToolName};
use crate::upstream::{Upstream, Url};

pub(super) use embed::{MOST_TEXTS, read as read_embeddings, write as write_embeddings};

/// The provider; see the module.
pub(super) struct Cohere;

impl Provider for Cohere {
    fn name(&self) -> &'static str {
        "cohere"
    }

    fn endpoint(&self) -> &'static str {
        "https://api.cohere.com/v2"
    }

    fn misplaced(&self, url: &Url, _: &Upstream) -> Option<(String, Url)> {
        let own = matches!(&*url.host, "api.cohere.com" | "api.cohere.ai") && url.prefix != "/v2";
        own.then(|| ("Weir speaks the API's version 2, which begins at /v2".to_owned(), url.at("/v2")))
    }

    fn credential(&self) -> Option<CredentialHeader> {
        Some(CredentialHeader { name: "authorization", prefix: "Bearer " })
    }

    fn relays(&self, _: &str, endpoint: Endpoint, _: &Upstream) -> bool {
        endpoint == Endpoint::Rerank
    }

    fn relay(&self, call: &Call<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        Ok(Ask::new("/rerank", rerank::body(call, to)?))
    }

    fn relayed(&self, start: &ReplyStart<'_>) -> Box<dyn Reply> {
        relay::reply(Box::new(rerank::Ranking), start)
    }

    fn most_texts(&self, _: &str) -> usize {
        MOST_TEXTS
    }

    fn fault(&self, status: u16, body: &[u8]) -> UpstreamFault {
        fault::fault(status, body)
    }

    fn chat_api(&self) -> Option<&dyn ChatApi> {
        Some(self)
    }

    fn embed_api(&self) -> Option<&dyn EmbedApi> {
        Some(self)
    }
}

impl ChatApi for Cohere {
    fn write(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        Ok(Ask::json("/chat", ask::write(chat, to)?))
    }

    /// No dashes, and no digit at the start.
    ///
    /// <https://docs.cohere.com/v1/reference/chat>, `tools.name`
    fn tool_name(&self, _: &str) -> ToolName {
        ToolName { besides: "", begins_with_any: false, ..ToolName::USUAL }
    }

    fn reader(&self, _: &ReplyStart<'_>) -> Box<dyn Reader> {
        Box::new(reply::Reading::new())
    }
}

impl EmbedApi for Cohere {
    fn embed(&self, embed: &Embed<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        let model = to.model;
        Ok(Ask::json("/embed", write_embeddings(embed, Some(model), to)))
    }

    fn embedded<'a>(&self, answer: Raw<'a>) -> Option<Vectors<'a>> {
        read_embeddings(answer)
    }
}

#[cfg(test)]
mod tests;
