//! The settings of an answer.
//!
//! <https://ai.google.dev/api/generate-content#generationconfig>

use alloc::format;
use alloc::string::ToString;

use crate::chat::{Chat, Display, Effort, Format, Thinking};
use crate::codec::json::Raw;
use crate::dialect::fields::{boolean, each, invalid, number, object, string};
use crate::dialect::gemini::names::{count, members, whole};
use crate::fault::Reject;

pub(super) fn read<'a>(config: Raw<'a>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    object(config, format_args!("generationConfig"))?;
    let (mut kind, mut schema, mut logprobs, mut others) = (None, None, false, 0);
    for (name, value) in members(config) {
        let at = format_args!("generationConfig.{name}");
        match &*name {
            "candidateCount" => chat.n = Some(count(value, at)?).filter(|count| *count > 1),
            "stopSequences" => chat.stop = each(value, at, |stop, at| string(stop, at))?,
            "maxOutputTokens" => chat.max_tokens = Some(count(value, at)?),
            "temperature" => chat.temperature = Some(number(value, at)?),
            "topP" => chat.top_p = Some(number(value, at)?),
            "topK" => chat.top_k = Some(whole(value, at)?),
            "seed" => chat.seed = Some(whole(value, at)?),
            "presencePenalty" => chat.presence_penalty = Some(number(value, at)?).filter(|value| !is_zero(*value)),
            "frequencyPenalty" => chat.frequency_penalty = Some(number(value, at)?).filter(|value| !is_zero(*value)),
            "responseMimeType" => kind = Some(string(value, at)?),
            "responseJsonSchema" | "_responseJsonSchema" => {
                object(value, at)?;
                schema = Some(value);
            }
            "responseLogprobs" => logprobs = boolean(value, at)?,
            "logprobs" => {
                others = whole(value, at)?.integer().ok_or_else(|| invalid(at, "it must not be negative"))?;
            }
            "thinkingConfig" => thinking(value, chat)?,
            // How closely to look at images, as far as the API lets callers choose.
            "mediaResolution" => chat.hints.push(at.to_string()),
            "responseModalities" if value.items().all(|modality| modality.text().eq_ignore_ascii_case("\"text\"")) => {}
            _ if matches!(value.text(), "false" | "[]" | "{}") => {}
            // Speech, images, settings of only some models or places, and future ones.
            _ => chat.foreign.push(at.to_string()),
        }
    }
    chat.logprobs = logprobs.then_some(others);
    chat.format = match (kind.as_deref(), schema) {
        (None | Some("application/json"), Some(schema)) => {
            Format::Schema { name: None, strict: None, schema, description: None }
        }
        (Some("application/json"), None) => Format::Json,
        (None | Some("" | "text/plain"), None) => Format::Text,
        // `text/x.enum`, or a schema for something that is not JSON.
        _ => {
            chat.foreign.push("generationConfig.responseMimeType".to_string());
            Format::Text
        }
    };
    Ok(())
}

fn is_zero(value: Raw<'_>) -> bool {
    value.number() == Some(0.0)
}

/// <https://ai.google.dev/gemini-api/docs/thinking>
fn thinking(thinking: Raw<'_>, chat: &mut Chat<'_>) -> Result<(), Reject> {
    object(thinking, format_args!("generationConfig.thinkingConfig"))?;
    let mut shown = false;
    for (name, value) in members(thinking) {
        let at = format_args!("generationConfig.thinkingConfig.{name}");
        match &*name {
            "includeThoughts" => shown = boolean(value, at)?,
            "thinkingBudget" => {
                chat.thinking = Some(match whole(value, at)?.text() {
                    "0" => Thinking::Off,
                    "-1" => Thinking::Adaptive,
                    _ => Thinking::Budget(count(value, at)?),
                });
            }
            "thinkingLevel" => {
                let level = string(value, at)?.to_ascii_lowercase();
                let level = level.strip_prefix("thinking_level_").unwrap_or(&level);
                let found = Effort::ALL.into_iter().find(|(name, _)| *name == level);
                chat.effort = match found {
                    _ if level == "unspecified" => None,
                    Some((_, effort)) => Some(effort),
                    None => return Err(invalid(at, "it must be 'minimal', 'low', 'medium' or 'high'")),
                };
            }
            _ => chat.foreign.push(format!("generationConfig.thinkingConfig.{name}")),
        }
    }
    chat.display = shown.then_some(Display::Summarized);
    // A caller who wants to see thoughts wants the model to have some; other providers must be asked to reason.
    if shown && chat.thinking.is_none() && chat.effort.is_none() {
        chat.thinking = Some(Thinking::Adaptive);
    }
    Ok(())
}
