//! Writes a chat as a Converse request.

mod beta;
mod blocks;
mod own;
mod tools;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use blocks::Blocks;
use tools::Tools;
use weir_hub::chat::{Chat, Role};
use weir_hub::codec::json::write::{Object, object, string};
use weir_hub::codec::json::{Kind, Raw};
use weir_hub::fault::Reject;
use weir_hub::signature::Maker;

use super::{Family, Keeps};
use crate::provider::anthropic::ask::conversation::Conversation;
use crate::provider::anthropic::ask::thinking::{Answer, Thinking};
use crate::provider::anthropic::ask::{sampling, shape};
use crate::provider::claude::Generation;
use crate::provider::{To, parts};

/// The caller's own settings for this provider.
const OWN: [&str; 3] = ["additionalModelRequestFields", "guardrailConfig", "performanceConfig"];

/// The request for `chat`.
pub(super) fn write(chat: &Chat<'_>, to: &mut To<'_>) -> Result<Vec<u8>, Reject> {
    let family = Family::of(to.model);
    let chat = &*parts::without(chat, to, blocks::lacks);
    expressible(chat, family, to)?;
    let maker = matches!(family, Family::Claude(_)).then_some(Maker::Anthropic);
    let conversation = Conversation::of(&chat.turns, maker, to)?;
    let (thinking, generation) = match family {
        Family::Claude(generation) => (Thinking::of(chat, &conversation, generation, to)?, generation),
        _ => (Thinking::unsaid(chat, to), Generation::Foreign),
    };
    thinking.check_end(&conversation, generation, to)?;
    let sampling = sampling::taken(chat, generation, &thinking, to);
    let fields = own::fields(chat, &sampling, family, thinking, to);
    let tools = Tools::of(chat, thinking, family, to)?;
    if conversation.turns.first().is_some_and(|(role, _)| *role == Role::Assistant) {
        return Err(to.invalid("messages", "they must begin with one of the user for this provider"));
    }
    if to.judges() {
        return Ok(Vec::new());
    }
    // Without a limit, the model's own applies. But thinking needs to know how much room it leaves.
    let max_tokens = chat.max_tokens.or_else(|| thinking.thinks().then_some(thinking.max_tokens));
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |body| {
        let mut blocks = Blocks::new(family.keeps());
        if !conversation.system.is_empty() {
            blocks.write(body.member("system"), conversation.system.iter().copied());
        }
        body.array("messages", &conversation.turns, |out, (role, parts)| {
            object(out, |turn| {
                turn.string("role", if *role == Role::Assistant { "assistant" } else { "user" });
                blocks.write(turn.member("content"), parts.iter().copied());
            });
        });
        inference(chat, max_tokens, &sampling, body);
        tools.write(body);
        if let Answer::Native { schema } = thinking.answer {
            body.object("outputConfig", |config| config.object("textFormat", |format| shape(schema, chat, format)));
        }
        if !fields.is_empty() {
            body.raw("additionalModelRequestFields", &fields);
        }
        // Claude says which stop sequence ended the answer only if it is asked.
        if matches!(family, Family::Claude(_)) && !chat.stop.is_empty() {
            body.raw("additionalModelResponseFieldPaths", "[\"/stop_sequence\"]");
        }
        if let Some(metadata) = chat.metadata {
            body.raw("requestMetadata", metadata.text());
        }
        if let Some(tier) = chat.service_tier.as_deref().filter(|tier| is_tier(tier)) {
            body.object("serviceTier", |to| to.string("type", tier));
        }
        for name in ["guardrailConfig", "performanceConfig"] {
            if let Some(value) = own::value(chat, name) {
                body.raw(name, value.text());
            }
        }
    });
    Ok(out)
}

/// The fields of a request that are counted.
///
/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseTokensRequest.html>
const COUNTED: [&str; 4] = ["system", "messages", "toolConfig", "additionalModelRequestFields"];

/// The request that counts `chat`.
pub(super) fn count(chat: &Chat<'_>, to: &mut To<'_>) -> Result<Vec<u8>, Reject> {
    let asked = write(chat, to)?;
    let asked = Raw::of_checked(&asked).unwrap_or(Raw::NULL);
    // A schema counts, but has no place in this request.
    if asked.get("outputConfig").is_some() {
        to.unsupported("response_format");
    }
    let mut out = Vec::with_capacity(asked.text().len());
    object(&mut out, |body| {
        body.object("input", |input| {
            input.object("converse", |to_count| {
                for (name, value) in asked.members().filter(|(name, _)| COUNTED.contains(&&**name)) {
                    to_count.raw(&name, value.text());
                }
            });
        });
    });
    Ok(out)
}

/// <https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>
fn shape(schema: &str, chat: &Chat<'_>, format: &mut Object<'_>) {
    format.string("type", "json_schema");
    format.object("structure", |structure| {
        structure.object("jsonSchema", |json| {
            json.string("schema", &shape::fitting(schema));
            if let weir_hub::chat::Format::Schema { name, description, .. } = &chat.format {
                if let Some(name) = name {
                    json.string("name", name);
                }
                if let Some(description) = description {
                    json.string("description", description);
                }
            }
        });
    });
}

/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InferenceConfiguration.html>
fn inference(chat: &Chat<'_>, max_tokens: Option<u64>, sampling: &[(&str, Raw<'_>)], body: &mut Object<'_>) {
    // The settings that all models have.
    const NAMES: [(&str, &str); 2] = [("temperature", "temperature"), ("top_p", "topP")];
    let given = |name| sampling.iter().find(|(given, _)| *given == name).map(|(_, value)| *value);
    let sampling: Vec<_> = NAMES.iter().filter_map(|(name, here)| Some((*here, given(*name)?))).collect();
    if max_tokens.is_none() && sampling.is_empty() && chat.stop.is_empty() {
        return;
    }
    body.object("inferenceConfig", |config| {
        if let Some(max) = max_tokens {
            config.number("maxTokens", max);
        }
        for (name, value) in sampling {
            config.raw(name, value.text());
        }
        if !chat.stop.is_empty() {
            config.array("stopSequences", &chat.stop, |out, stop| string(out, stop));
        }
    });
}

/// Whether this API has the tier.
fn is_tier(name: &str) -> bool {
    matches!(name, "priority" | "flex" | "reserved")
}

/// Fields that this API cannot express.
const LACKS: [&str; 7] =
    ["presence_penalty", "frequency_penalty", "seed", "logit_bias", "n", "logprobs", "top_logprobs"];

/// Refuses the fields or values that this API cannot express.
fn expressible(chat: &Chat<'_>, family: Family, to: &mut To<'_>) -> Result<(), Reject> {
    to.takes_none_of(chat, &LACKS);
    to.call_one(chat);
    if chat.service_tier.as_deref().is_some_and(|tier| !is_tier(tier)) {
        to.unsupported("service_tier");
    }
    // Both APIs have a map of strings.
    for (name, value) in chat.metadata.into_iter().flat_map(Raw::members) {
        if value.kind() != Kind::String {
            return Err(to.invalid(&format!("metadata.{name}"), "it must be a string"));
        }
    }
    to.unname(chat);
    to.look(chat.looks(), None);
    match family.keeps() {
        Keeps::Nothing => to.unmark(chat),
        Keeps::Minutes => unlimit(chat, to),
        Keeps::AsAsked => {}
    }
    for name in OWN {
        if own::value(chat, name).is_some_and(|value| value.kind() != Kind::Object) {
            return Err(to.invalid(name, "it must be an object"));
        }
    }
    let mut takes: Vec<&str> = OWN.to_vec();
    // Anthropic's own setting, for its own models.
    if matches!(family, Family::Claude(_)) && own::value(chat, "thinking").is_some_and(|it| it.kind() == Kind::Object) {
        takes.push("thinking");
    }
    to.rest(&chat.extra, &takes);
    Ok(())
}

/// Notes that nothing is cached for longer than usual.
fn unlimit(chat: &Chat<'_>, to: &mut To<'_>) {
    let longer = |mark: Option<Raw<'_>>| {
        mark.and_then(|mark| mark.get("ttl")).is_some_and(|ttl| !ttl.is_null() && ttl.text() != "\"5m\"")
    };
    if chat.turns.iter().flat_map(|turn| &turn.parts).any(|part| longer(part.cache)) {
        to.hint("messages.cache_control.ttl");
    }
    if chat.tools.iter().any(|tool| longer(tool.cache)) {
        to.hint("tools.cache_control.ttl");
    }
}

/// Writes a cache mark, which covers everything before it. It may say how long to keep it.
fn cache_point(out: &mut Vec<u8>, mark: Raw<'_>, keeps: Keeps) {
    let ttl = mark.get("ttl").filter(|_| keeps == Keeps::AsAsked);
    let ttl: Option<String> = ttl.and_then(Raw::string).map(Into::into);
    object(out, |block| {
        block.object("cachePoint", |point| {
            point.string("type", "default");
            if let Some(ttl) = ttl {
                point.string("ttl", &ttl);
            }
        });
    });
}
