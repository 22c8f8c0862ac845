//! How the model is to think.
//!
//! <https://ai.google.dev/gemini-api/docs/thinking>

use weir_hub::chat::{Chat, Effort, Thinking as Asked};
use weir_hub::codec::json::write::Object;

use crate::provider::To;
use crate::provider::gemini::model::{Model, Thinks, budget, effort};

/// The setting for thinking.
#[derive(Clone, Copy)]
pub(super) enum Thinking {
    /// None: most models then decide themselves, and hide their thoughts.
    Unsaid,
    Off,
    /// The model decides.
    Dynamic,
    Budget(u64),
    Level(&'static str),
}

/// What the caller asks for.
enum Wanted {
    Nothing,
    AsItLikes,
    Effort(Effort),
    Tokens(u64),
}

impl Thinking {
    pub(super) fn of(chat: &Chat<'_>, model: Model, to: &mut To<'_>) -> Self {
        let wanted = match (chat.thinking, chat.effort) {
            (Some(Asked::Off), _) | (_, Some(Effort::None)) => Wanted::Nothing,
            // A budget is more precise. Newer models have only the effort.
            (Some(Asked::Budget(tokens)), Some(_)) if matches!(model.thinks(), Thinks::Budget { .. }) => {
                to.leaves_effort();
                Wanted::Tokens(tokens)
            }
            (Some(Asked::Budget(_)), Some(effort)) if model.thinks() == Thinks::Level => {
                to.emulates("reasoning_effort");
                Wanted::Effort(effort)
            }
            (_, Some(effort)) => Wanted::Effort(effort),
            (Some(Asked::Budget(tokens)), None) => Wanted::Tokens(tokens),
            (Some(Asked::Adaptive), None) => Wanted::AsItLikes,
            (None, None) => return Self::Unsaid,
        };
        // The caller's limit includes reasoning, as it does here: half of it is for the answer.
        let room = chat.max_tokens.map_or(u64::MAX, |max| max / 2);
        match (model.thinks(), wanted) {
            (Thinks::Never, Wanted::Nothing) => Self::Unsaid,
            (Thinks::Budget { can_be_off: true, .. }, Wanted::Nothing) => Self::Off,
            (Thinks::Never, _) | (Thinks::Budget { .. }, Wanted::Nothing) => {
                to.unsupported("reasoning_effort");
                Self::Unsaid
            }
            (_, Wanted::AsItLikes) => Self::Dynamic,
            (Thinks::Budget { least, most, .. }, Wanted::Effort(effort)) => {
                Self::Budget(budget(effort).min(room).clamp(least, most))
            }
            (Thinks::Budget { least, most, .. }, Wanted::Tokens(tokens)) => Self::Budget(tokens.clamp(least, most)),
            (Thinks::Level, wanted) => {
                let effort = match wanted {
                    Wanted::Effort(effort) => effort,
                    Wanted::Tokens(tokens) => effort(tokens),
                    Wanted::Nothing | Wanted::AsItLikes => Effort::None,
                };
                if let Some(level) = model.level(effort) {
                    Self::Level(level)
                } else {
                    to.unsupported("reasoning_effort");
                    Self::Unsaid
                }
            }
        }
    }

    pub(super) fn write(self, config: &mut Object<'_>) {
        if matches!(self, Self::Unsaid) {
            return;
        }
        config.object("thinkingConfig", |thinking| {
            match self {
                Self::Unsaid | Self::Dynamic => {}
                Self::Off => thinking.raw("thinkingBudget", "0"),
                Self::Budget(tokens) => thinking.number("thinkingBudget", tokens),
                Self::Level(level) => thinking.string("thinkingLevel", level),
            }
            if !matches!(self, Self::Off) {
                thinking.raw("includeThoughts", "true");
            }
        });
    }
}
