//! Writes a chat as a Messages request.

pub(in crate::provider) mod conversation;
pub(in crate::provider) mod sampling;
pub(in crate::provider) mod shape;
pub(in crate::provider) mod thinking;
pub(in crate::provider) mod tools;

use alloc::vec::Vec;

use conversation::Conversation;
use thinking::Thinking;
use weir_hub::chat::Chat;
use weir_hub::codec::json::Kind;
use weir_hub::codec::json::write::{object, string};
use weir_hub::endpoint::Delivery;
use weir_hub::fault::Reject;
use weir_hub::signature::Maker;

use crate::provider::claude::Generation;
use crate::provider::{To, parts};

/// What a request has in its first member.
#[derive(Clone, Copy)]
pub(in crate::provider) enum Head {
    /// The model's name.
    Model,
    /// The API's version, at a cloud that serves Claude and has the model in the path.
    Version(&'static str),
}

/// The request for `chat`.
pub(in crate::provider) fn write(chat: &Chat<'_>, head: Head, to: &mut To<'_>) -> Result<Vec<u8>, Reject> {
    let generation = Generation::of(to.model);
    let chat = &*parts::without(chat, to, |role, content| match generation {
        Generation::Foreign => None,
        _ => conversation::lacks(role, content),
    });
    expressible(chat, to);
    let stops = stops(chat, generation, to);
    let conversation = Conversation::of(&chat.turns, Some(Maker::Anthropic), to)?;
    let thinking = Thinking::of(chat, &conversation, generation, to)?;
    thinking.check_end(&conversation, generation, to)?;
    let sampling = sampling::taken(chat, generation, &thinking, to);
    let choice = tools::check(chat, generation, &thinking, to)?;
    if to.judges() {
        return Ok(Vec::new());
    }
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
        tools::write(chat, choice, thinking.answer, body);
        thinking.write(chat, generation, body);
        for (name, value) in sampling {
            body.raw(name, value.text());
        }
        if !stops.is_empty() {
            body.array("stop_sequences", stops, string);
        }
        if let Some(user) = chat.asker() {
            body.object("metadata", |metadata| metadata.string("user_id", user));
        }
    });
    Ok(out)
}

/// Fields that this API cannot express.
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

/// Refuses the fields that this API cannot express.
fn expressible(chat: &Chat<'_>, to: &mut To<'_>) {
    to.takes_none_of(chat, &LACKS);
    to.look(chat.looks(), None);
    // This API has only one field for the end user.
    if chat.safety_identifier.is_some() && chat.user.as_deref().is_some_and(|user| Some(user) != chat.asker()) {
        to.hint("user");
    }
    // The caller's own setting for this provider.
    let thinks = chat.extra.iter().any(|(name, value)| name == "thinking" && value.kind() == Kind::Object);
    to.rest(&chat.extra, if thinks { &["thinking"] } else { &[] });
}

/// The stop sequences. Claude does not accept a sequence with only space, such as a line break.
fn stops<'c>(chat: &'c Chat<'_>, generation: Generation, to: &mut To<'_>) -> Vec<&'c str> {
    let stops = chat.stop.iter().map(|stop| &**stop);
    let taken: Vec<_> = stops.filter(|stop| generation == Generation::Foreign || !stop.trim().is_empty()).collect();
    if taken.len() < chat.stop.len() {
        to.unsupported("stop");
    }
    taken
}
