//! Mistral's API. Its chats are nearly OpenAI's, but messages must be in a certain order, some names differ, and
//! unknown fields are refused. Embeddings, moderations and transcriptions have OpenAI's format.
//!
//! <https://docs.mistral.ai/api/endpoint/chat>, <https://docs.mistral.ai/api/endpoint/embeddings>,
//! <https://docs.mistral.ai/capabilities/reasoning/>,
//! <https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/protocol/instruct/validator.py>

mod fault;
mod moderation;
mod transcription;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::call::{Call, ReplyStart};
use weir_hub::chat::{Chat, Effort, Thinking};
use weir_hub::codec::json::write::string;
use weir_hub::codec::json::{Edit, Raw, patch};
use weir_hub::endpoint::Endpoint;
use weir_hub::fault::{Reject, UpstreamFault};
use weir_hub::reply::{Reader, Reply};

use super::openai::{self, Accent, Order, Parts, Reasons};
use super::{Ask, Body, ChatApi, CredentialHeader, Provider, To};
use crate::upstream::{StreamUsage, Upstream};

/// The provider; see the module.
pub(super) struct Mistral;

/// How its chats differ from OpenAI's. Its streams give usage without being asked.
const ACCENT: Accent = Accent {
    unsupported: &["logit_bias", "logprobs", "safety_identifier", "service_tier", "top_logprobs", "user"],
    renamed: &[("max_completion_tokens", "max_tokens"), ("seed", "random_seed")],
    takes: &["guardrails", "prediction", "prompt_cache_key", "prompt_mode", "safe_prompt"],
    required: "any",
    stream_usage: StreamUsage::Unasked,
    reasons,
    model_lacks: |_, _| &[],
    most_stops: |_| usize::MAX,
    call_id,
    parts: Parts::Mistral,
    thinks_in_content: false,
    order: Order::Strict,
};

/// The highest temperature that it accepts.
const MAX_TEMPERATURE: f64 = 1.5;

impl Provider for Mistral {
    fn name(&self) -> &'static str {
        "mistral"
    }

    fn endpoint(&self) -> &'static str {
        "https://api.mistral.ai/v1"
    }

    fn credential(&self) -> Option<CredentialHeader> {
        Some(CredentialHeader { name: "authorization", prefix: "Bearer " })
    }

    fn relays(&self, _: &str, endpoint: Endpoint, upstream: &Upstream) -> bool {
        matches!(endpoint, Endpoint::Embeddings | Endpoint::Moderations | Endpoint::Transcriptions)
            && upstream.quirks.serves(endpoint)
    }

    fn relay(&self, call: &Call<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        match call.asked.endpoint {
            Endpoint::Moderations => moderation::check(call, to)?,
            Endpoint::Transcriptions => {
                transcription::check(call, to)?;
                return openai::relay(call, to);
            }
            _ => {}
        }
        let mut edits = Vec::new();
        let mut name = Vec::new();
        if call.scan.string(call.body, "model")?.as_deref() != Some(to.model) {
            string(&mut name, to.model);
            edits.push(("model", Edit::Set(&name)));
        }
        if let Some(dimensions) = call.scan.get(call.body, "dimensions") {
            edits.extend([("dimensions", Edit::Remove), ("output_dimension", Edit::Set(dimensions))]);
        }
        if call.scan.get(call.body, "user").is_some() {
            to.hint("user");
            edits.push(("user", Edit::Remove));
        }
        let body = if edits.is_empty() { Body::AsIs } else { Body::Replaced(patch(call.body, call.scan, &edits)) };
        Ok(Ask::new(openai::path_at(call.asked.endpoint, to.upstream), body))
    }

    fn relayed(&self, start: &ReplyStart<'_>) -> Box<dyn Reply> {
        match start.asked.endpoint {
            Endpoint::Moderations => moderation::reply(start),
            _ => openai::relayed(start),
        }
    }

    fn fault(&self, status: u16, body: &[u8]) -> UpstreamFault {
        fault::fault(status, body)
    }

    fn fault_in_answer(&self, answer: Raw<'_>) -> Option<UpstreamFault> {
        openai::fault_in_answer(answer)
    }

    fn chat_api(&self) -> Option<&dyn ChatApi> {
        Some(self)
    }
}

impl ChatApi for Mistral {
    fn write(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        if chat.temperature.and_then(Raw::number).is_some_and(|temperature| temperature > MAX_TEMPERATURE) {
            return Err(to.invalid("temperature", "it must be at most 1.5 for this provider"));
        }
        let accent = Accent { thinks_in_content: thinks(chat, to.model), ..ACCENT };
        Ok(Ask::json("/chat/completions", openai::write_with(chat, &accent, to)?))
    }

    fn reader(&self, start: &ReplyStart<'_>) -> Box<dyn Reader> {
        openai::reader(start)
    }
}

/// The efforts that a model accepts in `reasoning_effort`.
fn reasons(model: &str) -> Reasons {
    let begins = |names: &[&str]| names.iter().any(|name| model.starts_with(name));
    if begins(&["magistral"]) {
        Reasons::AsItDoes
    } else if begins(&["mistral-small", "mistral-medium"]) {
        Reasons::OnOrOff
    } else if begins(&["mistral-large"]) {
        Reasons::IfTold { most: Effort::High }
    } else {
        Reasons::Unknown
    }
}

/// Whether the model will think. Only then does it recognize its own earlier thoughts.
fn thinks(chat: &Chat<'_>, model: &str) -> bool {
    let asked = chat.effort.is_some_and(|effort| effort > Effort::Minimal)
        || matches!(chat.thinking, Some(Thinking::Adaptive | Thinking::Budget(_)));
    reasons(model) == Reasons::AsItDoes || asked && chat.thinking != Some(Thinking::Off)
}

/// A call's id: nine letters and digits. Any other id is replaced by one made from it.
fn call_id(id: &str) -> Cow<'_, str> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Cow::Borrowed(id);
    }
    // FNV-1a, 64 bits: the same call has the same id in every request.
    let mut hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut name = String::with_capacity(9);
    for _ in 0..9 {
        let digit = usize::try_from(hash % 62).ok().and_then(|digit| DIGITS.get(digit));
        name.extend(digit.map(|digit| char::from(*digit)));
        hash /= 62;
    }
    Cow::Owned(name)
}

#[cfg(test)]
mod tests;
