//! The differences between generations of Claude, read from a model's name.
//!
//! <https://platform.claude.com/docs/en/about-claude/models/overview>,
//! <https://platform.claude.com/docs/en/about-claude/models/migration-guide>,
//! <https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking>,
//! <https://platform.claude.com/docs/en/build-with-claude/effort>

use weir_hub::chat::Effort;

use super::ToolName;

/// A generation; models whose requests are alike share one. An unknown Claude belongs to the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// Not a Claude: other models with this API, which say themselves what they support.
    Foreign,
    /// Claude 3 and earlier: 4096 tokens of output, no thinking.
    Three,
    /// 3.5: no thinking.
    ThreeFive,
    /// 3.7 to 4.1: thinking with a budget of tokens.
    Four,
    /// 4.5: as before; can be told to follow schemas strictly.
    FourFive,
    /// 4.6: the model decides how much to think, guided by an effort.
    FourSix,
    /// 4.7 and later: as before, with the effort `xhigh`; refuses budgets and sampling settings.
    Latest,
}

/// How a generation is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinks {
    Never,
    /// With a budget of tokens.
    Budget,
    /// The model decides, guided by an effort.
    Adaptive,
}

/// What a model that decides itself needs, so that it does not think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Off {
    /// It does not think by default. Some hosts refuse to be told.
    Unsaid,
    /// It must be told.
    Said,
    /// It always thinks.
    Never,
}

impl Off {
    /// <https://platform.claude.com/docs/en/build-with-claude/thinking>,
    /// <https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-adaptive-thinking.html>,
    /// <https://platform.claude.com/docs/en/about-claude/models/whats-new-opus-5>
    pub(super) fn of(model: &str) -> Self {
        let name = model.split_once("claude-").map_or("", |(_, name)| name);
        match versions(name) {
            (Some(..=4), _) => Self::Unsaid,
            (Some(5), 0) if ["opus", "sonnet", "haiku"].iter().any(|family| name.starts_with(family)) => Self::Said,
            _ => Self::Never,
        }
    }
}

/// The major and minor version, often followed by a date: `opus-4-5-20251101`, `sonnet-4-20250514`.
fn versions(name: &str) -> (Option<u32>, u32) {
    let mut numbers = name.split(['-', '.', '@', ':']).filter_map(|part| part.parse::<u32>().ok());
    let major = numbers.next().filter(|major| *major < 1000);
    (major, numbers.next().filter(|minor| *minor < 1000).unwrap_or(0))
}

impl Generation {
    pub(super) fn of(model: &str) -> Self {
        // Other clouds put their own prefixes before the name: `us.anthropic.claude-…`.
        let Some((_, name)) = model.split_once("claude-") else { return Self::Foreign };
        let is = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
        if is(&["3-5-", "3.5-"]) {
            Self::ThreeFive
        } else if is(&["3-7-", "3.7-"]) {
            Self::Four
        } else if is(&["1", "2", "3-", "instant"]) {
            Self::Three
        } else {
            match versions(name) {
                (Some(4), ..=4) => Self::Four,
                (Some(4), 5) => Self::FourFive,
                (Some(4), 6) => Self::FourSix,
                _ => Self::Latest,
            }
        }
    }

    /// `max_tokens` for callers who do not set it, because this API requires it. It is enough for long answers, and
    /// every model of the generation accepts it. Room for thinking is added to it.
    pub(super) const fn default_max_tokens(self) -> u64 {
        match self {
            Self::Three => 4096,
            Self::Foreign | Self::ThreeFive | Self::Four => 8192,
            Self::FourFive | Self::FourSix | Self::Latest => 16_384,
        }
    }

    pub(super) const fn thinks(self) -> Thinks {
        match self {
            Self::Three | Self::ThreeFive => Thinks::Never,
            Self::Foreign | Self::Four | Self::FourFive => Thinks::Budget,
            Self::FourSix | Self::Latest => Thinks::Adaptive,
        }
    }

    /// Whether tools can be `strict`, and answers can have a schema (`output_config.format`).
    pub(super) const fn follows_schemas(self) -> bool {
        !matches!(self, Self::Three | Self::ThreeFive | Self::Four)
    }

    /// Whether it hides its thoughts unless it is told to show them.
    pub(super) const fn hides_thoughts(self) -> bool {
        matches!(self, Self::Latest)
    }

    /// Whether it accepts `temperature`, `top_p` and `top_k`.
    pub(super) const fn samples(self) -> bool {
        !matches!(self, Self::Latest)
    }

    /// Whether it refuses `temperature` and `top_p` together.
    pub(super) const fn samples_in_one_way(self) -> bool {
        matches!(self, Self::FourFive | Self::FourSix)
    }

    /// Whether the model continues an answer that the caller has begun.
    pub(super) const fn goes_on(self) -> bool {
        !matches!(self, Self::FourSix | Self::Latest)
    }

    /// The name of `effort` for models that decide how much to think.
    pub(super) fn effort(self, effort: Effort) -> &'static str {
        match effort {
            Effort::None | Effort::Minimal | Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::Xhigh if self == Self::Latest => "xhigh",
            Effort::High | Effort::Xhigh => "high",
            Effort::Max => "max",
        }
    }
}

/// The tool names that a model accepts; Claude accepts longer ones than most.
///
/// <https://github.com/anthropics/anthropic-sdk-python/blob/main/src/anthropic/types/tool_param.py>, and the pattern that its
/// refusals tell: `^[a-zA-Z0-9_-]{1,128}$`
pub(super) fn tool_name(model: &str) -> ToolName {
    match Generation::of(model) {
        Generation::Foreign => ToolName::USUAL,
        _ => ToolName { longest: 128, ..ToolName::USUAL },
    }
}

/// The budget of thinking, for models that have one (the API's minimum is 1024). For the others, the room that thinking
/// gets by default.
pub(super) const fn budget(effort: Effort) -> u64 {
    match effort {
        Effort::None | Effort::Minimal => 1024,
        Effort::Low => 2048,
        Effort::Medium => 8192,
        Effort::High => 16_384,
        // With the room for an answer, this is just below 32 000, the limit of the smallest of these models.
        Effort::Xhigh | Effort::Max => 23_552,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_all_can_be_kept_from_thinking() {
        let check = |name, expect| assert_eq!(Off::of(name), expect, "{name}");
        check("claude-sonnet-4-6", Off::Unsaid);
        check("us.anthropic.claude-opus-4-7", Off::Unsaid);
        check("claude-opus-4-8@default", Off::Unsaid);
        check("claude-opus-5", Off::Said);
        check("claude-sonnet-5-20260901", Off::Said);
        check("claude-opus-5-5", Off::Never);
        check("claude-fable-5", Off::Never);
        check("claude-mythos-preview", Off::Never);
    }

    #[test]
    fn generations_are_read_from_names() {
        let check = |name, expect| assert_eq!(Generation::of(name), expect, "{name}");
        check("claude-3-opus-20240229", Generation::Three);
        check("claude-3-5-sonnet-20241022", Generation::ThreeFive);
        check("claude-3-7-sonnet-latest", Generation::Four);
        check("claude-sonnet-4-20250514", Generation::Four);
        check("claude-4-opus-20250514", Generation::Four);
        check("claude-opus-4-1", Generation::Four);
        check("claude-haiku-4-5-20251001", Generation::FourFive);
        check("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Generation::FourFive);
        check("claude-opus-4-6", Generation::FourSix);
        check("claude-opus-4-7", Generation::Latest);
        check("claude-opus-4-8", Generation::Latest);
        check("claude-fable-5", Generation::Latest);
        check("claude-mythos-preview", Generation::Latest);
        check("deepseek-chat", Generation::Foreign);
    }
}
