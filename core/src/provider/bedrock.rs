//! Amazon Bedrock's runtime: chats through its Converse API, which is the same for all its models, and embeddings
//! through `InvokeModel`, in each model's own format.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html>

mod ask;
mod embed;
mod fault;
mod reply;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use weir_hub::buffer::malformed;
use weir_hub::call::ReplyStart;
use weir_hub::chat::Chat;
use weir_hub::codec::json::Raw;
use weir_hub::embed::{Embed, Vectors};
use weir_hub::endpoint::{Delivery, Endpoint};
use weir_hub::fault::{Reject, UpstreamFault};
use weir_hub::frames::Framing;
use weir_hub::relay;
use weir_hub::reply::{Flow, Pieces, Reader, Reply};
use weir_hub::signature::{self, Maker};

use super::claude::Generation;
use super::{Ask, ChatApi, CountApi, CredentialHeader, EmbedApi, Provider, To};
use crate::upstream::{Upstream, Url};

/// The provider; see the module.
pub(super) struct Bedrock;

impl Provider for Bedrock {
    fn name(&self) -> &'static str {
        "bedrock"
    }

    /// Other hosts than the runtime's are for managing models and agents. The runtime's host also has OpenAI's API, at
    /// a path of its own.
    ///
    /// <https://docs.aws.amazon.com/general/latest/gr/bedrock.html>
    fn misplaced(&self, url: &Url, _: &Upstream) -> Option<(String, Url)> {
        let (service, region) = url.host.split_once('.').unwrap_or((&url.host, ""));
        let is_runtime = service.starts_with("bedrock-runtime") || region.starts_with("bedrock-runtime");
        let is_aws = url.host.ends_with(".amazonaws.com");
        if is_aws && service.starts_with("bedrock") && !is_runtime {
            let fips = if service.ends_with("-fips") { "-fips" } else { "" };
            let host = format!("bedrock-runtime{fips}.{region}");
            let problem = format!("models are not asked at {service}, but at bedrock-runtime");
            return Some((problem, Url { host, ..url.at("") }));
        }
        let base = if is_aws && is_runtime { "" } else { url.prefix.strip_suffix("/model")? };
        let rest = url.prefix.strip_prefix(base).filter(|rest| !rest.is_empty())?;
        Some((format!("Converse, which Weir asks, begins above {rest}"), url.at(base)))
    }

    /// For Bedrock's own API keys. Without one, requests are signed.
    fn credential(&self) -> Option<CredentialHeader> {
        Some(CredentialHeader { name: "authorization", prefix: "Bearer " })
    }

    fn signing(&self) -> Option<&'static str> {
        Some("bedrock")
    }

    fn relays(&self, _: &str, _: Endpoint, _: &Upstream) -> bool {
        false
    }

    fn relayed(&self, start: &ReplyStart<'_>) -> Box<dyn Reply> {
        relay::reply(Box::new(Unasked), start)
    }

    fn most_texts(&self, model: &str) -> usize {
        embed::most_texts(model)
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

    fn count_api(&self) -> Option<&dyn CountApi> {
        Some(self)
    }
}

impl ChatApi for Bedrock {
    fn write(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        let verb = if to.delivery == Delivery::Streamed { "converse-stream" } else { "converse" };
        Ok(Ask::json(path(to.model, verb), ask::write(chat, to)?))
    }

    fn takes_back(&self, proof: &str, model: &str, _: &Upstream) -> bool {
        matches!(Family::of(model), Family::Claude(_)) && signature::of(Maker::Anthropic, proof).is_some()
    }

    fn framing(&self) -> Framing {
        Framing::EventStream
    }

    fn reader(&self, _: &ReplyStart<'_>) -> Box<dyn Reader> {
        Box::new(reply::Reading::new())
    }
}

impl EmbedApi for Bedrock {
    fn embed(&self, embed: &Embed<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        Ok(Ask::json(path(to.model, "invoke"), embed::write(embed, to)?))
    }

    fn embedded<'a>(&self, answer: Raw<'a>) -> Option<Vectors<'a>> {
        embed::read(answer)
    }
}

impl CountApi for Bedrock {
    fn count(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        Ok(Ask::json(path(foundation(to.model), "count-tokens"), ask::count(chat, to)?))
    }

    fn counted(&self, answer: Raw<'_>) -> Option<u64> {
        answer.get("inputTokens").and_then(Raw::integer)
    }
}

/// The model of a cross-region inference profile; only the model matters here.
///
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html>
fn foundation(model: &str) -> &str {
    match model.split_once('.') {
        Some(("us" | "us-gov" | "eu" | "apac" | "jp" | "au" | "ca" | "global", model)) => model,
        _ => model,
    }
}

/// The path of a model, of an inference profile, or of the ARN of either, whose name contains colons and slashes.
fn path(model: &str, verb: &str) -> String {
    let mut name = String::with_capacity(model.len() + 16);
    for byte in model.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => name.push(byte.into()),
            byte => {
                name.push('%');
                let digits = [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
                name.extend(digits.into_iter().flatten().map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    format!("/model/{name}/{verb}")
}

/// The family of a model, read from its name. Some families want some settings in their own format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Claude(Generation),
    Nova {
        /// Since the second generation.
        reasons: bool,
    },
    GptOss,
    Other,
}

/// How long a model's prompts are cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    Nothing,
    /// For five minutes, which is also the default.
    Minutes,
    /// As long as the cache mark says.
    AsAsked,
}

impl Family {
    fn of(model: &str) -> Self {
        match Generation::of(model) {
            Generation::Foreign if model.contains("amazon.nova-") => {
                Self::Nova { reasons: model.contains("amazon.nova-2-") }
            }
            Generation::Foreign if model.contains("openai.gpt-oss") => Self::GptOss,
            Generation::Foreign => Self::Other,
            generation => Self::Claude(generation),
        }
    }

    /// How long prompts are cached up to cache marks. Models without a cache refuse the marks.
    ///
    /// <https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>
    fn keeps(self) -> Keeps {
        match self {
            Self::Claude(_) => Keeps::AsAsked,
            Self::Nova { .. } => Keeps::Minutes,
            Self::GptOss | Self::Other => Keeps::Nothing,
        }
    }
}

/// Reads relayed answers. There are none: nothing is served in a caller's own dialect.
struct Unasked;

impl Reader for Unasked {
    fn event(&mut self, _: weir_hub::reply::Event<'_>, _: &mut Pieces<'_>) -> Result<Flow, UpstreamFault> {
        Err(malformed("The provider answered what was not asked."))
    }

    fn whole(&mut self, _: Raw<'_>, _: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        Err(malformed("The provider answered what was not asked."))
    }
}

#[cfg(test)]
mod tests;
