//! Reads a request for content. Errors name the field: `contents[2].parts[0].inlineData.mimeType`.

mod config;
mod contents;
mod tools;

use alloc::borrow::ToOwned;
use alloc::string::ToString;

use super::names::{camel, get};
use crate::chat::Chat;
use crate::codec::json::{Kind, Raw, Scan};
use crate::dialect::fields::{each, invalid, object, string};
use crate::fault::Reject;

/// Reads the request in `body`, which was scanned into `scan`, and in which schemas are JSON Schema.
pub(super) fn read<'a>(body: &'a [u8], scan: &'a Scan) -> Result<Chat<'a>, Reject> {
    let mut chat = Chat::default();
    let (mut contents, mut system, mut choice) = (None, None, None);
    for (name, value) in scan.members(body) {
        let name = camel(name);
        let at = format_args!("{name}");
        match &*name {
            "contents" => contents = Some(value),
            _ if value.is_null() || matches!(value.text(), "[]" | "{}") => {}
            "model" => {}
            "systemInstruction" => system = Some(value),
            "generationConfig" => config::read(value, &mut chat)?,
            "tools" => tools::read(value, &mut chat)?,
            "toolConfig" => choice = Some(value),
            "safetySettings" => safety(value, &mut chat)?,
            "cachedContent" => chat.foreign.push(name.to_string()),
            // Only for billing.
            "labels" => chat.hints.push(name.to_string()),
            "serviceTier" => {
                let tier = string(value, at)?.to_ascii_lowercase();
                let tier = tier.strip_prefix("service_tier_").unwrap_or(&tier);
                if !matches!(tier, "standard" | "unspecified") {
                    chat.service_tier = Some(tier.to_owned().into());
                }
            }
            "store" if value.boolean() == Some(false) => {}
            _ => chat.extra.push((name, value)),
        }
    }
    // The list of allowed functions is read last, because it names functions that must be known.
    if let Some(choice) = choice {
        tools::choice(choice, &mut chat)?;
    }
    let contents = contents.ok_or_else(|| Reject::Missing { field: "contents".to_owned() })?;
    if contents.kind() == Kind::Array && contents.items().next().is_none() {
        return Err(invalid(format_args!("contents"), "it must not be empty"));
    }
    if let Some(system) = system {
        contents::system(system, &mut chat)?;
    }
    contents::read(contents, &mut chat)?;
    Ok(chat)
}

/// The provider's own filters. A filter that is off asks for nothing, so it is only noted. A filter that is on asks for
/// something that other providers do not have.
///
/// <https://ai.google.dev/gemini-api/docs/safety-settings>
fn safety(settings: Raw<'_>, chat: &mut Chat<'_>) -> Result<(), Reject> {
    let mut strict = false;
    each(settings, format_args!("safetySettings"), |setting, at| {
        object(setting, at)?;
        strict |= !matches!(get(setting, "threshold").map(Raw::text), Some("\"BLOCK_NONE\"" | "\"OFF\""));
        Ok(())
    })?;
    let to = if strict { &mut chat.foreign } else { &mut chat.hints };
    to.push("safetySettings".to_owned());
    Ok(())
}
