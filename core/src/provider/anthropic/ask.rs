//! Writes a chat as a Messages request.

mod conversation;
mod thinking;
mod tools;

use alloc::vec::Vec;

use crate::chat::Chat;
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
        for (name, value) in [("temperature", chat.temperature), ("top_p", chat.top_p)] {
            if let Some(value) = value {
                body.raw(name, value.text());
            }
        }
        if let Some(top_k) = chat.top_k {
            body.number("top_k", top_k);
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
