//! How OpenAI's models reason, judged by their names.
//!
//! <https://platform.openai.com/docs/guides/reasoning>,
//! <https://platform.openai.com/docs/api-reference/chat/create#chat-create-reasoning_effort>

use weir_hub::chat::Effort;

/// How a model reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::provider) enum Reasons {
    /// Not at all.
    Never,
    /// Always, from `low`.
    Always,
    /// Always, from `minimal`.
    FromMinimal,
    /// If asked to.
    IfTold {
        /// At most this much.
        most: Effort,
    },
    /// If asked to, and then as much as it can.
    OnOrOff,
    /// The model decides, whatever it is asked.
    AsItDoes,
    /// Another maker's model, or a deployment with a name of its own.
    Unknown,
}

impl Reasons {
    pub(super) fn of(model: &str) -> Self {
        let begins = |names: &[&str]| names.iter().any(|name| model.starts_with(name));
        if begins(&["gpt-3.5", "gpt-4", "chatgpt-", "gpt-5-chat"]) {
            Self::Never
        } else if begins(&["o1", "o3", "o4-"]) {
            Self::Always
        } else if model == "gpt-5" || begins(&["gpt-5-"]) {
            Self::FromMinimal
        } else if begins(&["gpt-5."]) && !model.contains("-chat") {
            let first = begins(&["gpt-5.1"]) && !begins(&["gpt-5.1-codex-max"]);
            Self::IfTold { most: if first { Effort::High } else { Effort::Xhigh } }
        } else {
            Self::Unknown
        }
    }

    /// The nearest effort that the model accepts; `None` for a model without efforts.
    pub(super) fn nearest(self, effort: Effort) -> Option<Effort> {
        match self {
            Self::Never => None,
            Self::Always => Some(effort.clamp(Effort::Low, Effort::High)),
            Self::FromMinimal => Some(effort.clamp(Effort::Minimal, Effort::High)),
            Self::IfTold { .. } if effort == Effort::Minimal => Some(Effort::Low),
            Self::IfTold { most } => Some(effort.min(most)),
            Self::OnOrOff if effort <= Effort::Minimal => Some(Effort::None),
            Self::OnOrOff => Some(Effort::High),
            Self::Unknown | Self::AsItDoes => Some(effort),
        }
    }
}

/// The effort of a model that is offered tools. From 5.4 on, chat completions accept no effort together with tools.
/// From 5.6 on, models reason by default, and chat completions accept tools only with the effort `none`.
pub(super) fn beside_tools(model: &str, effort: Option<Effort>) -> Option<Effort> {
    match minor(model) {
        0..=3 => effort,
        4 | 5 => effort.filter(|effort| *effort == Effort::None),
        _ => Some(Effort::None),
    }
}

/// The 6 of `gpt-5.6-luna`; 0 for other models, and for those that only chat.
fn minor(model: &str) -> u32 {
    let told = matches!(Reasons::of(model), Reasons::IfTold { .. });
    let number = model.strip_prefix("gpt-5.").and_then(|rest| rest.split('-').next()?.parse().ok());
    number.filter(|_| told).unwrap_or(0)
}

/// The sampling fields that a model does not accept while it reasons: they may only be absent or have their default.
///
/// <https://platform.openai.com/docs/guides/latest-model>, parameter compatibility
pub(super) fn lacks(model: &str, effort: Option<Effort>) -> &'static [&'static str] {
    const ALL: [&str; 8] = [
        "temperature",
        "top_p",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "presence_penalty",
        "frequency_penalty",
        "stop",
    ];
    let [drawn @ .., _stop] = &ALL;
    let [while_told @ .., _, _, _] = drawn;
    match Reasons::of(model) {
        Reasons::Always if model.starts_with("o1") || model.starts_with("o3-mini") => drawn,
        Reasons::Always | Reasons::FromMinimal => &ALL,
        // Models before 5.6 reason only if they are asked to.
        Reasons::IfTold { .. } if effort.map_or(minor(model) >= 6, |effort| effort > Effort::None) => while_told,
        _ => &[],
    }
}

/// The most stop sequences for a model of `OpenAI`'s own. Other models have their own limits, or none.
///
/// <https://platform.openai.com/docs/api-reference/chat/create#chat-create-stop>
pub(super) fn most_stops(model: &str) -> usize {
    let begins = |names: &[&str]| names.iter().any(|name| model.starts_with(name));
    let is_own = begins(&["gpt-", "chatgpt-", "o1", "o3", "o4-", "ft:"]) && !begins(&["gpt-oss"]);
    if is_own { MOST_STOPS } else { usize::MAX }
}

/// See [`most_stops`].
pub(in crate::provider) const MOST_STOPS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_tools_a_model_may_not_reason() {
        let check = |model, effort, expect| assert_eq!(beside_tools(model, effort), expect, "{model} {effort:?}");
        check("gpt-5", Some(Effort::Low), Some(Effort::Low));
        check("gpt-5.2", Some(Effort::Low), Some(Effort::Low));
        check("gpt-5.4-mini", Some(Effort::Low), None);
        check("gpt-5.4", Some(Effort::None), Some(Effort::None));
        check("gpt-5.6", Some(Effort::High), Some(Effort::None));
        check("gpt-5.6-terra", None, Some(Effort::None));
        check("gpt-5.6-chat-latest", None, None);
        check("openai/gpt-5.6", None, None);
    }

    #[test]
    fn a_model_that_reasons_draws_its_answer_as_it_does() {
        let check = |model, effort, field, expect| {
            assert_eq!(lacks(model, effort).contains(&field), expect, "{model} {effort:?} {field}");
        };
        check("gpt-5-mini", None, "temperature", true);
        check("gpt-5-mini", None, "stop", true);
        check("o3", None, "stop", true);
        check("o3-mini", None, "stop", false);
        check("o3-mini", None, "presence_penalty", true);
        check("gpt-5.2", None, "temperature", false);
        check("gpt-5.2", Some(Effort::None), "temperature", false);
        check("gpt-5.2", Some(Effort::Low), "top_logprobs", true);
        check("gpt-5.6-luna", None, "temperature", true);
        check("gpt-5.6-luna", Some(Effort::None), "temperature", false);
        check("gpt-5.2", Some(Effort::Low), "logit_bias", false);
        check("gpt-5-chat-latest", None, "temperature", false);
        check("gpt-4o", None, "stop", false);
        check("mistral-large-latest", Some(Effort::High), "temperature", false);
    }

    #[test]
    fn a_model_gets_the_nearest_effort_that_it_knows() {
        let check =
            |model, effort, expect| assert_eq!(Reasons::of(model).nearest(effort), expect, "{model} {effort:?}");
        check("gpt-4o", Effort::Low, None);
        check("gpt-5-chat-latest", Effort::Low, None);
        check("o3", Effort::None, Some(Effort::Low));
        check("o4-mini", Effort::Max, Some(Effort::High));
        check("gpt-5", Effort::None, Some(Effort::Minimal));
        check("gpt-5-mini", Effort::Xhigh, Some(Effort::High));
        check("gpt-5.1", Effort::None, Some(Effort::None));
        check("gpt-5.1", Effort::Xhigh, Some(Effort::High));
        check("gpt-5.1-codex-max", Effort::Xhigh, Some(Effort::Xhigh));
        check("gpt-5.2", Effort::Max, Some(Effort::Xhigh));
        check("gpt-5.2", Effort::Minimal, Some(Effort::Low));
        check("openai/gpt-oss-120b", Effort::Max, Some(Effort::Max));
    }
}
