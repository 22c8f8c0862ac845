//! Writes a chat as a Messages request.

pub(in crate::provider) mod conversation;
pub(in crate::provider) mod thinking;
pub(in crate::provider) mod tools;

use alloc::vec::Vec;

use crate::chat::Chat;
use crate::codec::json::write::{object, string};
use crate::codec::json::{Kind, Raw};
use crate::endpoint::Delivery;
use crate::fault::Reject;

use super::model::Generation;
use crate::provider::To;
use crate::provider::signature::Maker;
use conversation::Conversation;
use thinking::Thinking;

/// How a request says what it is for.
#[derive(Clone, Copy)]
pub(in crate::provider) enum Head {
    /// By the model's name.
    Model,
    /// By the API's version: a cloud that serves Claude has the model in the path.
    Version(&'static str),
}

/// The request for `chat`.
pub(in crate::provider) fn write(chat: &Chat<'_>, head: Head, to: &mut To<'_>) -> Result<Vec<u8>, Reject> {
    let generation = Generation::of(to.model);
    expressible(chat, generation, to)?;
    let thinking = Thinking::of(chat, generation, to)?;
    tools::check(chat, generation, to)?;
    let conversation = Conversation::of(&chat.turns, Some(Maker::Anthropic), to)?;
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |body| {
        match head {
            Head::Model => body.string("model", to.model),
            Head::Version(version) => body.string("anthropic_version", version),
        }
        body.number("max_tokens", thinking.max_tokens);
        if to.delivery == Delivery::Streamed {
            body.raw("stream", "true");
        }
        conversation.write(body);
        tools::write(chat, thinking.answer, body);
        thinking.write(chat, generation, body);
        for (name, value) in sampling(chat) {
            if generation.samples() && !is_too_hot(name, value) {
                body.raw(name, value.text());
            }
        }
        if !chat.stop.is_empty() {
            body.array("stop_sequences", &chat.stop, |out, stop| string(out, stop));
        }
        if let Some(user) = chat.asker() {
            body.object("metadata", |metadata| metadata.string("user_id", user));
        }
    });
    Ok(out)
}

/// What this API has no words for.
const LACKS: [&str; 9] = [
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "logit_bias",
    "metadata",
    "n",
    "logprobs",
    "top_logprobs",
    "service_tier",
];

/// Refuses the fields that have no counterpart here.
fn expressible(chat: &Chat<'_>, generation: Generation, to: &mut To<'_>) -> Result<(), Reject> {
    for (name, value) in sampling(chat) {
        // One is what they are by default, which can be left out where they are no longer taken.
        if is_too_hot(name, value) || !generation.samples() && value.number() != Some(1.0) {
            to.unsupported(name)?;
        }
    }
    to.takes_none_of(chat, &LACKS)?;
    to.look(chat.looks(), None);
    // There is one word for who asks.
    if chat.safety_identifier.is_some() && chat.user.as_deref().is_some_and(|user| Some(user) != chat.asker()) {
        to.hint("user");
    }
    // The caller's own words for this provider.
    let thinks = chat.extra.iter().any(|(name, value)| name == "thinking" && value.kind() == Kind::Object);
    to.rest(&chat.extra, if thinks { &["thinking"] } else { &[] })
}

/// OpenAI allows temperatures up to 2; what lies beyond 1 has no counterpart.
fn is_too_hot(name: &str, value: Raw<'_>) -> bool {
    name == "temperature" && value.number().is_some_and(|temperature| temperature > 1.0)
}

/// How the answer is to be drawn, as far as the caller says.
fn sampling<'a>(chat: &Chat<'a>) -> impl Iterator<Item = (&'static str, Raw<'a>)> {
    [("temperature", chat.temperature), ("top_p", chat.top_p), ("top_k", chat.top_k)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
}
