//! How the model is to think, and how an answer that must be JSON is had: through a tool that the model has to call, or,
//! because thinking forbids that, through the API's own `output_config.format`.
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
    /// Nothing was said about it, and then most models do not.
    Unsaid,
    Off,
    /// Nothing was said about it but how much is to be done.
    Effort(Effort),
    Budget(u64),
    Adaptive(Effort),
    /// The caller's own words.
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

/// How an answer comes that must have a shape.
#[derive(Clone, Copy)]
pub(in crate::provider) enum Answer<'a> {
    Text,
    /// As the input of a tool, by this schema.
    Tool {
        schema: &'a str,
        description: Option<&'a str>,
    },
    /// As text, by this schema.
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

    /// Refuses an answer that was begun for a model which does not go on with it: newer ones, and any that thinks. What is only
    /// counted may end as it likes.
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

    /// Of a model of another maker, to which nothing of this is said.
    pub(in crate::provider) fn unsaid(chat: &'a Chat<'_>, to: &mut To<'_>) -> Self {
        let answer = answer(&chat.format, Mode::Unsaid, Generation::Foreign, to);
        Self { max_tokens: chat.max_tokens.unwrap_or_default(), answer, mode: Mode::Unsaid }
    }

    /// Whether the model is told to think.
    pub(in crate::provider) fn thinks(&self) -> bool {
        self.mode.thinks()
    }

    /// What is to be written where the schema of an answer has a place of its own.
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
        // It is more precise than an effort, which these models are not told.
        (Some(weir_hub::chat::Thinking::Budget(tokens)), effort) if generation.thinks() == Thinks::Budget => {
            let (least, room) = (budget(Effort::None), chat.max_tokens.unwrap_or(u64::MAX));
            let fits = (least..room).contains(&tokens);
            // Elsewhere budgets may be smaller, and larger than the whole answer.
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
            // The limit that the caller sets includes reasoning, here as there: half of it is for the answer.
            let most = chat.max_tokens.map_or(u64::MAX, |max| max / 2);
            if most < budget(Effort::Minimal) {
                // As it sees fit may be not at all.
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

/// An effort that says nothing of thinking. Only some know one.
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

/// No thinking, as far as the model can be kept from it.
fn off<'a>(effort: Option<Effort>, generation: Generation, to: &mut To<'_>) -> Mode<'a> {
    if generation.thinks() != Thinks::Adaptive {
        return of_answer(effort, generation, to);
    }
    match Off::of(to.model) {
        Off::Unsaid => of_answer(effort, generation, to),
        Off::Said => {
            // It takes no more effort where it does not think.
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

/// Whether tools' results wait for an answer to go on that began without a thought of the model's own: most callers do not
/// send thoughts back, and in a conversation that began elsewhere they are another model's. Such an answer cannot go on with
/// thoughts, and a request for them is refused or does without.
///
/// <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>, with tool use
fn goes_on_without_thoughts(conversation: &Conversation<'_>) -> bool {
    let is_of_answer = |(role, parts): &(Role, Vec<&Part<'_>>)| {
        *role == Role::Assistant || parts.iter().any(|part| matches!(part.content, Content::Result { .. }))
    };
    // All since a person last spoke without a tool.
    let answer = conversation.turns.rsplit(|turn| !is_of_answer(turn)).next().unwrap_or_default();
    let waits = answer.last().is_some_and(|(role, _)| *role == Role::User);
    let first = answer.iter().find(|(role, _)| *role == Role::Assistant).and_then(|(_, parts)| parts.first());
    waits && first.is_some_and(|part| !matches!(part.content, Content::Reasoning { .. } | Content::Redacted(_)))
}

fn answer<'a>(format: &'a Format<'_>, mode: Mode<'_>, generation: Generation, to: &mut To<'_>) -> Answer<'a> {
    // Thinking and a tool that must be called exclude each other.
    let thinks = mode.thinks();
    let answer = match format {
        Format::Text => Answer::Text,
        // Of the newest some always think, so that only their own way remains.
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
