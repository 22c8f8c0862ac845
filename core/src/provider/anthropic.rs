//! Anthropic's Messages API.
//!
//! <https://platform.claude.com/docs/en/api/messages>,
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>,
//! <https://platform.claude.com/docs/en/api/errors>,
//! <https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons>

mod ask;
mod fault;
mod model;
mod reply;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;

use super::local::wrong_endpoint;
use super::{Ask, Body, Call, CredentialHeader, Provider, Reply, ReplyStart};
use crate::codec::json::{Kind, Raw};
use crate::dialect::openai;
use crate::endpoint::Endpoint;
use crate::fault::{Reject, UpstreamFault};
use model::Generation;

/// See the module.
pub(super) struct Anthropic;

/// As it is called in refusals.
const NAME: &str = "anthropic";

/// The tool through which an answer comes that must be JSON (`response_format`). Its input is the answer's content.
const ANSWER_TOOL: &str = "weir_json_answer";

impl Provider for Anthropic {
    fn name(&self) -> &'static str {
        NAME
    }

    fn credential(&self) -> Option<CredentialHeader> {
        Some(CredentialHeader { name: "x-api-key", prefix: "" })
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }

    fn accepts(&self, call: &Call<'_>, model: &str) -> Result<(), Reject> {
        if call.endpoint != Endpoint::Chat {
            return Err(wrong_endpoint(call));
        }
        let generation = Generation::of(model);
        for (name, value) in call.scan.members(call.body) {
            let value = Raw::of_checked(value).unwrap_or(Raw::NULL);
            let fits = value.is_null() || (expresses(&name, value) && generation.takes(&name, value));
            if !fits {
                return Err(unsupported(&name));
            }
        }
        Ok(())
    }

    fn ask(&self, call: &Call<'_>, model: &str) -> Result<Ask, Reject> {
        self.accepts(call, model)?;
        let chat = openai::read(call.body, call.scan)?;
        Ok(Ask { path: "/messages".to_owned(), body: Body::Replaced(ask::write(&chat, model, call.delivery)?) })
    }

    fn reply(&self, start: ReplyStart) -> Box<dyn Reply> {
        reply::reply(start)
    }

    fn fault(&self, status: u16, body: &[u8]) -> UpstreamFault {
        fault::fault(status, body)
    }
}

/// Whether a top-level field of `OpenAI`'s can be expressed here. A value that changes nothing always can.
fn expresses(name: &str, value: Raw<'_>) -> bool {
    match name {
        "model"
        | "messages"
        | "tools"
        | "tool_choice"
        | "parallel_tool_calls"
        | "max_tokens"
        | "max_completion_tokens"
        | "top_p"
        | "top_k"
        | "stop"
        | "stream"
        | "stream_options"
        | "user"
        | "safety_identifier"
        | "reasoning_effort"
        | "response_format"
        // Hints on where to find cached work, which promise nothing.
        | "prompt_cache_key"
        | "prompt_cache_retention" => true,
        // The caller's own words for this provider.
        "thinking" => value.kind() == Kind::Object,
        // OpenAI allows up to 2; what lies beyond 1 has no counterpart.
        "temperature" => value.number().is_none_or(|temperature| temperature <= 1.0),
        "n" => value.integer() == Some(1),
        "presence_penalty" | "frequency_penalty" => value.number() == Some(0.0),
        "logprobs" | "store" => value.boolean() == Some(false),
        "top_logprobs" => value.integer() == Some(0),
        "logit_bias" | "metadata" => value.members().next().is_none() && value.kind() == Kind::Object,
        "functions" => value.items().next().is_none() && value.kind() == Kind::Array,
        "modalities" => value.items().all(|modality| modality.text() == "\"text\""),
        "service_tier" => matches!(value.text(), "\"auto\"" | "\"default\""),
        "verbosity" => value.text() == "\"medium\"",
        _ => false,
    }
}

fn unsupported(field: &str) -> Reject {
    Reject::Unsupported { field: field.to_owned(), provider: NAME }
}

#[cfg(test)]
mod tests;
