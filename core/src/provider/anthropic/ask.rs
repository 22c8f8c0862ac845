//! Writes a chat as a Messages request.

mod conversation;
mod thinking;
mod tools;

use alloc::vec::Vec;

use crate::chat::Chat;
use crate::codec::json::Raw;
use crate::codec::json::write::{object, string};
use crate::endpoint::Delivery;
use crate::fault::Reject;

use super::model::Generation;
use conversation::Conversation;
use thinking::Thinking;

/// The request for `chat`, for this upstream's model `model`.
pub(super) fn write(chat: &Chat<'_>, model: &str, delivery: Delivery) -> Result<Vec<u8>, Reject> {
    let generation = Generation::of(model);
    let thinking = Thinking::of(chat, generation)?;
    tools::check(chat, generation)?;
    let conversation = Conversation::of(&chat.turns)?;
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |body| {
        body.string("model", model);
        body.number("max_tokens", thinking.max_tokens);
        if delivery == Delivery::Streamed {
            body.raw("stream", "true");
        }
        conversation.write(body);
        tools::write(chat, thinking.answer, body);
        thinking.write(chat, generation, body);
        for (name, value) in sampling(chat) {
            if generation.samples() {
                body.raw(name, value.text());
            }
        }
        if !chat.stop.is_empty() {
            body.array("stop_sequences", &chat.stop, |out, stop| string(out, stop));
        }
        if let Some(user) = &chat.user {
            body.object("metadata", |metadata| metadata.string("user_id", user));
        }
    });
    Ok(out)
}

/// How the answer is to be drawn, as far as the caller says.
fn sampling<'a>(chat: &Chat<'a>) -> impl Iterator<Item = (&'static str, Raw<'a>)> {
    [("temperature", chat.temperature), ("top_p", chat.top_p), ("top_k", chat.top_k)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
}
