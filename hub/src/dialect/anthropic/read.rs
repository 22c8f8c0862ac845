//! Reads a Messages request. Errors name the field. Paths are written with brackets here, and with dots in messages to
//! the caller.
//!
//! <https://platform.claude.com/docs/en/api/messages/create>

mod message;
mod tools;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Arguments;

use crate::chat::{Chat, Display, Effort, Format, Role, Thinking, Turn};
use crate::codec::json::{Kind, Raw, Scan};
use crate::dialect::anthropic::SYSTEM;
use crate::dialect::fields::{count, each, invalid, left_out, number, object, required, string};
use crate::endpoint::Endpoint;
use crate::fault::Reject;

/// Reads the request in `body`, which was scanned into `scan`.
pub(super) fn read<'a>(body: &'a [u8], scan: &'a Scan, endpoint: Endpoint) -> Result<Chat<'a>, Reject> {
    let mut chat = Chat::default();
    let (mut messages, mut system) = (None, None);
    for (name, value) in scan.members(body) {
        let at = format_args!("{name}");
        match &*name {
            "model" | "stream" => {}
            "messages" => messages = Some(value),
            _ if value.is_null() => {}
            "system" => system = Some(value),
            "max_tokens" => chat.max_tokens = Some(count(value, at)?),
            "temperature" => chat.temperature = Some(number(value, at)?),
            "top_p" => chat.top_p = Some(number(value, at)?),
            "top_k" => {
                let most = value.integer().ok_or_else(|| invalid(at, "it must be a whole number"))?;
                // Zero means no limit.
                chat.top_k = (most > 0).then_some(value);
            }
            "stop_sequences" => chat.stop = each(value, at, |stop, at| string(stop, at))?,
            "thinking" => thinking(value, &mut chat)?,
            "output_config" => output_config(value, &mut chat)?,
            // The older name of `output_config.format`.
            "output_format" => chat.format = format(value, at, &mut chat.hints)?,
            "tools" => tools::read(value, &mut chat)?,
            "tool_choice" => tools::choice(value, &mut chat)?,
            "metadata" => metadata(value, &mut chat)?,
            // Neither value asks for anything that other providers do not do: they have no capacity bought ahead.
            "service_tier" if matches!(value.text(), "\"auto\"" | "\"standard_only\"") => {}
            "service_tier" => chat.service_tier = Some(string(value, at)?),
            "speed" if value.text() == "\"standard\"" => {}
            // The use of the provider's cache is not part of the answer.
            "cache_control" => chat.hints.push(name.to_string()),
            _ if matches!(value.text(), "[]" | "{}") => {}
            "thread" => return Err(Reject::Unthreaded),
            "mcp_servers" | "container" => chat.foreign.push(name.to_string()),
            _ => chat.extra.push((name, value)),
        }
    }
    chat.effort_of_answer = chat.effort.is_some() && chat.thinking.is_none();
    let missing = |field: &str| Reject::Missing { field: field.to_owned() };
    let messages = messages.ok_or_else(|| missing("messages"))?;
    // This API requires both, except in a request that only counts tokens.
    if endpoint != Endpoint::CountTokens {
        chat.max_tokens.ok_or_else(|| missing("max_tokens"))?;
    }
    if messages.kind() == Kind::Array && messages.items().next().is_none() {
        return Err(invalid(format_args!("messages"), "it must not be empty"));
    }
    if let Some(system) = system {
        let parts = message::texts(system, format_args!("system"), &mut chat.hints)?;
        chat.turns.push(Turn { role: Role::System, at: SYSTEM, parts, extra: Vec::new() });
    }
    let mut at = 0..;
    each(messages, format_args!("messages"), |message, path| {
        message::read(message, at.next().unwrap_or_default(), path, &mut chat)
    })?;
    Ok(chat)
}

/// <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>
fn thinking(thinking: Raw<'_>, chat: &mut Chat<'_>) -> Result<(), Reject> {
    let at = format_args!("thinking");
    object(thinking, at)?;
    chat.thinking = Some(match &*string(required(thinking, "type", at)?, format_args!("thinking.type"))? {
        "enabled" => {
            let tokens = required(thinking, "budget_tokens", at)?;
            Thinking::Budget(count(tokens, format_args!("thinking.budget_tokens"))?)
        }
        "adaptive" => Thinking::Adaptive,
        "disabled" => Thinking::Off,
        _ => return Err(invalid(format_args!("thinking.type"), "it must be 'enabled', 'adaptive' or 'disabled'")),
    });
    for (name, value) in thinking.members() {
        match &*name {
            "type" | "budget_tokens" => {}
            _ if value.is_null() => {}
            // Other providers show a summary.
            "display" => match value.text() {
                "\"summarized\"" => chat.display = Some(Display::Summarized),
                "\"omitted\"" => chat.display = Some(Display::Omitted),
                _ => chat.hints.push("thinking.display".to_owned()),
            },
            _ => chat.foreign.push(format!("thinking.{name}")),
        }
    }
    Ok(())
}

/// <https://platform.claude.com/docs/en/build-with-claude/effort>
fn output_config<'a>(config: Raw<'a>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    object(config, format_args!("output_config"))?;
    for (name, value) in config.members() {
        let at = format_args!("output_config.{name}");
        match &*name {
            _ if value.is_null() => {}
            "effort" => {
                let level = string(value, at)?;
                let found = Effort::ALL.into_iter().find(|(name, effort)| *name == level && *effort >= Effort::Low);
                let problem = "it must be 'low', 'medium', 'high', 'xhigh' or 'max'";
                chat.effort = Some(found.ok_or_else(|| invalid(at, problem))?.1);
            }
            "format" => chat.format = format(value, at, &mut chat.hints)?,
            _ => chat.foreign.push(at.to_string()),
        }
    }
    Ok(())
}

/// <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>
fn format<'a>(format: Raw<'a>, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Format<'a>, Reject> {
    object(format, at)?;
    left_out(format.members(), &["type", "schema"], &[], at, hints);
    if string(required(format, "type", at)?, format_args!("{at}.type"))? != "json_schema" {
        return Err(invalid(format_args!("{at}.type"), "it must be 'json_schema'"));
    }
    let schema = required(format, "schema", at)?;
    object(schema, format_args!("{at}.schema"))?;
    // In this API, an answer always follows its schema exactly.
    Ok(Format::Schema { name: None, strict: Some(true), schema, description: None })
}

fn metadata<'a>(metadata: Raw<'a>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    object(metadata, format_args!("metadata"))?;
    for (name, value) in metadata.members() {
        match &*name {
            _ if value.is_null() => {}
            "user_id" => chat.user = Some(string(value, format_args!("metadata.user_id"))?),
            _ => chat.foreign.push(format!("metadata.{name}")),
        }
    }
    Ok(())
}
