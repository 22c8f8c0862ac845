//! Writes a chat as a `generateContent` request.

mod conversation;
mod thinking;
mod tools;

use alloc::borrow::Cow;
use alloc::string::ToString;
use alloc::vec::Vec;

use conversation::Conversation;
use thinking::Thinking;
use weir_hub::chat::{Chat, Content, Detail, Format, Part, Place, Tool};
use weir_hub::codec::json::write::{Object, object, string};
use weir_hub::codec::json::{Kind, Raw};
use weir_hub::fault::Reject;

use super::Host;
use super::model::Model;
use crate::provider::To;
use crate::provider::answer_tool::{ANY_OBJECT, answer_tool};

/// Fields without a place in the hub that this API can express.
const TAKES: [&str; 2] = ["modalities", "web_search_options"];

/// The most stop sequences.
///
/// <https://ai.google.dev/api/generate-content#generationconfig>, `stopSequences`
const MOST_STOPS: usize = 5;

/// The request for `chat`.
pub(in crate::provider) fn write(chat: &Chat<'_>, host: Host, to: &mut To<'_>) -> Result<Vec<u8>, Reject> {
    let model = Model::of(to.model);
    expressible(chat, to)?;
    let searches = searches(chat, model, to)?;
    let modalities = modalities(chat, to);
    let answer = answer(chat, model, to);
    let thinking = Thinking::of(chat, model, to);
    let tier = tier(chat, host, to);
    let stops = to.stops(chat, MOST_STOPS)?;
    tools::check(chat, to)?;
    let resolution = resolution(chat, model, to);
    let conversation = Conversation::of(&chat.turns, model, host, to)?;
    if to.judges() {
        return Ok(Vec::new());
    }
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |body| {
        conversation.write(body);
        tools::write(chat, answer.as_ref(), searches.then_some(host), body);
        let mut config = Vec::new();
        object(&mut config, |config| {
            sampling(chat, stops, config);
            if !modalities.is_empty() {
                config.array("responseModalities", &modalities, |out, modality| string(out, modality));
            }
            if let Some(resolution) = resolution {
                config.string("mediaResolution", resolution);
            }
            if answer.is_none() {
                format(&chat.format, config);
            }
            thinking.write(config);
        });
        if config != b"{}" {
            body.member("generationConfig").extend_from_slice(&config);
        }
        if let Some(tier) = tier {
            body.string("serviceTier", tier);
        }
    });
    Ok(out)
}

/// How closely the model looks at all images, for models that have no setting for each one. Set only if the caller asks
/// for the same on all images, and nothing else is shown.
///
/// <https://ai.google.dev/gemini-api/docs/media-resolution>
fn resolution(chat: &Chat<'_>, model: Model, to: &mut To<'_>) -> Option<&'static str> {
    let (said, given_back): (Vec<_>, Vec<_>) = chat.looks().partition(|look| look.place == Place::Said);
    if model.looks_at_each() {
        to.look(given_back, None);
        return None;
    }
    let shown = |part: &Part<'_>| match &part.content {
        Content::Result { parts, .. } => parts.iter().filter(|part| !matches!(part.content, Content::Text(_))).count(),
        Content::Image { .. } | Content::ImageUrl(_) | Content::Document { .. } => 1,
        _ => 0,
    };
    let shown: usize = chat.turns.iter().flat_map(|turn| &turn.parts).map(shown).sum();
    match said.first().map(|look| look.detail) {
        Some(detail) if said.len() == shown && said.iter().all(|look| look.detail == detail) => {
            to.look(said, Some(Detail::High));
            Some(level(detail.min(Detail::High)))
        }
        _ => {
            to.look(said, None);
            to.look(given_back, None);
            None
        }
    }
}

/// The API's name for a detail.
const fn level(detail: Detail) -> &'static str {
    match detail {
        Detail::Low => "MEDIA_RESOLUTION_LOW",
        Detail::High => "MEDIA_RESOLUTION_HIGH",
        Detail::Original => "MEDIA_RESOLUTION_ULTRA_HIGH",
    }
}

/// Refuses the fields that this API cannot express.
fn expressible(chat: &Chat<'_>, to: &mut To<'_>) -> Result<(), Reject> {
    to.takes_none_of(chat, &["logit_bias", "metadata"]);
    to.unname(chat);
    // In this API, a seed has 32 bits.
    if chat.seed.is_some_and(|seed| seed.text().parse::<i32>().is_err()) {
        return Err(to.invalid("seed", "it must be a whole number of 32 bits for this provider"));
    }
    to.rest(&chat.extra, &TAKES);
    Ok(())
}

fn extra<'a>(chat: &Chat<'a>, wanted: &str) -> Option<Raw<'a>> {
    chat.extra.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value)
}

/// Whether the model may search the web. The API has no setting for how much it reads, or from where it searches. Older
/// models search only if there are no functions and the answer may be any text.
///
/// <https://ai.google.dev/gemini-api/docs/google-search>, <https://ai.google.dev/gemini-api/docs/tool-combination>,
/// <https://ai.google.dev/gemini-api/docs/structured-output#structured_outputs_with_tools>
fn searches(chat: &Chat<'_>, model: Model, to: &mut To<'_>) -> Result<bool, Reject> {
    let Some(options) = extra(chat, "web_search_options") else { return Ok(false) };
    if options.kind() != Kind::Object {
        return Err(to.invalid("web_search_options", "it must be an object"));
    }
    let is_alone = chat.tools.is_empty() && chat.format == Format::Text;
    if !is_alone && !model.searches_beside_others() {
        to.unsupported("web_search_options");
        return Ok(false);
    }
    for (name, value) in options.members() {
        let is_usual = value.is_null() || name == "search_context_size" && value.text() == "\"medium\"";
        if !is_usual {
            to.unsupported(&alloc::format!("web_search_options.{name}"));
        }
    }
    Ok(true)
}

/// The kinds of content in the answer, if it is more than text.
///
/// <https://ai.google.dev/gemini-api/docs/image-generation>
fn modalities(chat: &Chat<'_>, to: &mut To<'_>) -> Vec<&'static str> {
    let mut wanted = Vec::new();
    for modality in extra(chat, "modalities").unwrap_or(Raw::NULL).items() {
        match modality.string().as_deref() {
            Some("text") => wanted.push("TEXT"),
            Some("image") => wanted.push("IMAGE"),
            _ => to.unsupported("modalities"),
        }
    }
    wanted
}

/// The tool for an answer that must be JSON, if the model accepts no answer format together with tools.
fn answer<'a>(chat: &'a Chat<'_>, model: Model, to: &mut To<'_>) -> Option<Tool<'a>> {
    if chat.tools.is_empty() || model.answers_in_json_beside_tools() {
        return None;
    }
    let answer = match &chat.format {
        Format::Text => return None,
        Format::Json => answer_tool(ANY_OBJECT, None),
        Format::Schema { schema, description, .. } => answer_tool(schema.text(), description.as_deref()),
    };
    to.emulates("response_format");
    Some(answer)
}

/// <https://ai.google.dev/gemini-api/docs/structured-output>
fn format(format: &Format<'_>, config: &mut Object<'_>) {
    match format {
        Format::Text => {}
        Format::Json => config.string("responseMimeType", "application/json"),
        Format::Schema { schema, .. } => {
            config.string("responseMimeType", "application/json");
            config.raw("responseJsonSchema", schema.text());
        }
    }
}

/// <https://ai.google.dev/gemini-api/docs/flex-inference>
fn tier(chat: &Chat<'_>, host: Host, to: &mut To<'_>) -> Option<&'static str> {
    match chat.service_tier.as_deref() {
        None => None,
        Some("flex") if host == Host::GoogleAi => Some("flex"),
        Some("priority") if host == Host::GoogleAi => Some("priority"),
        Some(_) => {
            to.unsupported("service_tier");
            None
        }
    }
}

/// The caller's sampling settings.
fn sampling(chat: &Chat<'_>, stops: &[Cow<'_, str>], config: &mut Object<'_>) {
    let Chat { temperature, top_p, top_k, presence_penalty, frequency_penalty, seed, .. } = *chat;
    let numbers = [
        ("temperature", temperature),
        ("topP", top_p),
        ("topK", top_k),
        ("seed", seed),
        ("presencePenalty", presence_penalty),
        ("frequencyPenalty", frequency_penalty),
    ];
    for (name, value) in numbers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        config.raw(name, value.text());
    }
    if let Some(max) = chat.max_tokens {
        config.number("maxOutputTokens", max);
    }
    if let Some(count) = chat.n {
        config.number("candidateCount", count);
    }
    if !stops.is_empty() {
        config.array("stopSequences", stops, |out, stop| string(out, stop));
    }
    if let Some(others) = chat.logprobs {
        config.raw("responseLogprobs", "true");
        if others > 0 {
            config.raw("logprobs", &others.to_string());
        }
    }
}
