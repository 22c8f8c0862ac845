//! OpenAI's API, which OpenAI and most others speak: calls are relayed, and only what must change is changed.
//!
//! <https://platform.openai.com/docs/api-reference/chat>,
//! <https://platform.openai.com/docs/api-reference/embeddings>,
//! <https://platform.openai.com/docs/guides/error-codes>

mod ask;
mod audio;
mod count;
mod event;
mod fault;
mod fit;
mod model;
mod proofs;
mod reply;
mod stream;
mod strict;
mod typed;
mod whole;

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub(super) use ask::{Accent, Order, PLAIN, Parts, Reasons, write as write_with};
pub(super) use fault::{by_status, fault, stray};
pub(super) use model::MOST_STOPS;

use weir_hub::call::{Call, ReplyStart};
use weir_hub::chat::Chat;
use weir_hub::codec::BadBody;
use weir_hub::codec::json::write::string;
use weir_hub::codec::json::{self, Edit, Raw, patch};
use weir_hub::endpoint::{Asked, BodyKind, Delivery, Endpoint, Family, UsageChunk};
use weir_hub::fault::{Reject, UpstreamFault};
use weir_hub::relay as watch;
use weir_hub::reply::{Reader, Reply};

use super::{Ask, Body, ChatApi, CountApi, CredentialHeader, Provider, To};
use crate::upstream::{ReasoningField, StreamUsage, Upstream};

/// The provider; see the module.
pub(super) struct OpenAi;

impl Provider for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn endpoint(&self) -> &'static str {
        "https://api.openai.com/v1"
    }

    /// <https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle>,
    /// <https://ai.google.dev/gemini-api/docs/openai>
    fn elsewhere(&self) -> &'static [&'static str] {
        &[
            "https://openai.azure.com/openai/v1",
            "https://services.ai.azure.com/openai/v1",
            "https://cognitiveservices.azure.com/openai/v1",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ]
    }

    fn credential(&self) -> Option<CredentialHeader> {
        Some(CredentialHeader { name: "authorization", prefix: "Bearer " })
    }

    fn relays(&self, _: &str, endpoint: Endpoint, upstream: &Upstream) -> bool {
        endpoint.family() == Family::OpenAi && upstream.quirks.serves(endpoint)
    }

    fn untouched(&self, asked: Asked, upstream: &Upstream) -> Option<&'static str> {
        let asks_for_usage = asked.delivery == Delivery::Whole || asked.usage == UsageChunk::Wanted;
        // A conversation may have another provider's reasoning, so it must be read.
        let plain = upstream.quirks.is_plain() && asked.endpoint != Endpoint::Responses;
        (asks_for_usage && plain).then(|| path(asked.endpoint))
    }

    fn relay(&self, call: &Call<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        relay(call, to)
    }

    fn relayed(&self, start: &ReplyStart<'_>) -> Box<dyn Reply> {
        relayed(start)
    }

    fn fault(&self, status: u16, body: &[u8]) -> UpstreamFault {
        fault(status, body)
    }

    fn fault_in_answer(&self, answer: Raw<'_>) -> Option<UpstreamFault> {
        fault_in_answer(answer)
    }

    fn chat_api(&self) -> Option<&dyn ChatApi> {
        Some(self)
    }

    fn count_api(&self) -> Option<&dyn CountApi> {
        Some(self)
    }
}

impl ChatApi for OpenAi {
    fn write(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        Ok(Ask::json(path_at(Endpoint::Chat, to.upstream), write(chat, &PLAIN, to)?))
    }

    fn reader(&self, start: &ReplyStart<'_>) -> Box<dyn Reader> {
        reader(start)
    }

    fn takes_back(&self, _: &str, _: &str, upstream: &Upstream) -> bool {
        upstream.quirks.reasoning == Some(ReasoningField::ReasoningDetails)
    }
}

impl CountApi for OpenAi {
    fn count(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        Ok(Ask::json(path_at(Endpoint::CountTokens, to.upstream), count(chat, to)?))
    }

    fn counted(&self, answer: Raw<'_>) -> Option<u64> {
        counted(answer)
    }
}

/// The path below `/v1`.
fn path(endpoint: Endpoint) -> &'static str {
    if endpoint == Endpoint::CountTokens {
        return "/responses/input_tokens";
    }
    let path = endpoint.path();
    path.strip_prefix("/v1").unwrap_or(path)
}

/// Writes a chat in OpenAI's own format.
pub(super) fn write(chat: &Chat<'_>, accent: &Accent, to: &mut To<'_>) -> Result<Vec<u8>, Reject> {
    if !to.upstream.quirks.serves(Endpoint::Chat) {
        return Err(to.wrong_endpoint());
    }
    ask::write(chat, accent, to)
}

/// Writes a request that counts a chat's tokens. Only some hosts can count; they say so.
pub(super) fn count(chat: &Chat<'_>, to: &mut To<'_>) -> Result<Vec<u8>, Reject> {
    if !to.upstream.quirks.serves(Endpoint::CountTokens) {
        return Err(to.wrong_endpoint());
    }
    let body = write(chat, &PLAIN, to)?;
    Ok(count::write(Raw::of_checked(&body).unwrap_or(Raw::NULL)))
}

/// Reads the count of tokens.
pub(super) fn counted(answer: Raw<'_>) -> Option<u64> {
    answer.get("input_tokens").and_then(Raw::integer)
}

/// Starts reading the answer to a chat.
pub(super) fn reader(start: &ReplyStart<'_>) -> Box<dyn Reader> {
    Box::new(reply::Reading::new(start))
}

/// The path of an endpoint, at a host that may have its own.
pub(super) fn path_at(endpoint: Endpoint, upstream: &Upstream) -> String {
    upstream.quirks.paths.get(&endpoint).map_or_else(|| path(endpoint).to_owned(), Clone::clone)
}

/// Reads an error in an answer with a status of success.
pub(super) fn fault_in_answer(answer: Raw<'_>) -> Option<UpstreamFault> {
    event::Members::read(answer).is_error().then(|| fault::in_answer(answer))
}

/// Relays an answer to a caller who also speaks OpenAI's API.
pub(super) fn relayed(start: &ReplyStart<'_>) -> Box<dyn Reply> {
    match (start.asked.endpoint, start.asked.delivery) {
        (Endpoint::Speech | Endpoint::Transcriptions | Endpoint::Translations, _) => audio::relayed(start),
        (Endpoint::Responses, _) | (Endpoint::Images | Endpoint::ImageEdits, Delivery::Streamed) => {
            watch::reply(Box::new(typed::Reading::default()), start)
        }
        (_, Delivery::Whole) => Box::new(whole::Whole::new(start.asked.endpoint, start.texts)),
        (_, Delivery::Streamed) => Box::new(stream::Stream::new(start.asked.usage)),
    }
}

/// The caller's request, with this host's names for fields.
pub(super) fn relay(call: &Call<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
    Ok(Ask::new(path_at(call.asked.endpoint, to.upstream), body(call, to)?))
}

/// The caller's body for the model. A stream is always asked for its usage, because the record counts tokens with it.
pub(super) fn body(call: &Call<'_>, to: &mut To<'_>) -> Result<Body, Reject> {
    // A form is not changed here.
    if call.asked.endpoint.body() == BodyKind::Multipart {
        return Ok(Body::AsIs);
    }
    let quirks = &to.upstream.quirks;
    let mut edits = Vec::with_capacity(2);
    let mut name = Vec::new();
    if call.scan.string(call.body, "model")?.as_deref() != Some(to.model) {
        string(&mut name, to.model);
        edits.push(("model", Edit::Set(&name)));
    }
    let options;
    let tells_usage = matches!(call.asked.endpoint, Endpoint::Chat | Endpoint::Completions);
    if call.asked.delivery == Delivery::Streamed && tells_usage {
        match quirks.stream_usage {
            StreamUsage::Asked => {
                if let Some(asking) = asking_for_usage(call.scan.get(call.body, "stream_options"))? {
                    options = asking;
                    edits.push(("stream_options", Edit::Set(&options)));
                }
            }
            StreamUsage::Unasked => {
                if call.scan.get(call.body, "stream_options").is_some() {
                    edits.push(("stream_options", Edit::Remove));
                }
            }
        }
    }
    let input = call.scan.raw(call.body, "input").filter(|_| call.asked.endpoint == Endpoint::Responses);
    let own = input.and_then(proofs::without_others);
    if let Some(own) = &own {
        to.leaves_thoughts();
        edits.push(("input", Edit::Set(own)));
    }
    let changes = fit::changes(call, to);
    for (field, value) in &changes {
        edits.push((field, value.as_deref().map_or(Edit::Remove, Edit::Set)));
    }
    let passes = edits.is_empty() || to.judges();
    Ok(if passes { Body::AsIs } else { Body::Replaced(patch(call.body, call.scan, &edits)) })
}

/// Stream options that ask for usage; `None` if `options` already do.
fn asking_for_usage(options: Option<&[u8]>) -> Result<Option<Cow<'static, [u8]>>, Reject> {
    let options = match options {
        None | Some(b"null") => return Ok(Some(Cow::Borrowed(b"{\"include_usage\":true}"))),
        Some(options) => options,
    };
    let within = |bad| match bad {
        BadBody::Field { field, problem } if field == "body" => Reject::Invalid {
            field: "stream_options".to_owned(),
            problem: problem.replace("a JSON object", "an object"),
        },
        BadBody::Field { field, problem } => Reject::Invalid { field: format!("stream_options.{field}"), problem },
        other @ BadBody::Json { .. } => other.into(),
    };
    let scan = json::scan(options).map_err(within)?;
    if scan.boolean(options, "include_usage").map_err(within)? == Some(true) {
        return Ok(None);
    }
    Ok(Some(Cow::Owned(patch(options, &scan, &[("include_usage", Edit::Set(b"true"))]))))
}

#[cfg(test)]
mod tests;
