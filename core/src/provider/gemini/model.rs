//! The differences between generations of Gemini, read from a model's name.
//!
//! <https://ai.google.dev/gemini-api/docs/models>, <https://ai.google.dev/gemini-api/docs/thinking>,
//! <https://ai.google.dev/gemini-api/docs/gemini-3>, <https://ai.google.dev/gemini-api/docs/openai#thinking>

use weir_hub::chat::Effort;

/// A model's generation and size, which decide what requests may have. An unknown Gemini belongs to the newest
/// generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Model {
    generation: Generation,
    size: Size,
}

/// A generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Generation {
    /// Not a Gemini: open models, which the same API serves.
    Foreign,
    /// 2.0 and earlier: no thinking.
    Two,
    /// 2.5: thinking with a budget of tokens.
    TwoFive,
    /// 3.0: thinking by level. Calls must come back with their signatures, and tool results may have images.
    Three,
    /// 3.1 to 3.6.
    ThreeOne,
    /// 3.8 and later: without the lowest level.
    Latest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Pro,
    Flash,
    Lite,
    /// Makes images.
    Image,
}

/// How a model is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinks {
    Never,
    /// With a budget of tokens within these bounds.
    Budget {
        least: u64,
        most: u64,
        can_be_off: bool,
    },
    /// By level.
    Level,
}

impl Model {
    pub(super) fn of(name: &str) -> Self {
        let has = |part: &str| name.split('-').any(|found| found == part);
        let size = if has("image") {
            Size::Image
        } else if has("lite") {
            Size::Lite
        } else if has("flash") {
            Size::Flash
        } else {
            Size::Pro
        };
        Self { generation: Generation::of(name), size }
    }

    pub(super) const fn thinks(self) -> Thinks {
        match (self.generation, self.size) {
            (Generation::Foreign | Generation::Two, _) | (Generation::TwoFive, Size::Image) => Thinks::Never,
            (Generation::TwoFive, Size::Pro) => Thinks::Budget { least: 128, most: 32_768, can_be_off: false },
            (Generation::TwoFive, Size::Flash) => Thinks::Budget { least: 1, most: 24_576, can_be_off: true },
            (Generation::TwoFive, Size::Lite) => Thinks::Budget { least: 512, most: 24_576, can_be_off: true },
            _ => Thinks::Level,
        }
    }

    /// The level of `effort`. `None` if the caller wants no thinking, and the model has nothing close to that.
    pub(super) const fn level(self, effort: Effort) -> Option<&'static str> {
        let thinks_minimally = match self.size {
            Size::Pro | Size::Image => false,
            Size::Flash => !matches!(self.generation, Generation::Latest),
            Size::Lite => true,
        };
        Some(match effort {
            Effort::None | Effort::Minimal if thinks_minimally => "minimal",
            Effort::None => return None,
            Effort::Minimal | Effort::Low => "low",
            // The first such model has only two levels.
            Effort::Medium if matches!((self.generation, self.size), (Generation::Three, Size::Pro)) => "high",
            Effort::Medium => "medium",
            Effort::High | Effort::Xhigh | Effort::Max => "high",
        })
    }

    /// Whether a call that comes back must have its signature.
    pub(super) fn wants_signatures(self) -> bool {
        self.generation >= Generation::Three
    }

    /// Whether calls have ids, and tool results may have images.
    pub(super) fn has_rich_results(self) -> bool {
        self.generation >= Generation::Three
    }

    /// Whether an answer can be required to be JSON while there are tools.
    pub(super) fn answers_in_json_beside_tools(self) -> bool {
        self.generation >= Generation::Three
    }

    /// Whether it can search the web if there are functions, or if the answer must be JSON.
    pub(super) fn searches_beside_others(self) -> bool {
        self.generation >= Generation::Three
    }

    /// Whether it has a setting for each image of how closely to look.
    pub(super) fn looks_at_each(self) -> bool {
        self.generation >= Generation::Three
    }

    /// Whether it reads files from the web.
    pub(super) fn reads_the_web(self) -> bool {
        self.generation >= Generation::TwoFive
    }
}

impl Generation {
    fn of(name: &str) -> Self {
        let Some((_, name)) = name.split_once("gemini-") else { return Self::Foreign };
        let number = name.split('-').next().unwrap_or_default();
        let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
        match (major.parse::<u32>(), minor.parse::<u32>()) {
            (Ok(0..=1), _) | (Ok(2), Ok(0..=4)) => Self::Two,
            (Ok(2), _) => Self::TwoFive,
            (Ok(3), Ok(0)) => Self::Three,
            (Ok(3), Ok(1..=7)) => Self::ThreeOne,
            // `gemini-flash-latest`
            _ => Self::Latest,
        }
    }
}

/// The budget of thinking for an effort, according to Google's own mapping of OpenAI's efforts.
pub(super) const fn budget(effort: Effort) -> u64 {
    match effort {
        Effort::None => 0,
        Effort::Minimal | Effort::Low => 1024,
        Effort::Medium => 8192,
        Effort::High => 24_576,
        Effort::Xhigh | Effort::Max => 32_768,
    }
}

/// The effort that is nearest to a budget of tokens.
pub(super) const fn effort(budget: u64) -> Effort {
    match budget {
        0..=1023 => Effort::Minimal,
        1024..=4095 => Effort::Low,
        4096..=16_383 => Effort::Medium,
        _ => Effort::High,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_read_from_names() {
        let check = |name, generation, size| assert_eq!(Model::of(name), Model { generation, size }, "{name}");
        check("gemini-1.5-pro-002", Generation::Two, Size::Pro);
        check("gemini-2.0-flash-lite", Generation::Two, Size::Lite);
        check("gemini-2.5-pro", Generation::TwoFive, Size::Pro);
        check("gemini-2.5-flash-lite-preview-09-2025", Generation::TwoFive, Size::Lite);
        check("gemini-2.5-flash-image", Generation::TwoFive, Size::Image);
        check("gemini-3-pro-preview", Generation::Three, Size::Pro);
        check("gemini-3.1-pro-preview", Generation::ThreeOne, Size::Pro);
        check("gemini-3.8-flash", Generation::Latest, Size::Flash);
        check("gemini-flash-latest", Generation::Latest, Size::Flash);
        check("gemma-3-27b-it", Generation::Foreign, Size::Pro);
    }

    #[test]
    fn an_effort_is_the_nearest_level() {
        let check = |name, effort, expect| assert_eq!(Model::of(name).level(effort), expect, "{name} {effort:?}");
        check("gemini-3-pro-preview", Effort::None, None);
        check("gemini-3-pro-preview", Effort::Minimal, Some("low"));
        check("gemini-3-pro-preview", Effort::Medium, Some("high"));
        check("gemini-3.1-pro-preview", Effort::Medium, Some("medium"));
        check("gemini-3-flash-preview", Effort::None, Some("minimal"));
        check("gemini-3.8-flash", Effort::None, None);
        check("gemini-3.8-flash", Effort::Max, Some("high"));
        check("gemini-3.1-flash-lite", Effort::Minimal, Some("minimal"));
    }
}
