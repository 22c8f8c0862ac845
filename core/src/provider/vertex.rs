//! Vertex AI: Gemini with Google Cloud's credentials, and Claude as a guest, in Anthropic's Messages API without the
//! model's name.
//!
//! The endpoint names the project and the region: `https://REGION-aiplatform.googleapis.com/v1/projects/P/locations/REGION`.
//!
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>,
//! <https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai>,
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/count-tokens>

mod embedding;
mod guest;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::call::{Call, ReplyStart};
use weir_hub::chat::Chat;
use weir_hub::codec::json::write::object;
use weir_hub::codec::json::{Raw, check};
use weir_hub::dialect::gemini::members as gemini_members;
use weir_hub::embed::{Embed, Vectors};
use weir_hub::endpoint::{Delivery, Endpoint, Family};
use weir_hub::fault::{Reject, UpstreamFault};
use weir_hub::reply::{Reader, Reply};
use weir_hub::{relay, signature};

use super::gemini::reply::Reading;
use super::gemini::{self, Host, segment, verb};
use super::{Ask, Body, ChatApi, CountApi, CredentialHeader, EmbedApi, Provider, To, ToolName, anthropic, claude};
use crate::upstream::{Upstream, Url};

/// The provider; see the module.
pub(super) struct Vertex;

/// The maker of a model, read from its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Maker {
    Google,
    Anthropic,
}

impl Maker {
    fn of(model: &str) -> Self {
        if model.starts_with("claude") { Self::Anthropic } else { Self::Google }
    }
}

/// The location that one of Google's hosts serves.
fn location(host: &str) -> Option<&str> {
    if host == "aiplatform.googleapis.com" {
        return Some("global");
    }
    let multiple = host.strip_prefix("aiplatform.").and_then(|rest| rest.strip_suffix(".rep.googleapis.com"));
    multiple.or_else(|| host.strip_suffix("-aiplatform.googleapis.com"))
}

/// The fields of a request that are counted.
///
/// <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/count-tokens>
const COUNTED: [&str; 4] = ["contents", "systemInstruction", "tools", "generationConfig"];

impl Provider for Vertex {
    fn name(&self) -> &'static str {
        "vertex"
    }

    /// <https://docs.cloud.google.com/gemini-enterprise-agent-platform/resources/locations>
    fn misplaced(&self, url: &Url, _: &Upstream) -> Option<(String, Url)> {
        if let Some((base, rest)) = url.prefix.split_once("/publishers/") {
            return Some((format!("it ends in /publishers/{rest}, which Weir adds by itself"), url.at(base)));
        }
        let host = location(&url.host)?;
        let (version, project) = match url.prefix.find("/projects/") {
            Some(at) => url.prefix.split_at_checked(at)?,
            None => (&*url.prefix, ""),
        };
        let begins = if version.is_empty() { "/v1" } else { version };
        let Some((_, named)) = project.split_once("/locations/") else {
            let path = format!("{begins}/projects/PROJECT/locations/{host}");
            return Some(("it names no project or no location".to_owned(), url.at(&path)));
        };
        if version.is_empty() {
            return Some(("it names no version".to_owned(), url.at(&format!("{begins}{project}"))));
        }
        // Google's own host may know the location of the others.
        if named == host || host == "global" {
            return None;
        }
        let right = match named {
            "global" => "aiplatform.googleapis.com".to_owned(),
            "us" | "eu" => format!("aiplatform.{named}.rep.googleapis.com"),
            _ => format!("{named}-aiplatform.googleapis.com"),
        };
        Some((format!("{} serves the location {host}, not {named}", url.host), Url { host: right, ..url.clone() }))
    }

    fn credential(&self) -> Option<CredentialHeader> {
        Some(CredentialHeader { name: "authorization", prefix: "Bearer " })
    }

    fn relays(&self, model: &str, endpoint: Endpoint, _: &Upstream) -> bool {
        let predicts = matches!(endpoint, Endpoint::EmbedContent | Endpoint::BatchEmbedContents);
        let speaks = match Maker::of(model) {
            Maker::Google => Family::Gemini,
            Maker::Anthropic => Family::Anthropic,
        };
        endpoint.family() == speaks && !predicts
    }

    fn relay(&self, call: &Call<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        let ask = match Maker::of(to.model) {
            Maker::Google if call.asked.endpoint == Endpoint::CountContent => return Ok(count_content(call, to)),
            Maker::Google => {
                let own = gemini::proofs::own(call, to);
                return Ok(Ask::new(path(to), own));
            }
            Maker::Anthropic if call.asked.endpoint == Endpoint::CountTokens => guest::count(call, to),
            Maker::Anthropic => {
                let own = guest::patched(call, to);
                Ask::new(path(to), own)
            }
        };
        let betas = (!call.betas.is_empty()).then(|| ("anthropic-beta", call.betas.to_owned()));
        Ok(Ask { headers: betas.into_iter().collect(), ..ask })
    }

    fn relayed(&self, start: &ReplyStart<'_>) -> Box<dyn Reply> {
        match gemini::plain::verb(start.asked.endpoint) {
            None => relay::reply(reader(start), start),
            Some(_) => relay::reply(Box::new(gemini::plain::Plain(start.asked.endpoint)), start),
        }
    }

    fn most_texts(&self, model: &str) -> usize {
        match Maker::of(model) {
            Maker::Google => embedding::most_texts(model),
            Maker::Anthropic => usize::MAX,
        }
    }

    fn fault(&self, status: u16, body: &[u8]) -> UpstreamFault {
        let json = core::str::from_utf8(body).ok().and_then(|text| check(text).ok());
        // The guest reports what is wrong with a message; the host reports what is wrong with the account.
        if json.is_some_and(guest::says) {
            return anthropic::fault::fault(status, body);
        }
        gemini::fault::fault(status, body)
    }

    fn fault_in_answer(&self, answer: Raw<'_>) -> Option<UpstreamFault> {
        gemini::fault::in_answer(answer)
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

impl ChatApi for Vertex {
    fn write(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        let body = match Maker::of(to.model) {
            Maker::Google => gemini::ask::write(chat, Host::Vertex, to)?,
            Maker::Anthropic => guest::write(chat, to)?,
        };
        Ok(Ask::json(path(to), body))
    }

    fn reads_buckets(&self, model: &str) -> bool {
        Maker::of(model) == Maker::Google
    }

    fn takes_back(&self, proof: &str, model: &str, _: &Upstream) -> bool {
        let maker = match Maker::of(model) {
            Maker::Google => signature::Maker::Gemini,
            Maker::Anthropic => signature::Maker::Anthropic,
        };
        signature::of(maker, proof).is_some()
    }

    /// <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/function-calling#functiondeclaration>
    fn tool_name(&self, model: &str) -> ToolName {
        match Maker::of(model) {
            Maker::Google => ToolName { longest: 64, besides: "-.", begins_with_any: false },
            Maker::Anthropic => claude::tool_name(model),
        }
    }

    fn reader(&self, start: &ReplyStart<'_>) -> Box<dyn Reader> {
        reader(start)
    }
}

impl EmbedApi for Vertex {
    fn embed(&self, embed: &Embed<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        if Maker::of(to.model) == Maker::Anthropic {
            return Err(to.wrong_endpoint());
        }
        let body = embedding::write(embed, to);
        let verb = embedding::verb(embed, to.model);
        Ok(Ask::json(format!("/publishers/google/models/{}:{verb}", segment(to.model)), body))
    }

    fn embedded<'a>(&self, answer: Raw<'a>) -> Option<Vectors<'a>> {
        embedding::read(answer)
    }
}

impl CountApi for Vertex {
    /// Only for Google's models; a guest's tokens are counted in the caller's own API.
    fn count(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        if Maker::of(to.model) == Maker::Anthropic {
            return Err(to.wrong_endpoint());
        }
        let asked = gemini::ask::write(chat, Host::Vertex, to)?;
        let asked = Raw::of_checked(&asked).unwrap_or(Raw::NULL);
        // The tool choice does not count.
        if chat.tool_choice.is_some() && asked.get("toolConfig").is_some() {
            to.hint("tool_choice");
        }
        for (at, _) in chat.tools.iter().enumerate().filter(|(_, tool)| tool.strict == Some(true)) {
            to.hint(&format!("tools[{at}].function.strict"));
        }
        let mut body = Vec::with_capacity(asked.text().len());
        object(&mut body, |body| {
            for (name, value) in asked.members() {
                if COUNTED.contains(&&*name) {
                    body.raw(&name, value.text());
                }
            }
        });
        Ok(Ask::json(format!("/publishers/google/models/{}:countTokens", segment(to.model)), body))
    }

    fn counted(&self, answer: Raw<'_>) -> Option<u64> {
        gemini::counted(answer)
    }
}

/// The caller's own request to count. This host reads its fields at the top level, never in a request inside it.
fn count_content(call: &Call<'_>, to: &To<'_>) -> Ask {
    let path = format!("/publishers/google/models/{}:countTokens", segment(to.model));
    let whole = ["generateContentRequest", "generate_content_request"];
    let whole = whole.into_iter().find_map(|name| call.scan.raw(call.body, name));
    let Some(whole) = whole else { return Ask::new(path, Body::AsIs) };
    // If a field occurs twice, the last one counts.
    let mut counted = BTreeMap::new();
    counted.extend(gemini_members(whole).filter(|(name, _)| COUNTED.contains(&&**name)));
    let mut body = Vec::with_capacity(whole.text().len());
    object(&mut body, |body| counted.iter().for_each(|(name, value)| body.raw(name, value.text())));
    Ask::json(path, body)
}

fn reader(start: &ReplyStart<'_>) -> Box<dyn Reader> {
    match Maker::of(start.model) {
        Maker::Google => Box::new(Reading::new(start)),
        Maker::Anthropic => Box::new(guest::Guest::new(start)),
    }
}

/// The path of a chat.
fn path(to: &To<'_>) -> String {
    let (publisher, verb) = match (Maker::of(to.model), to.delivery) {
        (Maker::Google, delivery) => ("google", verb(delivery)),
        (Maker::Anthropic, Delivery::Whole) => ("anthropic", "rawPredict"),
        (Maker::Anthropic, Delivery::Streamed) => ("anthropic", "streamRawPredict"),
    };
    format!("/publishers/{publisher}/models/{}:{verb}", segment(to.model))
}

#[cfg(test)]
mod tests;
