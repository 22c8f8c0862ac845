//! What the generations of Claude differ in, read from a model's name.
//!
//! <https://platform.claude.com/docs/en/about-claude/models/overview>,
//! <https://platform.claude.com/docs/en/about-claude/models/migration-guide>,
//! <https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking>,
//! <https://platform.claude.com/docs/en/build-with-claude/effort>

use weir_hub::chat::Effort;

use super::ToolName;

/// A generation, as far as requests differ. A Claude that is not known belongs to the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// No Claude: others speak this API as well, and what they support is theirs to say.
    Foreign,
    /// Claude 3 and before: 4096 tokens of output, no thinking.
    Three,
    /// 3.5, which does not think either.
    ThreeFive,
    /// 3.7 to 4.1: thinking with a budget of tokens.
    Four,
    /// 4.5: as before; follows schemas strictly when told to.
    FourFive,
    /// 4.6: thinking as the model sees fit, guided by an effort.
    FourSix,
    /// 4.7 and later: as before, with the effort `xhigh`; a budget is refused, and so is sampling.
    Latest,
}

/// How a generation is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinks {
    Never,
    /// With a budget of tokens.
    Budget,
    /// As it sees fit, guided by an effort.
    Adaptive,
}

/// What a model that thinks as it sees fit does when it is not to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Off {
    /// It does not unless told to. Some hosts refuse the word for it.
    Unsaid,
    /// It must be told.
    Said,
    /// It thinks all the same.
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

/// Major and minor version, and then often a date: `opus-4-5-20251101`, `sonnet-4-20250514`.
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

    /// `max_tokens`, which this API requires, for callers who leave it out: generous for an answer, and small enough for
    /// every model of the generation to give whole. Thinking comes on top.
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

    /// Whether tools can be `strict` and answers can have a schema (`output_config.format`).
    pub(super) const fn follows_schemas(self) -> bool {
        !matches!(self, Self::Three | Self::ThreeFive | Self::Four)
    }

    /// Whether it can be told to show what it thinks, and keeps that to itself unless it is.
    pub(super) const fn hides_thoughts(self) -> bool {
        matches!(self, Self::Latest)
    }

    /// Whether `temperature`, `top_p` and `top_k` are taken.
    pub(super) const fn samples(self) -> bool {
        !matches!(self, Self::Latest)
    }

    /// Whether `temperature` and `top_p` exclude each other, where they are taken.
    pub(super) const fn samples_in_one_way(self) -> bool {
        matches!(self, Self::FourFive | Self::FourSix)
    }

    /// Whether the model goes on with an answer that was begun for it.
    pub(super) const fn goes_on(self) -> bool {
        !matches!(self, Self::FourSix | Self::Latest)
    }

    /// The name of `effort` where thinking is adaptive.
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

/// What a model takes as a tool's name: Claude longer ones than most.
///
/// <https://github.com/anthropics/anthropic-sdk-python/blob/main/src/anthropic/types/tool_param.py>, and the pattern that its
/// refusals tell: `^[a-zA-Z0-9_-]{1,128}$`
pub(super) fn tool_name(model: &str) -> ToolName {
    match Generation::of(model) {
        Generation::Foreign => ToolName::USUAL,
        _ => ToolName { longest: 128, ..ToolName::USUAL },
    }
}

/// The tokens that thinking may take, where it is given a budget (1024 is the least that the API takes); and the room it
/// is given by default where it is not.
pub(super) const fn budget(effort: Effort) -> u64 {
    match effort {
        Effort::None | Effort::Minimal => 1024,
        Effort::Low => 2048,
        Effort::Medium => 8192,
        Effort::High => 16_384,
        // With the room for an answer, just below the 32 000 that the smallest of these models gives.
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
