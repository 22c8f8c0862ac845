//! The settings of each family of models in its own format: `additionalModelRequestFields`.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-call.html>,
//! <https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html>

use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::chat::{self, Chat, Effort};
use weir_hub::codec::json::Raw;
use weir_hub::codec::json::write::{object, string};

use super::{Family, beta};
use crate::provider::To;
use crate::provider::anthropic::ask::thinking::Thinking;

/// The caller's own value for a field of this API.
pub(super) fn value<'a>(chat: &Chat<'a>, name: &str) -> Option<Raw<'a>> {
    chat.extra.iter().find(|(given, _)| given == name).map(|(_, value)| *value)
}

/// The fields as an object; empty if there are none. The caller's own values win.
pub(super) fn fields(
    chat: &Chat<'_>,
    sampling: &[(&str, Raw<'_>)],
    family: Family,
    thinking: Thinking<'_>,
    to: &mut To<'_>,
) -> String {
    let effort = if matches!(family, Family::Claude(_)) { None } else { effort(chat, sampling, family, to) };
    let betas = if let Family::Claude(generation) = family { beta::taken(generation, to) } else { Vec::new() };
    let top_k = sampling.iter().find(|(name, _)| *name == "top_k").map(|(_, value)| *value);
    let mut ours = Vec::new();
    object(&mut ours, |fields| {
        match family {
            Family::Claude(generation) => {
                thinking.without_schema().write(chat, generation, fields);
                if !betas.is_empty() {
                    fields.array("anthropic_beta", betas, string);
                }
            }
            Family::Nova { .. } => {
                if let Some(effort) = effort {
                    fields.object("reasoningConfig", |config| {
                        config.string("type", "enabled");
                        config.string("maxReasoningEffort", effort);
                    });
                }
            }
            Family::GptOss => {
                if let Some(effort) = effort {
                    fields.string("reasoning_effort", effort);
                }
            }
            Family::Other => {}
        }
        if let Some(top_k) = top_k {
            match family {
                Family::Nova { .. } => fields.object("inferenceConfig", |config| config.raw("topK", top_k.text())),
                Family::Other if to.model.contains("cohere.") => fields.raw("k", top_k.text()),
                _ => fields.raw("top_k", top_k.text()),
            }
        }
    });
    let ours = core::str::from_utf8(&ours).ok().and_then(Raw::parse).unwrap_or(Raw::NULL);
    let given = value(chat, "additionalModelRequestFields");
    let given = || given.into_iter().flat_map(Raw::members);
    let ours = ours.members().filter(|(name, _)| given().all(|(other, _)| other != *name));
    let mut out = Vec::new();
    let mut any = false;
    object(&mut out, |fields| {
        for (name, value) in given().chain(ours) {
            any = true;
            fields.raw(&name, value.text());
        }
    });
    if any { String::from_utf8(out).unwrap_or_default() } else { String::new() }
}

/// The effort of a model that is not Claude, in the three levels of the models that have any. Nova accepts the highest
/// only if the answer has no limit and the usual sampling. If the caller sets these, they are kept, and Nova reasons
/// less.
fn effort(chat: &Chat<'_>, sampling: &[(&str, Raw<'_>)], family: Family, to: &mut To<'_>) -> Option<&'static str> {
    let effort = match (chat.thinking, chat.effort) {
        (None, None) => return None,
        // Nova does not reason by default, and the others cannot be stopped from it, so nothing needs to be said.
        (Some(chat::Thinking::Off), _) | (None, Some(Effort::None)) if family != Family::GptOss => return None,
        (Some(chat::Thinking::Off), _) => Effort::None,
        (Some(chat::Thinking::Budget(_)), Some(effort)) => {
            to.emulates("reasoning_effort");
            effort
        }
        (_, Some(effort)) => effort,
        (Some(chat::Thinking::Budget(tokens)), None) => {
            to.emulates("reasoning_effort");
            Effort::of_budget(tokens)
        }
        (Some(chat::Thinking::Adaptive), None) => Effort::High,
    };
    if matches!(family, Family::Other | Family::Nova { reasons: false }) {
        to.unsupported("reasoning_effort");
        return None;
    }
    // This model always reasons.
    if effort == Effort::None {
        to.emulates("reasoning_effort");
    }
    let is_bounded = chat.max_tokens.is_some() || !sampling.is_empty();
    let effort = if effort > Effort::Medium && is_bounded && matches!(family, Family::Nova { .. }) {
        to.emulates("reasoning_effort");
        Effort::Medium
    } else {
        effort
    };
    Some(match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::Xhigh | Effort::Max => "high",
    })
}
