//! Gemini, as Google AI serves it. Vertex serves it with small differences, and shares this code.
//!
//! Schemas are sent as JSON Schema, which the API accepts unchanged (`parametersJsonSchema`, `responseJsonSchema`). Its
//! own older schema format can express less.
//!
//! <https://ai.google.dev/api/generate-content>, <https://ai.google.dev/api/caching#Content>,
//! <https://ai.google.dev/gemini-api/docs/thought-signatures>, <https://ai.google.dev/gemini-api/docs/troubleshooting>

pub(super) mod ask;
mod embedding;
pub(super) mod fault;
mod model;
pub(super) mod plain;
pub(super) mod proofs;
pub(super) mod reply;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::call::{Call, ReplyStart};
use weir_hub::chat::Chat;
use weir_hub::codec::json::Raw;
use weir_hub::codec::json::write::object;
use weir_hub::embed::{Embed, Vectors};
use weir_hub::endpoint::{Delivery, Endpoint, Family};
use weir_hub::fault::{Reject, UpstreamFault};
use weir_hub::relay;
use weir_hub::reply::{Reader, Reply};
use weir_hub::signature::{self, Maker};

use super::{Ask, ChatApi, CountApi, CredentialHeader, EmbedApi, Provider, To, ToolName};
use crate::upstream::{Upstream, Url};
pub(super) use embedding::read as read_embeddings;
use reply::Reading;

/// The provider; see the module.
pub(super) struct Gemini;

/// Where Gemini is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    GoogleAi,
    Vertex,
}

impl Provider for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn endpoint(&self) -> &'static str {
        "https://generativelanguage.googleapis.com/v1beta"
    }

    fn misplaced(&self, url: &Url, _: &Upstream) -> Option<(String, Url)> {
        let (base, rest) = ["/openai", "/models"].into_iter().find_map(|part| {
            let (base, rest) = url.prefix.split_at_checked(url.prefix.rfind(part)?)?;
            let ends = rest.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            let (_, version) = base.rsplit_once('/')?;
            (ends && matches!(version, "v1" | "v1beta" | "v1alpha")).then_some((base, rest))
        })?;
        Some((format!("this API begins above {rest}"), url.at(base)))
    }

    fn credential(&self) -> Option<CredentialHeader> {
        Some(CredentialHeader { name: "x-goog-api-key", prefix: "" })
    }

    fn relays(&self, _: &str, endpoint: Endpoint, _: &Upstream) -> bool {
        endpoint.family() == Family::Gemini
    }

    fn relay(&self, call: &Call<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        Ok(match plain::verb(call.asked.endpoint) {
            None => {
                let own = proofs::own(call, to);
                Ask::new(path(to), own)
            }
            Some(verb) => Ask::new(format!("/models/{}:{verb}", segment(to.model)), plain::renamed(call, to.model)),
        })
    }

    fn relayed(&self, start: &ReplyStart<'_>) -> Box<dyn Reply> {
        match plain::verb(start.asked.endpoint) {
            None => relay::reply(Box::new(Reading::new(start)), start),
            Some(_) => relay::reply(Box::new(plain::Plain(start.asked.endpoint)), start),
        }
    }

    /// <https://ai.google.dev/api/embeddings#method:-models.batchembedcontents>; the limit is from the API's refusal:
    /// "at most 100 requests can be in one batch".
    fn most_texts(&self, _: &str) -> usize {
        100
    }

    fn fault(&self, status: u16, body: &[u8]) -> UpstreamFault {
        fault::fault(status, body)
    }

    fn fault_in_answer(&self, answer: Raw<'_>) -> Option<UpstreamFault> {
        fault::in_answer(answer)
    }

    fn chat_api(&self) -> Option<&dyn ChatApi> {
        Some(self)
    }

    fn embed_api(&self) -> Option<&dyn EmbedApi> {
        Some(self)
    }

    fn count_api(&self) -> Option<&dyn CountApi> {
        Some(self)
    }
}

impl ChatApi for Gemini {
    fn write(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        let body = ask::write(chat, Host::GoogleAi, to)?;
        Ok(Ask::json(path(to), body))
    }

    fn reads_buckets(&self, _: &str) -> bool {
        true
    }

    fn takes_back(&self, proof: &str, _: &str, _: &Upstream) -> bool {
        signature::of(Maker::Gemini, proof).is_some()
    }

    /// According to the API's refusal.
    ///
    /// <https://ai.google.dev/api/caching#FunctionDeclaration>
    fn tool_name(&self, _: &str) -> ToolName {
        ToolName { longest: 128, besides: "-.:", begins_with_any: false }
    }

    fn reader(&self, start: &ReplyStart<'_>) -> Box<dyn Reader> {
        Box::new(Reading::new(start))
    }
}

impl EmbedApi for Gemini {
    fn embed(&self, embed: &Embed<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        let body = embedding::write(embed, to);
        Ok(Ask::json(format!("/models/{}:batchEmbedContents", segment(to.model)), body))
    }

    fn embedded<'a>(&self, answer: Raw<'a>) -> Option<Vectors<'a>> {
        embedding::read(answer)
    }
}

impl CountApi for Gemini {
    fn count(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        let asked = ask::write(chat, Host::GoogleAi, to)?;
        let mut body = Vec::with_capacity(asked.len() + 64);
        object(&mut body, |body| {
            body.object("generateContentRequest", |to_count| {
                to_count.string("model", &format!("models/{}", to.model));
                for (name, value) in Raw::of_checked(&asked).unwrap_or(Raw::NULL).members() {
                    to_count.raw(&name, value.text());
                }
            });
        });
        Ok(Ask::json(format!("/models/{}:countTokens", segment(to.model)), body))
    }

    fn counted(&self, answer: Raw<'_>) -> Option<u64> {
        counted(answer)
    }
}

/// Reads the count of tokens.
///
/// <https://ai.google.dev/api/tokens>
pub(super) fn counted(answer: Raw<'_>) -> Option<u64> {
    answer.get("totalTokens").and_then(Raw::integer)
}

/// The path of a chat.
fn path(to: &To<'_>) -> String {
    format!("/models/{}:{}", segment(to.model), verb(to.delivery))
}

/// The operation on a model. Without `alt=sse`, a stream would be one JSON array.
pub(super) const fn verb(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Whole => "generateContent",
        Delivery::Streamed => "streamGenerateContent?alt=sse",
    }
}

/// A model's name as one segment of a path. No colon may come before the operation's.
///
/// <https://datatracker.ietf.org/doc/html/rfc3986#section-3.3>
pub(super) fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let digit = |four: u8| char::from(b"0123456789ABCDEF".get(usize::from(four)).copied().unwrap_or(b'0'));
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    out
}

#[cfg(test)]
mod tests;
