//! The hub: what a chat asks and answers, whatever dialect it came in or goes out.
//!
//! A dialect reads a [`Chat`] from a caller's body, a provider writes it for its upstream; the upstream's answer comes
//! back as a row of [`Piece`]s. All of it borrows from the bytes that came: an image is never copied on its way.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::json::Raw;

/// What a caller asks of a chat model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chat<'a> {
    /// The conversation, in order; system messages stay where they were.
    pub turns: Vec<Turn<'a>>,
    /// What the model may call.
    pub tools: Vec<Tool<'a>>,
    /// Whether it must.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether it may call several at once.
    pub parallel_tools: Option<bool>,
    /// The most tokens that the answer may have, reasoning included.
    pub max_tokens: Option<u64>,
    /// A number, as written.
    pub temperature: Option<Raw<'a>>,
    /// A number, as written.
    pub top_p: Option<Raw<'a>>,
    /// A whole number, as written; no field of OpenAI's, but known to most others.
    pub top_k: Option<Raw<'a>>,
    /// A number, as written.
    pub presence_penalty: Option<Raw<'a>>,
    /// A number, as written.
    pub frequency_penalty: Option<Raw<'a>>,
    /// A whole number, as written.
    pub seed: Option<Raw<'a>>,
    /// Token ids and their biases, as written; not empty.
    pub logit_bias: Option<Raw<'a>>,
    /// How many answers; `None` for one.
    pub n: Option<u64>,
    /// Whether the tokens' log probabilities are wanted, and of how many others besides.
    pub logprobs: Option<u64>,
    /// Where the answer stops.
    pub stop: Vec<Cow<'a, str>>,
    /// What shape the answer must have.
    pub format: Format<'a>,
    /// How much to reason.
    pub effort: Option<Effort>,
    /// The effort is that of the whole answer, and asks for no reasoning: the model reasons if it does so by itself.
    pub effort_of_answer: bool,
    /// Whether the words of the reasoning are to be shown, where the caller says.
    pub display: Option<Display>,
    /// Whether to reason at all, where the caller says so in so many words or tokens.
    pub thinking: Option<Thinking>,
    /// Who asks, as the caller's application names them.
    pub user: Option<Cow<'a, str>>,
    /// Who asks, named for the provider's watch over misuse.
    pub safety_identifier: Option<Cow<'a, str>>,
    /// An object of the caller's own notes, as written; not empty.
    pub metadata: Option<Raw<'a>>,
    /// How fast and how dear; absent for the usual.
    pub service_tier: Option<Cow<'a, str>>,
    /// Fields without a place here, as written, under the caller's names.
    pub extra: Vec<(Cow<'a, str>, Raw<'a>)>,
    /// Paths of what is asked that no other dialect has words for: `tools[2].web_search`.
    pub foreign: Vec<String>,
    /// Paths of what the caller's dialect itself has put in other words: `tools[3].custom`.
    pub emulated: Vec<String>,
    /// Paths of what has no place here and is no reason to refuse, as it only advises or nobody knows what it is: it is left
    /// out, and that is noted.
    pub hints: Vec<String>,
}

impl Chat<'_> {
    /// Who asks, where a provider has one word for it: its successor's counts more.
    pub fn asker(&self) -> Option<&str> {
        self.safety_identifier.as_deref().or(self.user.as_deref())
    }

    /// The images that are to be looked at in a certain way: where each is, for errors, and how.
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

    /// Whether something is asked for by this field, as OpenAI's chat completions call it: of those that are numbers or
    /// plain words.
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
    /// In short.
    Summarized,
    /// Only the proof that there was some.
    Omitted,
}

/// Whether a model is to reason before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// It must not.
    Off,
    /// As it sees fit.
    Adaptive,
    /// With so many tokens.
    Budget(u64),
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn<'a> {
    /// Who speaks.
    pub role: Role,
    /// Which of the caller's messages this was: its index, for errors.
    pub at: usize,
    /// What is said, in order. Reasoning comes first, tool calls last.
    pub parts: Vec<Part<'a>>,
    /// Fields without a place here, as written.
    pub extra: Vec<(Cow<'a, str>, Raw<'a>)>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The application (`system`, `developer`).
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool that the model called.
    Tool,
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Part<'a> {
    /// What it is.
    pub content: Content<'a>,
    /// A mark for the provider's prompt cache (`cache_control`), as written.
    pub cache: Option<Raw<'a>>,
    /// How closely to look at an image; `None` for as closely as the model sees fit.
    pub detail: Option<Detail>,
}

impl<'a> From<Content<'a>> for Part<'a> {
    fn from(content: Content<'a>) -> Self {
        Self { content, cache: None, detail: None }
    }
}

/// An image that is to be looked at in a certain way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Which of the caller's messages it is in.
    pub turn: usize,
    /// Which part of it.
    pub at: usize,
    /// Where there.
    pub place: Place,
    /// How.
    pub detail: Detail,
}

/// Where an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It was said.
    Said,
    /// A tool gave it back.
    Result,
}

/// How closely to look at an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// At a glance.
    Low,
    /// Closely.
    High,
    /// At each point of it.
    Original,
}

/// What a part of a message is.
#[derive(Clone, Debug, PartialEq)]
pub enum Content<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// An image at an address.
    ImageUrl(Cow<'a, str>),
    /// An image itself.
    Image {
        /// `image/png` and the like, in lower case and without parameters.
        media_type: Cow<'a, str>,
        /// In base64.
        data: Cow<'a, str>,
    },
    /// What the model thought.
    Reasoning {
        /// Its words.
        text: Cow<'a, str>,
        /// The provider's proof that these are its model's words; without it, some do not take them back.
        signature: Option<Cow<'a, str>>,
    },
    /// What the model thought, encrypted by the provider.
    Redacted(Cow<'a, str>),
    /// The model declined, with these words.
    Refusal(Cow<'a, str>),
    /// The model calls a tool.
    Call {
        /// Names the call in its result.
        id: Cow<'a, str>,
        /// The tool.
        name: Cow<'a, str>,
        /// A JSON object.
        arguments: Cow<'a, str>,
    },
    /// What a tool gave back.
    Result {
        /// The call.
        id: Cow<'a, str>,
        /// Text, images and documents.
        parts: Vec<Part<'a>>,
        /// Whether it worked, where the caller says.
        outcome: Outcome,
    },
    /// A document, such as a PDF.
    Document {
        /// Where it is, or what.
        source: Source<'a>,
        /// The name of its file, or its title.
        name: Option<Cow<'a, str>>,
    },
    /// Sound.
    Audio {
        /// `wav`, `mp3` and the like.
        format: Cow<'a, str>,
        /// In base64.
        data: Cow<'a, str>,
    },
    /// A kind of part without a place here.
    Other {
        /// The path of what cannot be expressed: `messages[2].content[1].input_audio`.
        field: String,
    },
}

/// Whether a tool did what it was called for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It did, as far as anybody says.
    #[default]
    Worked,
    /// What it gave back is an error.
    Failed,
}

/// A document's contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// At an address.
    Url(Cow<'a, str>),
    /// The file itself.
    File {
        /// `application/pdf` and the like, in lower case and without parameters.
        media_type: Cow<'a, str>,
        /// In base64.
        data: Cow<'a, str>,
    },
    /// Plain text.
    Text(Cow<'a, str>),
}

/// Something that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// What it does, for the model.
    pub description: Option<Cow<'a, str>>,
    /// JSON Schema of its arguments, as written.
    pub parameters: Option<Raw<'a>>,
    /// Whether arguments must follow the schema exactly.
    pub strict: Option<bool>,
    /// A mark for the provider's prompt cache (`cache_control`), as written.
    pub cache: Option<Raw<'a>>,
}

/// Whether the model must call a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    /// As it likes.
    Auto,
    /// It must not.
    None,
    /// Any, but one at least.
    Required,
    /// This one.
    Named(Cow<'a, str>),
}

/// What shape an answer must have.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Format<'a> {
    /// Text.
    #[default]
    Text,
    /// A JSON object.
    Json,
    /// JSON that follows a schema.
    Schema {
        /// What the caller calls it.
        name: Option<Cow<'a, str>>,
        /// Whether the answer must follow it exactly.
        strict: Option<bool>,
        /// JSON Schema, as written.
        schema: Raw<'a>,
        /// What it is for.
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
    /// Every level with its name.
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

    /// The nearest of those that are `known`: no less than this if that can be, and not to reason only where that was asked.
    pub fn among(self, known: &[Self]) -> Option<Self> {
        if self == Self::None {
            return known.contains(&self).then_some(self);
        }
        let reasons = || known.iter().copied().filter(|effort| *effort != Self::None);
        reasons().filter(|effort| *effort >= self).min().or(reasons().max())
    }

    /// The effort that comes nearest to a budget of tokens.
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
