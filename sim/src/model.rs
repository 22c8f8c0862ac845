//! What the name of a model asks for.
//!
//! Any name answers. `fault-<name>` fails ([`Fault`]), `replay-<case>` answers with a fixture, and what follows a `+`
//! shapes the answer: `gpt-4o+tokens-500+gap-20ms`, `fault-stall+gap-5ms`.
//! [`WRITTEN`] is all of it.

use std::{num::NonZeroUsize, time::Duration};

use crate::{Fault, Pace, pace::duration};

/// How many tokens "some tokens" are.
const SOME: usize = 3;

/// What a name can have in it, and what that does.
pub(crate) const WRITTEN: [(&str, &str); 20] = [
    ("fault-NAME", "fails"),
    ("replay-CASE", "answers with a fixture"),
    ("+times-N", "the fault of its name befalls the first N requests only"),
    ("+after-N", "where a fault befalls a stream after some tokens, after N of them"),
    ("+tokens-N", "an answer of N tokens"),
    ("+size-N, +size-Nk, +size-Nm", "an answer of that many bytes of text"),
    ("+first-T, +gap-T", "time before the first token, between tokens (20ms, 2s)"),
    ("+parallel-N", "N tool calls at once, where tools are called"),
    ("+call-NAME", "where tools are called, this one if it is offered, and not the first"),
    ("+cached-N", "N of the input tokens came from the cache"),
    ("+reasoning-N", "N hidden reasoning tokens, billed beyond the cap (OpenAI and Gemini tell them apart)"),
    ("+input-N, +input-Nx", "bills an input of N tokens, or N times what there is"),
    ("+to-cap", "an answer that uses up the cap on its output, and ends there"),
    ("+no-cap", "ignores the cap on its output"),
    ("+no-usage", "never tells the tokens used"),
    ("+thinking", "thinks aloud before it answers: reasoning_content (OpenAI), else in the dialect's own form"),
    ("+refusal", "the model refuses: `refusal` in place of the text (OpenAI)"),
    ("+chunk-N", "a replay in chunks of N bytes"),
    ("+no-prefill", "refuses a last message of the assistant, as newer Anthropic models do"),
    ("+ANYTHING", "nothing: another name for the same"),
];

/// A model's name, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Model {
    /// The name as it was asked for.
    pub(crate) name: String,
    /// The fault its name calls for.
    pub(crate) fault: Option<Fault>,
    /// The fixture its name calls for.
    pub(crate) replay: Option<String>,
    /// The name up to the first `+`.
    pub(crate) base: String,
    pub(crate) tokens: Option<u32>,
    pub(crate) size: Option<usize>,
    pub(crate) first: Option<Duration>,
    pub(crate) gap: Option<Duration>,
    pub(crate) parallel: Option<u32>,
    pub(crate) call: Option<String>,
    pub(crate) cached: Option<u32>,
    pub(crate) reasoning: u32,
    pub(crate) input: Input,
    pub(crate) cap: Cap,
    pub(crate) telling: Telling,
    pub(crate) thinking: bool,
    pub(crate) chunk: Option<NonZeroUsize>,
    pub(crate) no_prefill: bool,
    /// How many requests its fault befalls; all of them, where it does not say.
    pub(crate) times: Option<u32>,
    /// After how many tokens its fault befalls a stream.
    pub(crate) after: Option<usize>,
    pub(crate) refuses: bool,
}

/// What a model bills for its input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Input {
    #[default]
    Counted,
    Times(u32),
    Exactly(u32),
}

/// What a model makes of the cap on its output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Cap {
    /// It keeps to it.
    #[default]
    Kept,
    /// It uses it up.
    Filled,
    /// It says what it likes.
    Ignored,
}

/// Whether a model tells the tokens used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Telling {
    /// Where its dialect does.
    #[default]
    Usual,
    Never,
}

impl Model {
    /// Reads `name`. What it does not understand is taken for part of a name, as a provider would.
    pub(crate) fn read(name: &str) -> Self {
        let mut parts = name.split('+');
        let base = parts.next().unwrap_or_default();
        let mut model = Self {
            name: name.to_owned(),
            fault: base.strip_prefix("fault-").and_then(|fault| fault.parse().ok()),
            replay: base.strip_prefix("replay-").map(str::to_owned),
            base: base.to_owned(),
            ..Self::default()
        };
        for part in parts {
            let (word, value) = part.split_once('-').unwrap_or((part, ""));
            match word {
                "times" => model.times = value.parse().ok(),
                "after" => model.after = value.parse().ok(),
                "tokens" => model.tokens = value.parse().ok(),
                "size" => model.size = size(value),
                "first" => model.first = duration(value),
                "gap" => model.gap = duration(value),
                "parallel" => model.parallel = value.parse().ok(),
                "call" => model.call = Some(value.to_owned()),
                "cached" => model.cached = value.parse().ok(),
                "reasoning" => model.reasoning = value.parse().unwrap_or_default(),
                "thinking" => model.thinking = true,
                "chunk" => model.chunk = value.parse().ok(),
                "refusal" => model.refuses = true,
                "input" => model.input = input(value),
                "to" if value == "cap" => model.cap = Cap::Filled,
                "no" => match value {
                    "prefill" => model.no_prefill = true,
                    "cap" => model.cap = Cap::Ignored,
                    "usage" => model.telling = Telling::Never,
                    _ => {}
                },
                _ => {}
            }
        }
        model
    }

    /// How many tokens are told before a fault befalls a stream, where the answer has that many.
    pub(crate) fn some(&self) -> usize {
        self.after.unwrap_or(SOME)
    }

    /// The pace it asks for, else `default`.
    pub(crate) fn pace(&self, default: Pace) -> Pace {
        Pace { first: self.first.unwrap_or(default.first), gap: self.gap.unwrap_or(default.gap) }
    }

    /// The input it bills where `counted` tokens are there.
    pub(crate) fn input(&self, counted: u32) -> u32 {
        match self.input {
            Input::Counted => counted,
            Input::Times(times) => counted.saturating_mul(times),
            Input::Exactly(tokens) => tokens,
        }
    }

    /// The field that tells the usage; nothing where it never tells it.
    pub(crate) fn told(&self, written: String) -> String {
        if self.telling == Telling::Never { String::new() } else { written }
    }

    /// Whether the name is one only a simulator knows.
    pub(crate) fn is_special(&self) -> bool {
        self.fault.is_some() || self.replay.is_some()
    }
}

fn input(text: &str) -> Input {
    match text.strip_suffix('x').map(str::parse) {
        Some(times) => times.map_or(Input::Counted, Input::Times),
        None => text.parse().map_or(Input::Counted, Input::Exactly),
    }
}

fn size(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: usize = digits.parse().ok()?;
    match text.get(digits.len()..)? {
        "" => Some(number),
        "k" | "kb" => number.checked_mul(1 << 10),
        "m" | "mb" => number.checked_mul(1 << 20),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_how_to_answer() {
        let model = Model::read("gpt-4o+tokens-500+gap-20ms+size-8m+parallel-2+thinking+no-prefill");
        assert_eq!((model.base.as_str(), model.fault), ("gpt-4o", None));
        assert_eq!((model.tokens, model.size, model.parallel), (Some(500), Some(8 << 20), Some(2)));
        assert_eq!(model.pace(Pace::default()), Pace { first: Duration::ZERO, gap: Duration::from_millis(20) });
        assert!(model.thinking && model.no_prefill);
    }

    #[test]
    fn a_name_says_what_is_billed() {
        let check = |name: &str, expect: u32| assert_eq!(Model::read(name).input(10), expect, "{name}");
        check("m", 10);
        check("m+input-3x", 30);
        check("m+input-0x", 0);
        check("m+input-500", 500);
        check("m+input-many", 10);
        let model = Model::read("m+no-cap+no-usage+no-prefill+no-more+to-day");
        assert_eq!((model.cap, model.told("usage".into())), (Cap::Ignored, String::new()));
        assert!(model.no_prefill);
        let plain = Model::read("m+no-more+to-day");
        assert_eq!((plain.cap, plain.told("usage".into())), (Cap::Kept, "usage".into()));
        assert_eq!(Model::read("m+to-cap").cap, Cap::Filled);
    }

    #[test]
    fn a_name_calls_a_fault_or_a_fixture() {
        assert_eq!(Model::read("fault-429-retry-7").fault, Some(Fault::RetryAfter(7)));
        assert_eq!(Model::read("fault-stall+gap-5ms").fault, Some(Fault::Stall));
        assert_eq!(Model::read("fault-unheard-of").fault, None);
        let cut = Model::read("fault-cut+after-40+times-2");
        assert_eq!((cut.fault, cut.some(), cut.times), (Some(Fault::Cut), 40, Some(2)));
        assert_eq!(Model::read("fault-cut").some(), SOME);
        assert_eq!(Model::read("replay-openai/tool-call+chunk-3").replay.as_deref(), Some("openai/tool-call"));
    }
}
