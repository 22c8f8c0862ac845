//! Writes a chat as a chat-completions request, for OpenAI and for providers with nearly the same API.

mod conversation;
mod part;

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::fit::{efforts, knows};
pub(in crate::provider) use super::model::Reasons;
use conversation::Conversation;
use weir_hub::chat::{Chat, Detail, Effort, Format, Thinking, Tool, ToolChoice};
use weir_hub::codec::json::Raw;
use weir_hub::codec::json::write::{array, number, object, string};
use weir_hub::endpoint::Delivery;
use weir_hub::fault::Reject;

use super::model::{beside_tools, lacks as model_lacks, most_stops};
use super::strict;
use crate::provider::To;
use crate::upstream::{ReasoningField, StreamUsage};
pub(super) use conversation::FORMATS;

/// How a provider deviates whose API is otherwise OpenAI's. (For a host that speaks OpenAI's own dialect, deviations
/// are data: [`Quirks`](crate::upstream::Quirks).)
pub(in crate::provider) struct Accent {
    /// Fields that it cannot express.
    pub(in crate::provider) unsupported: &'static [&'static str],
    /// Fields that have other names.
    pub(in crate::provider) renamed: &'static [(&'static str, &'static str)],
    /// Fields without a place in the hub that it accepts unchanged.
    pub(in crate::provider) takes: &'static [&'static str],
    /// The value of `tool_choice` that requires a call.
    pub(in crate::provider) required: &'static str,
    /// When a stream gives its usage.
    pub(in crate::provider) stream_usage: StreamUsage,
    /// How a model reasons, judged by its name.
    pub(in crate::provider) reasons: fn(&str) -> Reasons,
    /// Fields that a model cannot express, judged by its name and effort.
    pub(in crate::provider) model_lacks: fn(&str, Option<Effort>) -> &'static [&'static str],
    /// The most stop sequences, judged by a model's name.
    pub(in crate::provider) most_stops: fn(&str) -> usize,
    /// A call's id with only the characters that it allows.
    pub(in crate::provider) call_id: fn(&str) -> Cow<'_, str>,
    /// Which parts messages may have.
    pub(in crate::provider) parts: Parts,
    /// Whether reasoning is sent back as an item of the content.
    pub(in crate::provider) thinks_in_content: bool,
    /// The order in which messages may come.
    pub(in crate::provider) order: Order,
}

/// Which parts messages may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::provider) enum Parts {
    /// As in OpenAI's API: text, images, files and audio; a tool's message has only text.
    OpenAi,
    /// As in Mistral's API: also documents at a URL, and a tool's message may have more than text.
    Mistral,
}

/// The order in which messages may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::provider) enum Order {
    /// Any order.
    Any,
    /// System messages come first. A message of the model comes between a tool's and a user's. If the model's message is
    /// last, it is marked as the beginning of the answer. No message is empty.
    Strict,
}

/// `OpenAI`'s own API.
pub(in crate::provider) const PLAIN: Accent = Accent {
    unsupported: &[],
    renamed: &[],
    takes: &[
        "audio",
        "function_call",
        "functions",
        "modalities",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_retention",
        "store",
        "verbosity",
        "web_search_options",
    ],
    required: "required",
    stream_usage: StreamUsage::Asked,
    reasons: Reasons::of,
    model_lacks,
    most_stops,
    call_id: |id| Cow::Borrowed(id),
    parts: Parts::OpenAi,
    thinks_in_content: false,
    order: Order::Any,
};

/// The longest name of an end user that OpenAI accepts; other dialects accept longer ones.
const MAX_USER: usize = 64;

/// A shorter name that stands for one that is too long.
fn named(user: &str) -> Cow<'_, str> {
    if user.len() <= MAX_USER {
        return Cow::Borrowed(user);
    }
    let digest = Sha256::digest(user.as_bytes());
    Cow::Owned(digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat())
}

/// The request for `chat`.
pub(in crate::provider) fn write(chat: &Chat<'_>, accent: &Accent, to: &mut To<'_>) -> Result<Vec<u8>, Reject> {
    let fields = fields(chat, accent, to)?;
    let conversation = Conversation::of(&chat.turns, accent, to);
    if to.judges() {
        return Ok(Vec::new());
    }
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |body| {
        body.string("model", to.model);
        conversation.write(body);
        for (name, value) in &fields {
            body.member(name).extend_from_slice(value);
        }
        if to.delivery == Delivery::Streamed {
            body.raw("stream", "true");
            // The record counts tokens with it.
            if accent.stream_usage == StreamUsage::Asked && to.upstream.quirks.stream_usage == StreamUsage::Asked {
                body.raw("stream_options", "{\"include_usage\":true}");
            }
        }
    });
    Ok(out)
}

/// A field's name, and its value.
type Field<'f> = (Cow<'f, str>, Vec<u8>);

/// The fields beside the conversation, under this host's names.
fn fields<'f>(chat: &'f Chat<'_>, accent: &Accent, to: &mut To<'_>) -> Result<Vec<Field<'f>>, Reject> {
    let asked = effort(chat, (accent.reasons)(to.model), to);
    let effort = if chat.tools.is_empty() { asked } else { beside_tools(to.model, asked) };
    if effort != asked {
        to.hint("reasoning_effort");
    }
    let mut fields = Fields { accent, model_lacks: (accent.model_lacks)(to.model, effort), list: Vec::new() };
    if !to.upstream.quirks.cache_marks {
        to.unmark(chat);
    }
    to.look(chat.looks(), Some(Detail::High));
    if !chat.tools.is_empty() {
        let marks = to.upstream.quirks.cache_marks;
        let stricts = stricts(&chat.tools, accent, to);
        fields.add("tools", to, |out| {
            array(out, chat.tools.iter().zip(stricts), |out, (tool, strict)| {
                write_tool(out, tool, strict, accent, marks);
            });
        });
        if fields.lacks("parallel_tool_calls", to) {
            to.call_one(chat);
        } else if let Some(parallel) = chat.parallel_tools {
            fields.raw("parallel_tool_calls", to, if parallel { "true" } else { "false" });
        }
    }
    if let Some(choice) = &chat.tool_choice {
        if !chat.tools.is_empty() {
            let choice = known_choice(choice, &chat.tools, to);
            if *choice != ToolChoice::Auto || !fields.lacks("tool_choice", to) {
                fields.add("tool_choice", to, |out| tool_choice(choice, accent, out));
            }
        } else if matches!(choice, ToolChoice::Required | ToolChoice::Named(_)) {
            return Err(to.invalid("tool_choice", "there are no tools"));
        }
    }
    if let Some(max) = chat.max_tokens {
        fields.add("max_completion_tokens", to, |out| number(out, max));
    }
    let Chat { temperature, top_p, top_k, presence_penalty, frequency_penalty, seed, logit_bias, metadata, .. } = chat;
    let given = [
        ("temperature", temperature),
        ("top_p", top_p),
        ("presence_penalty", presence_penalty),
        ("frequency_penalty", frequency_penalty),
        ("seed", seed),
        ("logit_bias", logit_bias),
        ("metadata", metadata),
    ];
    for (name, value) in given {
        // A model that accepts only the default value need not be sent it.
        let is_usual = |value: Raw<'_>| matches!(name, "temperature" | "top_p") && value.number() == Some(1.0);
        if let Some(value) = value.filter(|value| !(fields.model_lacks.contains(&name) && is_usual(*value))) {
            fields.raw(name, to, value.text());
        }
    }
    if let Some(top_k) = top_k {
        if to.upstream.quirks.takes.iter().any(|field| field == "top_k") {
            fields.raw("top_k", to, top_k.text());
        } else {
            to.unsupported("top_k");
        }
    }
    if let Some(n) = chat.n.filter(|n| *n > 1) {
        fields.add("n", to, |out| number(out, n));
    }
    if let Some(others) = chat.logprobs {
        fields.raw("logprobs", to, "true");
        if others > 0 {
            fields.add("top_logprobs", to, |out| number(out, others));
        }
    }
    if !chat.stop.is_empty() {
        let most = if fields.lacks("stop", to) { usize::MAX } else { (accent.most_stops)(to.model) };
        let stops = to.stops(chat, most)?;
        fields.add("stop", to, |out| array(out, stops, |out, stop| string(out, stop)));
    }
    if chat.format != Format::Text {
        let is_loose =
            matches!(chat.format, Format::Schema { strict: Some(true), schema, .. } if !follows(schema, accent));
        if is_loose {
            to.hint("response_format.json_schema.strict");
        }
        fields.add("response_format", to, |out| response_format(&chat.format, !is_loose, out));
    }
    if let Some(effort) = effort {
        fields.add("reasoning_effort", to, |out| string(out, effort.name()));
    }
    who(chat, &mut fields, to);
    if let Some(tier) = &chat.service_tier {
        // Anthropic's name for the default.
        let tier = if tier == "standard_only" { "default" } else { tier };
        fields.add("service_tier", to, |out| string(out, tier));
    }
    let quirks = &to.upstream.quirks;
    let takes: Vec<&str> = accent.takes.iter().copied().chain(quirks.takes.iter().map(|field| &**field)).collect();
    to.rest(&chat.extra, &takes);
    for (name, value) in chat.extra.iter().filter(|(name, _)| takes.contains(&&**name)) {
        fields.raw(name, to, value.text());
    }
    Ok(fields.list)
}

/// The end user. Some hosts have only one of the two fields, and some none; it makes no difference to the answer.
fn who(chat: &Chat<'_>, fields: &mut Fields<'_, '_>, to: &mut To<'_>) {
    let (mut user, mut identifier) = (chat.user.as_deref(), chat.safety_identifier.as_deref());
    if user.is_none() && identifier.is_some() && fields.lacks("safety_identifier", to) && !fields.lacks("user", to) {
        to.emulates("safety_identifier");
        core::mem::swap(&mut user, &mut identifier);
    }
    for (name, who) in [("user", user), ("safety_identifier", identifier)] {
        let Some(who) = who else { continue };
        if who.len() > MAX_USER && !fields.lacks(name, to) {
            to.emulates(name);
        }
        fields.add(name, to, |out| string(out, &named(who)));
    }
}

/// Writes fields: leaves out those that this host lacks, and renames others.
struct Fields<'f, 'a> {
    accent: &'a Accent,
    model_lacks: &'static [&'static str],
    list: Vec<Field<'f>>,
}

impl<'f> Fields<'f, '_> {
    fn add(&mut self, name: &'f str, to: &mut To<'_>, write: impl FnOnce(&mut Vec<u8>)) {
        if self.lacks(name, to) {
            return to.lacks(name);
        }
        let quirks = &to.upstream.quirks;
        let known = quirks.values.get(name);
        if to.judges() && known.is_none() {
            return;
        }
        let mut value = Vec::new();
        write(&mut value);
        if let Some(known) = known
            && !Raw::of_checked(&value).is_none_or(|value| knows(known, value))
        {
            return to.lacks(name);
        }
        let renamed = self.accent.renamed.iter().find(|(from, _)| *from == name);
        let name = match (quirks.renamed.get(name), renamed) {
            (Some(into), _) => Cow::Owned(into.clone()),
            (None, Some((_, into))) => Cow::Borrowed(*into),
            (None, None) => Cow::Borrowed(name),
        };
        self.list.push((name, value));
    }

    fn lacks(&self, name: &str, to: &To<'_>) -> bool {
        let quirks = &to.upstream.quirks;
        let lacks = |fields: &[&str]| fields.contains(&name);
        lacks(self.accent.unsupported)
            || lacks(self.model_lacks)
            || quirks.unsupported.iter().any(|field| field == name)
    }

    fn raw(&mut self, name: &'f str, to: &mut To<'_>, value: &str) {
        self.add(name, to, |out| out.extend_from_slice(value.as_bytes()));
    }
}

/// The `strict` of each tool. Other APIs accept more schemas with it. If this API would refuse a schema, it is better
/// to call the tool without that promise.
fn stricts(tools: &[Tool<'_>], accent: &Accent, to: &mut To<'_>) -> Vec<Option<bool>> {
    let strict = |(at, tool): (usize, &Tool<'_>)| {
        if tool.strict == Some(true) && tool.parameters.is_some_and(|schema| !follows(schema, accent)) {
            to.hint(&format!("tools[{at}].function.strict"));
            return None;
        }
        tool.strict
    };
    tools.iter().enumerate().map(strict).collect()
}

/// Whether the model can be held to a schema.
fn follows(schema: Raw<'_>, accent: &Accent) -> bool {
    accent.parts == Parts::Mistral || strict::meets(schema)
}

fn write_tool(out: &mut Vec<u8>, tool: &Tool<'_>, strict: Option<bool>, accent: &Accent, marks: bool) {
    object(out, |object| {
        object.string("type", "function");
        object.object("function", |function| {
            function.string("name", &tool.name);
            if let Some(description) = &tool.description {
                function.string("description", description);
            }
            if let Some(parameters) = tool.parameters {
                function.raw("parameters", parameters.text());
            } else if accent.parts == Parts::Mistral {
                function.raw("parameters", "{\"type\":\"object\",\"properties\":{}}");
            }
            if let Some(strict) = strict {
                function.raw("strict", if strict { "true" } else { "false" });
            }
        });
        if let Some(mark) = tool.cache.filter(|_| marks) {
            object.raw("cache_control", mark.text());
        }
    });
}

/// The tool choice in a form that this host has, if it has any.
fn known_choice<'c>(choice: &'c ToolChoice<'c>, tools: &[Tool<'_>], to: &To<'_>) -> &'c ToolChoice<'c> {
    let kinds = to.upstream.quirks.values.get("tool_choice");
    let takes_names = kinds.is_none_or(|kinds| kinds.iter().any(|kind| kind == "function"));
    match choice {
        // If there is only one tool, to require any is to require it.
        ToolChoice::Named(_) if tools.len() == 1 && !takes_names => &ToolChoice::Required,
        choice => choice,
    }
}

fn tool_choice(choice: &ToolChoice<'_>, accent: &Accent, out: &mut Vec<u8>) {
    match choice {
        ToolChoice::Auto => string(out, "auto"),
        ToolChoice::None => string(out, "none"),
        ToolChoice::Required => string(out, accent.required),
        ToolChoice::Named(name) => object(out, |choice| {
            choice.string("type", "function");
            choice.object("function", |function| function.string("name", name));
        }),
    }
}

fn response_format(format: &Format<'_>, may_be_strict: bool, out: &mut Vec<u8>) {
    object(out, |to| match format {
        Format::Text => to.string("type", "text"),
        Format::Json => to.string("type", "json_object"),
        Format::Schema { name, strict, schema, description } => {
            to.string("type", "json_schema");
            to.object("json_schema", |named| {
                // This API requires a name; other dialects have none.
                named.string("name", name.as_deref().unwrap_or("answer"));
                if let Some(description) = description {
                    named.string("description", description);
                }
                if let Some(strict) = strict.filter(|_| may_be_strict) {
                    named.raw("strict", if strict { "true" } else { "false" });
                }
                named.raw("schema", schema.text());
            });
        }
    });
}

/// The effort to ask for; `None` to leave it to the model.
fn effort(chat: &Chat<'_>, reasons: Reasons, to: &mut To<'_>) -> Option<Effort> {
    let known = to.upstream.quirks.values.get("reasoning_effort").map(|known| efforts(known));
    let knows_none = known.as_ref().is_some_and(|known| known.contains(&Effort::None));
    let wanted = match (chat.thinking, chat.effort) {
        (Some(Thinking::Off), _) if matches!(reasons, Reasons::Unknown | Reasons::AsItDoes) && !knows_none => {
            // Not all models have a setting for it.
            to.hint("reasoning_effort");
            return None;
        }
        (Some(Thinking::Off), _) => Effort::None,
        (_, Some(_)) if reasons == Reasons::AsItDoes => {
            to.hint("reasoning_effort");
            return None;
        }
        (Some(Thinking::Budget(_)), Some(effort)) => {
            to.emulates("reasoning_effort");
            effort
        }
        (_, Some(effort)) => effort,
        (Some(Thinking::Budget(tokens)), None) => {
            to.emulates("reasoning_effort");
            Effort::of_budget(tokens)
        }
        // These models decide themselves by default, except those that must be told.
        (Some(Thinking::Adaptive), None) if reasons == Reasons::OnOrOff => Effort::High,
        (Some(Thinking::Adaptive), None) if matches!(reasons, Reasons::IfTold { .. }) => Effort::Medium,
        (Some(Thinking::Adaptive) | None, None) => return None,
    };
    match reasons.nearest(wanted) {
        None if wanted == Effort::None => None,
        None => {
            to.unsupported("reasoning_effort");
            None
        }
        Some(nearest) => {
            if wanted == Effort::None && nearest != wanted {
                to.emulates("reasoning_effort");
            }
            let Some(known) = known else { return Some(nearest) };
            let known = nearest.among(&known);
            if known.is_none() {
                to.hint("reasoning_effort");
            }
            known
        }
    }
}

/// Where this host accepts reasoning back.
fn reasoning_field(accent: &Accent, to: &To<'_>) -> Option<ReasoningField> {
    to.upstream.quirks.reasoning.filter(|_| !accent.thinks_in_content)
}

#[cfg(test)]
mod tests;
