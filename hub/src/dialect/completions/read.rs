//! Reads a completion request.

use alloc::borrow::{Cow, ToOwned};
use alloc::vec;
use alloc::vec::Vec;

use crate::chat::{Chat, Content, Role, Turn};
use crate::codec::json::{Kind, Raw, Scan};
use crate::dialect::fields::{boolean, invalid, stream_options, string};
use crate::dialect::openai::{is_neutral, sampling};
use crate::fault::Reject;

/// Reads the request in `body`, which was scanned into `scan`.
pub(super) fn read<'a>(body: &'a [u8], scan: &'a Scan) -> Result<Chat<'a>, Reject> {
    let mut chat = Chat::default();
    let mut said = None;
    for (name, value) in scan.members(body) {
        let at = format_args!("{name}");
        match &*name {
            "model" | "stream" => {}
            "stream_options" => stream_options(value, &mut chat.hints),
            _ if value.is_null() => {}
            "prompt" => said = Some(prompt(value)?),
            _ if is_neutral(&name, value) => {}
            "best_of" if value.integer() == Some(1) => {}
            "suffix" if string(value, at)?.is_empty() => {}
            "echo" if !boolean(value, at)? => {}
            "best_of" | "suffix" | "echo" | "logprobs" => chat.foreign.push(name.into_owned()),
            // The API's own default of 16 tokens is not useful; without a limit, the model's own limit holds.
            _ if sampling(&name, value, &mut chat)? => {}
            _ => chat.extra.push((name, value)),
        }
    }
    let text = said.ok_or_else(|| Reject::Missing { field: "prompt".to_owned() })?;
    let parts = vec![Content::Text(text).into()];
    chat.turns.push(Turn { role: Role::User, at: 0, parts, extra: Vec::new() });
    chat.emulated.push("prompt".to_owned());
    Ok(chat)
}

/// The prompt; there may be only one.
fn prompt(prompt: Raw<'_>) -> Result<Cow<'_, str>, Reject> {
    let at = format_args!("prompt");
    let mut items = prompt.items();
    match (prompt.kind(), items.next(), items.next()) {
        (Kind::String, ..) => string(prompt, at),
        (Kind::Array, Some(only), None) if only.kind() == Kind::String => string(only, at),
        (Kind::Array, Some(first), Some(_)) if first.kind() == Kind::String => {
            Err(invalid(at, "this model answers one prompt at a time"))
        }
        (Kind::Array, Some(first), _) if matches!(first.kind(), Kind::Number | Kind::Array) => {
            Err(invalid(at, "this model takes text, not tokens"))
        }
        _ => Err(invalid(at, "it must be a string")),
    }
}
