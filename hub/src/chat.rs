//! The hub for chats: what a caller asks a chat model, in a form that no dialect and no provider owns.
//!
//! A dialect reads a [`Chat`] from a caller's body, and a provider writes it for its upstream. The upstream's answer
//! comes back as a sequence of [`Piece`]s. Both borrow from the received bytes, so an image is never copied on its way.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::json::Raw;

/// What a caller asks of a chat model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chat<'a> {
    /// The conversation, in order; system messages stay where they were.
    pub turns: Vec<Turn<'a>>,
    /// The tools that the model may call.
    pub tools: Vec<Tool<'a>>,
    /// Whether it must call one.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether it may call several tools at once.
    pub parallel_tools: Option<bool>,
    /// The most tokens that the answer may have, reasoning included.
    pub max_tokens: Option<u64>,
    /// A number, as written.
    pub temperature: Option<Raw<'a>>,
    /// A number, as written.
    pub top_p: Option<Raw<'a>>,
    /// A whole number, as written. OpenAI's API has no such field; most others do.
    pub top_k: Option<Raw<'a>>,
    /// A number, as written.
    pub presence_penalty: Option<Raw<'a>>,
    /// A number, as written.
    pub frequency_penalty: Option<Raw<'a>>,
    /// A whole number, as written.
    pub seed: Option<Raw<'a>>,
    /// Token ids and their biases, as written; not empty.
    pub logit_bias: Option<Raw<'a>>,
    /// How many alternatives the answer has; `None` for one.
    pub n: Option<u64>,
    /// Set if the tokens' log probabilities are wanted: how many alternatives to give for each token.
    pub logprobs: Option<u64>,
    /// The stop sequences.
    pub stop: Vec<Cow<'a, str>>,
    /// The format of the answer.
    pub format: Format<'a>,
    /// How much to reason.
    pub effort: Option<Effort>,
    /// The effort applies to the whole answer and does not ask for reasoning: the model reasons if it does so by
    /// default.
    pub effort_of_answer: bool,
    /// Whether to show the text of the reasoning, if the caller says.
    pub display: Option<Display>,
    /// Whether to reason at all, if the caller says so explicitly or gives a number of tokens.
    pub thinking: Option<Thinking>,
    /// The end user, as the caller's application names them.
    pub user: Option<Cow<'a, str>>,
    /// The end user, named for the provider's abuse detection.
    pub safety_identifier: Option<Cow<'a, str>>,
    /// The caller's own metadata: an object, as written; not empty.
    pub metadata: Option<Raw<'a>>,
    /// The service tier (speed and price); absent for the usual one.
    pub service_tier: Option<Cow<'a, str>>,
    /// Fields that have no place in this struct, as written, under the caller's names.
    pub extra: Vec<(Cow<'a, str>, Raw<'a>)>,
    /// Paths of what the caller asks for and no other dialect can express: `tools[2].web_search`.
    pub foreign: Vec<String>,
    /// Paths of what the caller's dialect has replaced by something similar: `tools[3].custom`.
    pub emulated: Vec<String>,
    /// Paths of what has no place here but is no reason to refuse, because it only advises or is unknown. It is left
    /// out, and the answer says so.
    pub hints: Vec<String>,
}

impl Chat<'_> {
    /// The end user, for a provider that has one field for it. The newer field, `safety_identifier`, wins.
    pub fn asker(&self) -> Option<&str> {
        self.safety_identifier.as_deref().or(self.user.as_deref())
    }

    /// The images that have a `detail`: where each of them is, for errors, and which detail it has.
    pub fn looks(&self) -> impl Iterator<Item = Look> {
        let of_part =
            |turn: usize, at: usize, part: &Part<'_>, place| part.detail.map(|detail| Look { turn, at, place, detail });
        self.turns.iter().flat_map(move |turn| {
            turn.parts.iter().enumerate().flat_map(move |(at, part)| {
                let of_result: &[Part<'_>] = match &part.content {
                    Content::Result { parts, .. } => parts,
                    _ => &[],
                };
                let own = of_part(turn.at, at, part, Place::Said);
                own.into_iter()
                    .chain(of_result.iter().filter_map(move |part| of_part(turn.at, at, part, Place::Result)))
            })
        })
    }

    /// Whether the caller sets this field, which is given by its name in OpenAI's chat completions. Knows only the
    /// fields that are numbers or plain words.
    pub fn asks_for(&self, field: &str) -> bool {
        match field {
            "frequency_penalty" => self.frequency_penalty.is_some(),
            "logit_bias" => self.logit_bias.is_some(),
            "logprobs" => self.logprobs == Some(0),
            "metadata" => self.metadata.is_some(),
            "n" => self.n.is_some_and(|n| n > 1),
            "parallel_tool_calls" => self.parallel_tools == Some(false) && !self.tools.is_empty(),
            "presence_penalty" => self.presence_penalty.is_some(),
            "seed" => self.seed.is_some(),
            "service_tier" => self.service_tier.is_some(),
            "top_logprobs" => self.logprobs.is_some_and(|others| others > 0),
            _ => false,
        }
    }
}

/// Whether reasoning is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    /// As a summary.
    Summarized,
    /// Only the proof that the model reasoned.
    Omitted,
}

/// Whether a model is to reason before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// The model must not reason.
    Off,
    /// The model decides.
    Adaptive,
    /// Up to this many tokens.
    Budget(u64),
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn<'a> {
    /// Who speaks.
    pub role: Role,
    /// The index of the caller's message that this was, for errors.
    pub at: usize,
    /// What is said, in order: reasoning first, tool calls last.
    pub parts: Vec<Part<'a>>,
    /// Fields that have no place in this struct, as written.
    pub extra: Vec<(Cow<'a, str>, Raw<'a>)>,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The application (`system`, `developer`).
    System,
    /// The end user.
    User,
    /// The model.
    Assistant,
    /// A tool that the model called.
    Tool,
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Part<'a> {
    /// Its content.
    pub content: Content<'a>,
    /// A mark for the provider's prompt cache (`cache_control`), as written.
    pub cache: Option<Raw<'a>>,
    /// How closely to look at an image; `None` if the model decides.
    pub detail: Option<Detail>,
}

impl<'a> From<Content<'a>> for Part<'a> {
    fn from(content: Content<'a>) -> Self {
        Self { content, cache: None, detail: None }
    }
}

/// An image that has a `detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The index of the caller's message that it is in.
    pub turn: usize,
    /// The index of the part in that message.
    pub at: usize,
    /// Whether it is the part itself, or in a tool's result.
    pub place: Place,
    /// Its detail.
    pub detail: Detail,
}

/// Where an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the message itself.
    Said,
    /// In a tool's result.
    Result,
}

/// How closely to look at an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Low resolution.
    Low,
    /// High resolution.
    High,
    /// The image's original resolution.
    Original,
}

/// The content of a part.
#[derive(Clone, Debug, PartialEq)]
pub enum Content<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// An image at a URL.
    ImageUrl(Cow<'a, str>),
    /// An image in the request.
    Image {
        /// For example `image/png`; in lower case and without parameters.
        media_type: Cow<'a, str>,
        /// In base64.
        data: Cow<'a, str>,
    },
    /// The model's reasoning.
    Reasoning {
        /// Its text.
        text: Cow<'a, str>,
        /// The provider's proof that its model wrote this text; some providers do not accept reasoning without it.
        signature: Option<Cow<'a, str>>,
    },
    /// The model's reasoning, encrypted by the provider.
    Redacted(Cow<'a, str>),
    /// The model refused, with this text.
    Refusal(Cow<'a, str>),
    /// The model calls a tool.
    Call {
        /// The call's id, which its result repeats.
        id: Cow<'a, str>,
        /// The tool's name.
        name: Cow<'a, str>,
        /// The arguments, a JSON object.
        arguments: Cow<'a, str>,
    },
    /// A tool's result.
    Result {
        /// The id of the call.
        id: Cow<'a, str>,
        /// Text, images and documents.
        parts: Vec<Part<'a>>,
        /// Whether the call worked, if the caller says.
        outcome: Outcome,
    },
    /// A document, such as a PDF.
    Document {
        /// Its URL or its content.
        source: Source<'a>,
        /// Its file name or title.
        name: Option<Cow<'a, str>>,
    },
    /// Audio.
    Audio {
        /// The format, for example `wav` or `mp3`.
        format: Cow<'a, str>,
        /// In base64.
        data: Cow<'a, str>,
    },
    /// A kind of part that the hub does not know.
    Other {
        /// The path of what cannot be expressed: `messages[2].content[1].input_audio`.
        field: String,
    },
}

/// Whether a tool's call worked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It worked, or nobody says that it failed.
    #[default]
    Worked,
    /// It failed; its result is an error.
    Failed,
}

/// Where a document's content is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// At a URL.
    Url(Cow<'a, str>),
    /// A file in the request.
    File {
        /// For example `application/pdf`; in lower case and without parameters.
        media_type: Cow<'a, str>,
        /// In base64.
        data: Cow<'a, str>,
    },
    /// Plain text.
    Text(Cow<'a, str>),
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// What it does, for the model.
    pub description: Option<Cow<'a, str>>,
    /// JSON Schema of its arguments, as written.
    pub parameters: Option<Raw<'a>>,
    /// Whether the arguments must follow the schema exactly.
    pub strict: Option<bool>,
    /// A mark for the provider's prompt cache (`cache_control`), as written.
    pub cache: Option<Raw<'a>>,
}

/// Whether the model must call a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    /// The model decides.
    Auto,
    /// It must not call any.
    None,
    /// It must call at least one.
    Required,
    /// It must call this one.
    Named(Cow<'a, str>),
}

/// The format of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Format<'a> {
    /// Text.
    #[default]
    Text,
    /// A JSON object.
    Json,
    /// JSON that follows a schema.
    Schema {
        /// The caller's name for the schema.
        name: Option<Cow<'a, str>>,
        /// Whether the answer must follow it exactly.
        strict: Option<bool>,
        /// JSON Schema, as written.
        schema: Raw<'a>,
        /// A description, for the model.
        description: Option<Cow<'a, str>>,
    },
}

/// How much a model is to reason before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "levels that have no meaning of their own but their order")]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

impl Effort {
    /// Every level with its name, from the lowest.
    pub const ALL: [(&'static str, Self); 7] = [
        ("none", Self::None),
        ("minimal", Self::Minimal),
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
        ("xhigh", Self::Xhigh),
        ("max", Self::Max),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, effort)| *effort == self).map_or("", |(name, _)| name)
    }

    /// The nearest of the `known` levels: the lowest that is not below this one, else the highest. "No reasoning" is
    /// chosen only if the caller asked for it.
    pub fn among(self, known: &[Self]) -> Option<Self> {
        if self == Self::None {
            return known.contains(&self).then_some(self);
        }
        let reasons = || known.iter().copied().filter(|effort| *effort != Self::None);
        reasons().filter(|effort| *effort >= self).min().or(reasons().max())
    }

    /// The effort that is nearest to a budget of tokens.
    pub const fn of_budget(tokens: u64) -> Self {
        match tokens {
            0..=2047 => Self::Minimal,
            2048..=4095 => Self::Low,
            4096..=12_287 => Self::Medium,
            _ => Self::High,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_effort_is_no_less_if_that_can_be() {
        let check = |effort: Effort, known: &[Effort], expect| assert_eq!(effort.among(known), expect, "{effort:?}");
        let usual = [Effort::None, Effort::Low, Effort::Medium, Effort::High];
        check(Effort::None, &usual, Some(Effort::None));
        check(Effort::Minimal, &usual, Some(Effort::Low));
        check(Effort::Medium, &usual, Some(Effort::Medium));
        check(Effort::Max, &usual, Some(Effort::High));
        check(Effort::Medium, &[Effort::Low, Effort::High], Some(Effort::High));
        check(Effort::None, &[Effort::Low], None);
        check(Effort::Low, &[Effort::None], None);
    }
}
