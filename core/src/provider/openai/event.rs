//! What a relay must know of one `chat.completion.chunk` or whole answer; everything else passes by unread.

use alloc::borrow::Cow;

use crate::codec::json::{Kind, Raw};
use crate::usage::Usage;

/// The members that matter, of a chunk or an answer.
#[derive(Default)]
pub(super) struct Members<'a> {
    pub(super) choices: Option<Raw<'a>>,
    pub(super) data: Option<Raw<'a>>,
    pub(super) results: Option<Raw<'a>>,
    pub(super) usage: Option<Raw<'a>>,
    pub(super) id: Option<Raw<'a>>,
    pub(super) model: Option<Raw<'a>>,
    /// Pages that an answer rests on, as hosts that search tell them.
    pub(super) sources: Option<Raw<'a>>,
    pub(super) error: Option<Raw<'a>>,
    is_error: bool,
}

impl<'a> Members<'a> {
    pub(super) fn read(answer: Raw<'a>) -> Self {
        let mut members = Self::default();
        for (name, value) in answer.members() {
            match &*name {
                "choices" => members.choices = Some(value),
                "data" => members.data = Some(value),
                "results" => members.results = Some(value),
                "usage" if !value.is_null() => members.usage = Some(value),
                "id" => members.id = Some(value),
                "model" => members.model = Some(value),
                "search_results" if value.items().next().is_some() => members.sources = Some(value),
                "citations" if members.sources.is_none() => members.sources = Some(value),
                "error" if !value.is_null() => members.error = Some(value),
                // Why Groq stopped early.
                "x_groq" => members.error = value.get("error").filter(|error| !error.is_null()).or(members.error),
                "object" => members.is_error = value.text() == "\"error\"",
                _ => {}
            }
        }
        members
    }

    /// Whether this is an error that travels as an answer.
    pub(super) fn is_error(&self) -> bool {
        self.error.is_some() || self.is_error
    }

    /// Whether this is the chunk that carries nothing but a stream's usage.
    pub(super) fn is_usage_only(&self) -> bool {
        self.usage.is_some()
            && self.choices.is_some_and(|choices| choices.kind() == Kind::Array && choices.items().next().is_none())
    }

    pub(super) fn model(&self) -> Option<Cow<'a, str>> {
        self.model.and_then(Raw::string).filter(|model| !model.is_empty())
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        self.usage.and_then(usage)
    }
}

/// What the choices of one chunk hold, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Deltas {
    /// Content, reasoning, tool calls, refusals, audio: a guess of their tokens.
    pub(super) tokens: u64,
    /// A choice gave its finish reason.
    pub(super) finished: bool,
}

impl Deltas {
    pub(super) fn read(choices: Raw<'_>) -> Self {
        let mut deltas = Self::default();
        for choice in choices.items() {
            for (name, value) in choice.members() {
                match &*name {
                    // A whole answer has messages where a stream has deltas.
                    "delta" | "message" => deltas.tokens += tokens(value),
                    // Legacy completions have bare text.
                    "text" if !matches!(value.text(), "null" | "\"\"") => {
                        deltas.tokens += (value.text().len() as u64).div_ceil(4);
                    }
                    "finish_reason" => deltas.finished |= !value.is_null(),
                    _ => {}
                }
            }
        }
        deltas
    }
}

/// Guesses the tokens of one delta: a quarter of its content's bytes, so that a delta with any content counts.
fn tokens(delta: Raw<'_>) -> u64 {
    let bytes: usize = delta
        .members()
        .filter(|(name, value)| CONTENT.contains(&&**name) && !matches!(value.text(), "null" | "\"\"" | "[]" | "{}"))
        .map(|(_, value)| value.text().len())
        .sum();
    (bytes as u64).div_ceil(4)
}

/// The members of a delta that are an answer's first token.
const CONTENT: [&str; 7] =
    ["content", "reasoning_content", "reasoning", "tool_calls", "function_call", "refusal", "audio"];

/// The counts of these names; zero is none.
fn counts<const N: usize>(details: Raw<'_>, names: [&str; N]) -> [u64; N] {
    details.pick(names).map(|count| count.and_then(Raw::integer).unwrap_or(0))
}

/// OpenAI's usage object, of chat and of embeddings; `None` if it counts nothing.
fn usage(usage: Raw<'_>) -> Option<Usage> {
    let mut read = Usage::default();
    let (mut counted, mut total) = (false, 0);
    for (name, value) in usage.members() {
        let count = value.integer();
        match &*name {
            // Newer endpoints count input and output.
            "prompt_tokens" | "input_tokens" => read.input = count.inspect(|_| counted = true).unwrap_or(0),
            "completion_tokens" | "output_tokens" => read.output = count.inspect(|_| counted = true).unwrap_or(0),
            "total_tokens" => total = count.unwrap_or(0),
            // DeepSeek's name for them, and Perplexity's.
            "prompt_cache_hit_tokens" => read.cached_read = read.cached_read.max(count.unwrap_or(0)),
            "reasoning_tokens" => read.reasoning = read.reasoning.max(count.unwrap_or(0)),
            "prompt_tokens_details" | "input_tokens_details" | "input_token_details" => {
                let [cached, written, audio] = counts(value, ["cached_tokens", "cache_write_tokens", "audio_tokens"]);
                read.cached_read = read.cached_read.max(cached);
                (read.cache_write, read.audio_input) = (written, audio);
            }
            "completion_tokens_details" | "output_tokens_details" => {
                let [reasoning, audio] = counts(value, ["reasoning_tokens", "audio_tokens"]);
                read.reasoning = read.reasoning.max(reasoning);
                read.audio_output = audio;
            }
            _ => {}
        }
    }
    // Some leave reasoning out of their completion tokens. Their total tells, or that there is more of it.
    let with_reasoning = read.output.saturating_add(read.reasoning);
    let tells = total == read.input.saturating_add(with_reasoning);
    if read.reasoning > 0 && (tells || read.reasoning > read.output) {
        read.output = with_reasoning;
    }
    counted.then_some(read)
}
