//! Features of Claude that Anthropic's callers turn on by name (`anthropic-beta`).
//!
//! A name that is unknown for a model is refused, so only the documented ones are sent:
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-37.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html>

use alloc::format;
use alloc::vec::Vec;

use crate::provider::To;
use crate::provider::claude::{Generation, Thinks};

/// What a feature's name means for a model.
enum Beta {
    Taken,
    /// The model has the feature by default; its name is not sent.
    Usual,
    Unknown,
}

/// The names to send for a Claude model; the others are noted.
pub(super) fn taken<'t>(generation: Generation, to: &mut To<'t>) -> Vec<&'t str> {
    let mut taken = Vec::new();
    let names = to.betas.split(',').map(str::trim).filter(|name| !name.is_empty());
    for name in names {
        match beta(name, to.model, generation) {
            Beta::Taken => taken.push(name),
            Beta::Usual => {}
            Beta::Unknown => to.hint(&format!("anthropic-beta.{name}")),
        }
    }
    taken
}

fn beta(name: &str, model: &str, generation: Generation) -> Beta {
    let is_first = model.contains("claude-3-7");
    let is_four = !is_first && matches!(generation, Generation::Four | Generation::FourFive);
    match name {
        "interleaved-thinking-2025-05-14" if is_four => Beta::Taken,
        "interleaved-thinking-2025-05-14" if generation.thinks() == Thinks::Adaptive => Beta::Usual,
        "context-1m-2025-08-07" if is_four && model.contains("sonnet") => Beta::Taken,
        "context-1m-2025-08-07" if generation == Generation::FourSix => Beta::Taken,
        "context-1m-2025-08-07" if generation == Generation::Latest => Beta::Usual,
        "output-128k-2025-02-19" | "token-efficient-tools-2025-02-19" if is_first => Beta::Taken,
        "token-efficient-tools-2025-02-19" if is_four || generation.thinks() == Thinks::Adaptive => Beta::Usual,
        _ => Beta::Unknown,
    }
}
