//! How the model thinks, and how it gives an answer that must be JSON. It gives that answer through a tool that it must
//! call, or, because a thinking model cannot be made to call one, through the API's own `output_config.format`.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>,
//! <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>

use alloc::vec::Vec;

use weir_hub::chat::{Chat, Content, Display, Effort, Format, Part, Role};
use weir_hub::codec::json::Raw;
use weir_hub::codec::json::write::Object;
use weir_hub::fault::Reject;

use super::conversation::Conversation;
use super::shape;
use crate::provider::To;
use crate::provider::answer_tool::ANY_OBJECT;
use crate::provider::claude::{Generation, Off, Thinks, budget};

#[derive(Clone, Copy)]
pub(in crate::provider) struct Thinking<'a> {
    pub(in crate::provider) max_tokens: u64,
    pub(in crate::provider) answer: Answer<'a>,
    mode: Mode<'a>,
}

#[derive(Clone, Copy)]
enum Mode<'a> {
    /// Nothing is said about it; then most models do not think.
    Unsaid,
    Off,
    /// Only an effort is said.
    Effort(Effort),
    Budget(u64),
    Adaptive(Effort),
    /// The caller's own setting.
    AsGiven(Raw<'a>),
}

impl Mode<'_> {
    fn thinks(self) -> bool {
        match self {
            Mode::Unsaid | Mode::Off | Mode::Effort(_) => false,
            Mode::AsGiven(given) => given.get("type").is_none_or(|kind| kind.text() != "\"disabled\""),
            Mode::Budget(_) | Mode::Adaptive(_) => true,
        }
    }
}

/// The form of an answer that must be JSON.
#[derive(Clone, Copy)]
pub(in crate::provider) enum Answer<'a> {
    Text,
    /// As the input of a tool with this schema.
    Tool {
        schema: &'a str,
        description: Option<&'a str>,
    },
    /// As text that follows this schema.
    Native {
        schema: &'a str,
    },
}

impl<'a> Thinking<'a> {
    pub(in crate::provider) fn of(
        chat: &'a Chat<'_>,
        conversation: &Conversation<'_>,
        generation: Generation,
        to: &mut To<'_>,
    ) -> Result<Self, Reject> {
        let mode = match mode(chat, generation, to)? {
            Mode::Budget(_) if generation != Generation::Foreign && goes_on_without_thoughts(conversation) => {
                to.hint("reasoning_effort");
                Mode::Unsaid
            }
            mode => mode,
        };
        let room = match mode {
            Mode::Budget(budget) => budget,
            Mode::AsGiven(given) => given.get("budget_tokens").and_then(Raw::integer).unwrap_or(0),
            Mode::Adaptive(effort) => budget(effort),
            Mode::Unsaid | Mode::Off | Mode::Effort(_) => 0,
        };
        let max_tokens = chat.max_tokens.unwrap_or_else(|| generation.default_max_tokens().saturating_add(room));
        Ok(Self { max_tokens, answer: answer(&chat.format, mode, generation, to), mode })
    }

    /// Refuses a conversation that ends with the beginning of an answer, if the model does not continue it: newer
    /// models do not, and none that thinks does. A conversation that is only counted may end like that.
    ///
    /// <https://platform.claude.com/docs/en/about-claude/models/migration-guide>
    pub(in crate::provider) fn check_end(
        &self,
        conversation: &Conversation<'_>,
        generation: Generation,
        to: &To<'_>,
    ) -> Result<(), Reject> {
        let begun = conversation.turns.last().is_some_and(|(role, _)| *role == Role::Assistant);
        let goes_on = generation == Generation::Foreign || generation.goes_on() && !self.thinks();
        if begun && !goes_on && !to.endpoint.counts() {
            return Err(to.invalid("messages", "they must end with one of the user for this model"));
        }
        Ok(())
    }

    /// For another maker's model, which has none of these settings.
    pub(in crate::provider) fn unsaid(chat: &'a Chat<'_>, to: &mut To<'_>) -> Self {
        let answer = answer(&chat.format, Mode::Unsaid, Generation::Foreign, to);
        Self { max_tokens: chat.max_tokens.unwrap_or_default(), answer, mode: Mode::Unsaid }
    }

    /// Whether the model is told to think.
    pub(in crate::provider) fn thinks(&self) -> bool {
        self.mode.thinks()
    }

    /// The settings without the schema, which the caller of this function writes elsewhere.
    pub(in crate::provider) fn without_schema(self) -> Self {
        Self { answer: Answer::Text, ..self }
    }

    pub(in crate::provider) fn write(&self, chat: &Chat<'_>, generation: Generation, body: &mut Object<'_>) {
        match self.mode {
            Mode::Unsaid | Mode::Effort(_) => {}
            Mode::Off => body.object("thinking", |thinking| thinking.string("type", "disabled")),
            Mode::AsGiven(given) => body.raw("thinking", given.text()),
            Mode::Adaptive(_) => body.object("thinking", |thinking| {
                thinking.string("type", "adaptive");
                if let Some(display) = chat.display.filter(|_| generation.hides_thoughts()) {
                    thinking.string("display", if display == Display::Omitted { "omitted" } else { "summarized" });
                }
            }),
            Mode::Budget(tokens) => body.object("thinking", |thinking| {
                thinking.string("type", "enabled");
                thinking.number("budget_tokens", tokens);
            }),
        }
        let effort = match self.mode {
            Mode::Adaptive(effort) | Mode::Effort(effort) => Some(effort),
            Mode::Off => chat.effort.filter(|effort| *effort != Effort::None).map(|effort| effort.min(Effort::High)),
            Mode::AsGiven(_) if generation.thinks() == Thinks::Adaptive => chat.effort,
            _ => None,
        };
        let schema = if let Answer::Native { schema } = self.answer { Some(schema) } else { None };
        if effort.is_none() && schema.is_none() {
            return;
        }
        body.object("output_config", |config| {
            if let Some(effort) = effort {
                config.string("effort", generation.effort(effort));
            }
            if let Some(schema) = schema {
                config.object("format", |format| {
                    format.string("type", "json_schema");
                    format.raw("schema", &shape::fitting(schema));
                });
            }
        });
    }
}

fn mode<'a>(chat: &Chat<'a>, generation: Generation, to: &mut To<'_>) -> Result<Mode<'a>, Reject> {
    if let Some((_, given)) = chat.extra.iter().find(|(name, _)| name == "thinking") {
        return Ok(Mode::AsGiven(*given));
    }
    if chat.effort_of_answer {
        return Ok(of_answer(chat.effort, generation, to));
    }
    let effort = match (chat.thinking, chat.effort) {
        (Some(weir_hub::chat::Thinking::Off), _) | (None, Some(Effort::None)) => {
            return Ok(off(chat.effort, generation, to));
        }
        // A budget is more precise than an effort, and these models have no effort.
        (Some(weir_hub::chat::Thinking::Budget(tokens)), effort) if generation.thinks() == Thinks::Budget => {
            let (least, room) = (budget(Effort::None), chat.max_tokens.unwrap_or(u64::MAX));
            let fits = (least..room).contains(&tokens);
            // At other providers, budgets may be smaller, or larger than the whole answer.
            if !fits {
                to.emulates("reasoning_effort");
            }
            if effort.is_some() {
                to.leaves_effort();
            }
            if fits {
                return Ok(Mode::Budget(tokens));
            }
            if tokens < least { Effort::Minimal } else { Effort::Max }
        }
        (Some(weir_hub::chat::Thinking::Budget(tokens)), effort) => {
            to.emulates("reasoning_effort");
            effort.unwrap_or_else(|| Effort::of_budget(tokens))
        }
        (Some(weir_hub::chat::Thinking::Adaptive), None) => Effort::High,
        (_, Some(effort)) => effort,
        (None, None) => return Ok(Mode::Unsaid),
    };
    match generation.thinks() {
        Thinks::Never => {
            to.unsupported("reasoning_effort");
            Ok(Mode::Unsaid)
        }
        Thinks::Adaptive => Ok(Mode::Adaptive(effort)),
        Thinks::Budget => {
            // The caller's limit includes reasoning, as it does here: half of it is for the answer.
            let most = chat.max_tokens.map_or(u64::MAX, |max| max / 2);
            if most < budget(Effort::Minimal) {
                // A model that decides itself may also decide not to think.
                if chat.thinking == Some(weir_hub::chat::Thinking::Adaptive) && chat.effort.is_none() {
                    to.hint("reasoning_effort");
                    return Ok(Mode::Unsaid);
                }
                let problem = "it must be at least 2048 for this model to reason";
                return Err(to.invalid("max_completion_tokens", problem));
            }
            Ok(Mode::Budget(budget(effort).min(most)))
        }
    }
}

/// An effort for the whole answer, without thinking. Only some models have one.
fn of_answer<'a>(effort: Option<Effort>, generation: Generation, to: &mut To<'_>) -> Mode<'a> {
    match effort.filter(|effort| *effort != Effort::None) {
        None => Mode::Unsaid,
        Some(effort) if generation.thinks() == Thinks::Adaptive => Mode::Effort(effort),
        Some(_) => {
            to.leaves_effort();
            Mode::Unsaid
        }
    }
}

/// No thinking, as far as the model can be stopped from it.
fn off<'a>(effort: Option<Effort>, generation: Generation, to: &mut To<'_>) -> Mode<'a> {
    if generation.thinks() != Thinks::Adaptive {
        return of_answer(effort, generation, to);
    }
    match Off::of(to.model) {
        Off::Unsaid => of_answer(effort, generation, to),
        Off::Said => {
            // Without thinking, the model accepts no higher effort.
            if effort > Some(Effort::High) {
                to.leaves_effort();
            }
            Mode::Off
        }
        Off::Never => {
            to.emulates("reasoning_effort");
            Mode::Effort(effort.filter(|effort| *effort != Effort::None).unwrap_or(Effort::Low))
        }
    }
}

/// Whether tool results are to continue an answer that began without the model's own thoughts. Most callers do not send
/// thoughts back, and in a conversation that began elsewhere they are another model's. Such an answer cannot go on with
/// thoughts: a request for them is refused, or the model goes on without them.
///
/// <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>, with tool use
fn goes_on_without_thoughts(conversation: &Conversation<'_>) -> bool {
    let is_of_answer = |(role, parts): &(Role, Vec<&Part<'_>>)| {
        *role == Role::Assistant || parts.iter().any(|part| matches!(part.content, Content::Result { .. }))
    };
    // Everything since the user last spoke without a tool result.
    let answer = conversation.turns.rsplit(|turn| !is_of_answer(turn)).next().unwrap_or_default();
    let waits = answer.last().is_some_and(|(role, _)| *role == Role::User);
    let first = answer.iter().find(|(role, _)| *role == Role::Assistant).and_then(|(_, parts)| parts.first());
    waits && first.is_some_and(|part| !matches!(part.content, Content::Reasoning { .. } | Content::Redacted(_)))
}

fn answer<'a>(format: &'a Format<'_>, mode: Mode<'_>, generation: Generation, to: &mut To<'_>) -> Answer<'a> {
    // A model that thinks cannot be made to call a tool.
    let thinks = mode.thinks();
    let answer = match format {
        Format::Text => Answer::Text,
        // Some of the newest models always think, so only this way remains.
        Format::Schema { schema, .. }
            if generation == Generation::Latest && !shape::is_open(*schema)
                || thinks && generation.follows_schemas() =>
        {
            Answer::Native { schema: schema.text() }
        }
        Format::Schema { .. } | Format::Json if thinks => {
            to.unsupported("response_format.type");
            Answer::Text
        }
        Format::Schema { schema, description, .. } => {
            Answer::Tool { schema: schema.text(), description: description.as_deref() }
        }
        Format::Json => Answer::Tool { schema: ANY_OBJECT, description: None },
    };
    let is_refitted = match answer {
        Answer::Native { schema } => {
            !to.judges() && Raw::parse(schema).is_some_and(|schema| !shape::meets(schema) && !shape::is_open(schema))
        }
        _ => false,
    };
    if is_refitted || matches!(answer, Answer::Tool { .. }) {
        to.emulates("response_format");
    }
    answer
}
