//! Anthropic's Messages API.
//!
//! <https://platform.claude.com/docs/en/api/messages>,
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>,
//! <https://platform.claude.com/docs/en/api/errors>,
//! <https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons>

pub(super) mod ask;
pub(super) mod fault;
pub(super) mod proofs;
pub(super) mod reply;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::vec::Vec;

use reply::Awaited;
use weir_hub::call::{Call, ReplyStart};
use weir_hub::chat::Chat;
use weir_hub::codec::json::write::{object, string};
use weir_hub::codec::json::{Edit, Raw, patch};
use weir_hub::endpoint::{Endpoint, Family};
use weir_hub::fault::{Reject, UpstreamFault};
use weir_hub::relay;
use weir_hub::reply::{Reader, Reply};
use weir_hub::signature::{self, Maker};

use super::{Ask, Body, ChatApi, CountApi, CredentialHeader, Provider, To, ToolName, claude};
use crate::upstream::Upstream;

/// The provider; see the module.
pub(super) struct Anthropic;

/// The fields of a request that are counted.
///
/// <https://platform.claude.com/docs/en/api/messages/count_tokens>
const COUNTED: [&str; 7] = ["model", "system", "messages", "tools", "tool_choice", "thinking", "output_config"];

impl Provider for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn endpoint(&self) -> &'static str {
        "https://api.anthropic.com/v1"
    }

    fn credential(&self) -> Option<CredentialHeader> {
        Some(CredentialHeader { name: "x-api-key", prefix: "" })
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }

    fn relays(&self, _: &str, endpoint: Endpoint, _: &Upstream) -> bool {
        endpoint.family() == Family::Anthropic
    }

    fn relay(&self, call: &Call<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        let path = if call.asked.endpoint == Endpoint::CountTokens { "/messages/count_tokens" } else { "/messages" };
        let mut edits = Vec::new();
        let mut name = Vec::new();
        if call.scan.string(call.body, "model")?.as_deref() != Some(to.model) {
            string(&mut name, to.model);
            edits.push(("model", Edit::Set(&name)));
        }
        let messages = proofs::without_others(call.body, call.scan);
        if messages.is_some() {
            to.leaves_thoughts();
        }
        edits.extend(messages.iter().map(|messages| ("messages", Edit::Set(messages))));
        let body = if edits.is_empty() { Body::AsIs } else { Body::Replaced(patch(call.body, call.scan, &edits)) };
        let mut ask = Ask::new(path, body);
        if !call.betas.is_empty() {
            ask.headers.push(("anthropic-beta", call.betas.to_owned()));
        }
        Ok(ask)
    }

    fn relayed(&self, start: &ReplyStart<'_>) -> Box<dyn Reply> {
        relay::reply(Box::new(reply::Reading::new(Awaited::at(start.asked.endpoint))), start)
    }

    fn fault(&self, status: u16, body: &[u8]) -> UpstreamFault {
        fault::fault(status, body)
    }

    fn chat_api(&self) -> Option<&dyn ChatApi> {
        Some(self)
    }

    fn count_api(&self) -> Option<&dyn CountApi> {
        Some(self)
    }
}

impl ChatApi for Anthropic {
    fn write(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        Ok(Ask::json("/messages", ask::write(chat, ask::Head::Model, to)?))
    }

    fn takes_back(&self, proof: &str, _: &str, _: &Upstream) -> bool {
        signature::of(Maker::Anthropic, proof).is_some()
    }

    fn tool_name(&self, model: &str) -> ToolName {
        claude::tool_name(model)
    }

    fn reader(&self, start: &ReplyStart<'_>) -> Box<dyn Reader> {
        Box::new(reply::Reading::new(Awaited::at(start.asked.endpoint)))
    }
}

impl CountApi for Anthropic {
    /// The request for a chat, without the fields that do not count: this API refuses all others here.
    fn count(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        let asked = ask::write(chat, ask::Head::Model, to)?;
        let mut body = Vec::with_capacity(asked.len());
        object(&mut body, |body| {
            for (name, value) in Raw::of_checked(&asked).unwrap_or(Raw::NULL).members() {
                if COUNTED.contains(&&*name) {
                    body.raw(&name, value.text());
                }
            }
        });
        Ok(Ask::json("/messages/count_tokens", body))
    }

    fn counted(&self, answer: Raw<'_>) -> Option<u64> {
        answer.get("input_tokens").and_then(Raw::integer)
    }
}

#[cfg(test)]
mod tests;
