//! Writes a chat as a request in `OneInfer`'s API.
//!
//! <https://oneinfer.ai/docs/api/chat-completions>, Request Parameters

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::chat::{Chat, Content, Effort, Format, Role, Source, Thinking, ToolChoice, Turn};
use weir_hub::codec::json::write::{object, string};
use weir_hub::endpoint::Delivery;
use weir_hub::fault::Reject;

use crate::provider::To;

/// Fields that this API cannot express.
const LACKED: [&str; 8] =
    ["presence_penalty", "frequency_penalty", "seed", "logit_bias", "n", "logprobs", "top_logprobs", "metadata"];

/// The caller's own setting for this provider: a dedicated endpoint.
const OWN: [&str; 1] = ["endpoint_id"];

/// The request for `chat`.
pub(super) fn write(chat: &Chat<'_>, to: &mut To<'_>) -> Result<Vec<u8>, Reject> {
    expressible(chat, to);
    let messages = messages(&chat.turns, to)?;
    if to.judges() {
        return Ok(Vec::new());
    }
    let (maker, model) = named(to.model);
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |body| {
        if let Some(maker) = maker {
            body.string("provider", maker);
        }
        body.string("model", model);
        body.array("messages", &messages, |out, (role, text)| {
            object(out, |message| {
                message.string("role", role);
                message.string("content", text);
            });
        });
        if let Some(max) = chat.max_tokens {
            body.number("max_tokens", max);
        }
        for (name, value) in [("temperature", chat.temperature), ("top_p", chat.top_p)] {
            if let Some(value) = value {
                body.raw(name, value.text());
            }
        }
        if !chat.stop.is_empty() {
            body.array("stop", &chat.stop, |out, stop| string(out, stop));
        }
        if chat.service_tier.as_deref() == Some(FLEX) {
            body.string("service_tier", FLEX);
        }
        for (name, value) in chat.extra.iter().filter(|(name, _)| OWN.contains(&&**name)) {
            body.raw(name, value.text());
        }
        if to.delivery == Delivery::Streamed {
            body.raw("stream", "true");
        }
    });
    Ok(out)
}

/// The only tier besides the default.
const FLEX: &str = "flex";

/// The maker of a model, and the model's own name: the text before and after the first slash. If there is no slash,
/// `OneInfer` assumes `OpenAI`.
pub(super) fn named(model: &str) -> (Option<&str>, &str) {
    match model.split_once('/') {
        Some((maker, model)) if !maker.is_empty() && !model.is_empty() => (Some(maker), model),
        _ => (None, model),
    }
}

/// Refuses the fields beside the conversation that this API cannot express.
fn expressible(chat: &Chat<'_>, to: &mut To<'_>) {
    if !chat.tools.is_empty() {
        to.unsupported("tools");
    }
    // Without tools, the other choices mean nothing.
    if matches!(chat.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_))) {
        to.unsupported("tool_choice");
    }
    to.takes_none_of(chat, &LACKED);
    if chat.top_k.is_some() {
        to.unsupported("top_k");
    }
    match chat.format {
        Format::Text => {}
        Format::Json => to.unsupported("response_format.type"),
        Format::Schema { .. } => to.unsupported("response_format"),
    }
    // `standard_only` is Anthropic's name for the default.
    if chat.service_tier.as_deref().is_some_and(|tier| ![FLEX, "default", "standard_only"].contains(&tier)) {
        to.unsupported("service_tier");
    }
    match (chat.thinking, chat.effort) {
        (None, None) => {}
        // The API has no setting for it, and never shows any thoughts.
        (Some(Thinking::Off), _) | (None, Some(Effort::None)) => to.hint("reasoning_effort"),
        _ => to.unsupported("reasoning_effort"),
    }
    to.unname(chat);
    to.unmark(chat);
    to.rest(&chat.extra, &OWN);
}

/// Each message's role and text. An empty message is left out, because many makers accept none.
fn messages<'t>(turns: &'t [Turn<'_>], to: &mut To<'_>) -> Result<Vec<(&'static str, Cow<'t, str>)>, Reject> {
    let mut messages = Vec::with_capacity(turns.len());
    for turn in turns {
        let text = text(turn, to);
        if !text.is_empty() {
            let role = match turn.role {
                Role::System => "system",
                Role::User | Role::Tool => "user",
                Role::Assistant => "assistant",
            };
            messages.push((role, text));
        }
    }
    if messages.is_empty() {
        return Err(to.invalid("messages", "there must be a message that says something"));
    }
    Ok(messages)
}

/// The text of a turn, one part on each line. Other content is refused.
fn text<'t>(turn: &'t Turn<'_>, to: &mut To<'_>) -> Cow<'t, str> {
    let mut all = Cow::Borrowed("");
    for (at, part) in turn.parts.iter().enumerate() {
        let text = match &part.content {
            Content::Text(text) | Content::Refusal(text) => Cow::Borrowed(&**text),
            Content::Document { source: Source::Text(text), name } => match name {
                Some(name) => Cow::Owned(format!("{name}:\n{text}")),
                None => Cow::Borrowed(&**text),
            },
            other => {
                if let Some(field) = nameless(at, other) {
                    to.unsupported(&To::of_message(turn.at, &field));
                }
                continue;
            }
        };
        if all.is_empty() {
            all = text;
        } else if !text.is_empty() {
            let all = all.to_mut();
            all.push('\n');
            all.push_str(&text);
        }
    }
    all
}

/// The name of content that this API cannot express.
fn nameless(at: usize, content: &Content<'_>) -> Option<String> {
    let kind = match content {
        Content::Call { .. } => return Some("tool_calls".into()),
        Content::Result { .. } => return Some(format!("content[{at}]")),
        Content::Image { .. } | Content::ImageUrl(_) => "image_url",
        Content::Document { .. } => "file",
        Content::Audio { .. } => "input_audio",
        // Reasoning is not part of what was said, and the rest was refused earlier.
        _ => return None,
    };
    Some(format!("content[{at}].{kind}"))
}
