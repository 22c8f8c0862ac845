//! Reads a Responses request, except its items and tools.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Arguments;

use super::{input, tools};
use crate::chat::{Chat, Content, Display, Format, Role, Turn};
use crate::codec::json::{Raw, Scan};
use crate::dialect::fields::{
    boolean, count, each, effort, invalid, left_out, number, object, required, stream_options, string,
};
use crate::dialect::openai::is_neutral;
use crate::fault::Reject;

/// Reads the request in `body`, which was scanned into `scan`.
pub(super) fn read<'a>(body: &'a [u8], scan: &'a Scan) -> Result<Chat<'a>, Reject> {
    let mut chat = Chat::default();
    let (mut instructions, mut items, mut choice) = (None, None, None);
    for (name, value) in scan.members(body) {
        let at = format_args!("{name}");
        match &*name {
            "model" | "stream" => {}
            "stream_options" => stream_options(value, &mut chat.hints),
            "input" => items = Some(value),
            _ if value.is_null() => {}
            _ if is_neutral(&name, value) => {}
            "instructions" => instructions = Some(string(value, at)?),
            "previous_response_id" | "conversation" => {
                let problem = "answers are not stored here; send the whole conversation as 'input'";
                return Err(invalid(at, problem));
            }
            "prompt" => {
                let problem = "prompts are not stored here; send its text as 'instructions' and 'input'";
                return Err(invalid(at, problem));
            }
            "background" => {
                if boolean(value, at)? {
                    let problem = "answers are not stored here; use 'stream' for those that take long";
                    return Err(invalid(at, problem));
                }
            }
            // `store` is on by default, so its absence asks for nothing. A caller who sets it explicitly will look for
            // the response later.
            "store" => {
                boolean(value, at)?;
                chat.foreign.push("store".to_owned());
            }
            "include" => include(value, &mut chat)?,
            "tools" => tools::read(value, at, &mut chat)?,
            "tool_choice" => choice = Some(value),
            "parallel_tool_calls" => chat.parallel_tools = Some(boolean(value, at)?),
            "max_output_tokens" => chat.max_tokens = Some(count(value, at)?),
            "temperature" => chat.temperature = Some(number(value, at)?),
            "top_p" => chat.top_p = Some(number(value, at)?),
            "top_logprobs" => {
                let most = value.integer().ok_or_else(|| invalid(at, "it must be a whole number"))?;
                chat.logprobs = Some(most);
            }
            "text" => text(value, &mut chat)?,
            "reasoning" => reasoning(value, &mut chat)?,
            "truncation" if value.text() == "\"disabled\"" => {}
            // The caller's own notes; their only purpose is that the answer repeats them.
            "metadata" => object(value, at)?,
            // Limits the calls of tools that run at the provider, and such tools are refused.
            "max_tool_calls" => {}
            "service_tier" => chat.service_tier = Some(string(value, at)?),
            "user" => chat.user = Some(string(value, at)?),
            "safety_identifier" => chat.safety_identifier = Some(string(value, at)?),
            _ => chat.extra.push((name, value)),
        }
    }
    if let Some(text) = instructions {
        let parts = alloc::vec![Content::Text(text).into()];
        chat.turns.push(Turn { role: Role::System, at: 0, parts, extra: alloc::vec![] });
    }
    let items = items.filter(|items| !items.is_null()).ok_or_else(|| Reject::Missing { field: "input".to_owned() })?;
    input::read(items, &mut chat)?;
    if let Some(choice) = choice {
        tools::choose(choice, &mut chat)?;
    }
    Ok(chat)
}

/// Reads what else the answer should have. Reasoning's proof is always there. Anything about tools that run at the
/// provider is refused.
fn include(include: Raw<'_>, chat: &mut Chat<'_>) -> Result<(), Reject> {
    each(include, format_args!("include"), |item, at| {
        match &*string(item, at)? {
            "reasoning.encrypted_content" => {}
            "message.output_text.logprobs" => chat.logprobs = chat.logprobs.or(Some(0)),
            other => chat.foreign.push(format!("include.{other}")),
        }
        Ok(())
    })
    .map(drop)
}

/// `text`: the answer's format and its verbosity.
fn text<'a>(text: Raw<'a>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    object(text, format_args!("text"))?;
    for (name, value) in text.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "format" => chat.format = format(value, &mut chat.hints)?,
            "verbosity" if is_neutral("verbosity", value) => {}
            // Under its name in chat completions.
            "verbosity" => chat.extra.push((Cow::Borrowed("verbosity"), value)),
            _ => chat.foreign.push(format!("text.{name}")),
        }
    }
    Ok(())
}

fn format<'a>(format: Raw<'a>, hints: &mut Vec<String>) -> Result<Format<'a>, Reject> {
    let at = format_args!("text.format");
    object(format, at)?;
    let kind = string(required(format, "type", at)?, format_args!("text.format.type"))?;
    let read: &[&str] =
        if kind == "json_schema" { &["type", "name", "strict", "schema", "description"] } else { &["type"] };
    left_out(format.members(), read, &[], at, hints);
    match &*kind {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::Json),
        "json_schema" => {
            let schema = required(format, "schema", at)?;
            object(schema, format_args!("text.format.schema"))?;
            let text = |name| format.get(name).and_then(Raw::string);
            let strict = format.get("strict").and_then(Raw::boolean);
            Ok(Format::Schema { name: text("name"), strict, schema, description: text("description") })
        }
        _ => Err(invalid(format_args!("text.format.type"), "it must be 'text', 'json_object' or 'json_schema'")),
    }
}

/// `reasoning`. A summary is given whenever the provider shows its model's reasoning; some providers must be asked for
/// it.
fn reasoning(reasoning: Raw<'_>, chat: &mut Chat<'_>) -> Result<(), Reject> {
    let at = format_args!("reasoning");
    object(reasoning, at)?;
    for (name, value) in reasoning.members().filter(|(_, value)| !value.is_null()) {
        match (&*name, value.text()) {
            ("effort", _) => chat.effort = Some(effort(value, format_args!("reasoning.effort"))?),
            ("summary" | "generate_summary", _) => {
                check_string(value, format_args!("reasoning.{name}"))?;
                chat.display = Some(Display::Summarized);
            }
            // All reasoning that the caller sends back goes to the provider.
            ("context", "\"auto\"" | "\"all_turns\"") | ("mode", "\"standard\"") => {}
            _ => chat.foreign.push(format!("reasoning.{name}")),
        }
    }
    Ok(())
}

fn check_string(value: Raw<'_>, at: Arguments<'_>) -> Result<(), Reject> {
    string(value, at).map(drop)
}
