//! The sampling settings that Claude accepts.
//!
//! <https://platform.claude.com/docs/en/api/messages/create>,
//! <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>, feature compatibility

use alloc::vec::Vec;

use weir_hub::chat::Chat;
use weir_hub::codec::json::Raw;

use super::thinking::Thinking;
use crate::provider::To;
use crate::provider::claude::Generation;

/// The settings that are sent, under OpenAI's names. A value that the model does not accept is refused by the field's
/// name. If it is the usual value, it is left out instead.
pub(in crate::provider) fn taken<'a>(
    chat: &Chat<'a>,
    generation: Generation,
    thinking: &Thinking<'_>,
    to: &mut To<'_>,
) -> Vec<(&'static str, Raw<'a>)> {
    // Other models with this API say themselves which settings go together.
    let thinks = thinking.thinks() && generation != Generation::Foreign;
    let is_usual = |name: &str, value: Raw<'_>| name != "top_k" && value.number() == Some(1.0);
    let mut taken: Vec<(&str, Raw<'_>)> = Vec::new();
    for (name, value) in [("temperature", chat.temperature), ("top_p", chat.top_p), ("top_k", chat.top_k)] {
        let Some(value) = value else { continue };
        let number = value.number().unwrap_or_default();
        let fits = match name {
            // OpenAI allows up to 2.
            "temperature" => number <= 1.0 && !thinks,
            "top_p" => number >= 0.95 || !thinks,
            _ => !thinks,
        };
        if generation.samples() && (fits || is_usual(name, value)) {
            taken.push((name, value));
        } else if !is_usual(name, value) {
            to.unsupported(name);
        }
    }
    if generation.samples_in_one_way()
        && let [first @ ("temperature", _), second @ ("top_p", _), ..] = taken.as_slice()
    {
        let (out, value) = if is_usual(first.0, first.1) { *first } else { *second };
        if !is_usual(out, value) {
            to.unsupported(out);
        }
        taken.retain(|(name, _)| *name != out);
    }
    taken
}
