//! Reads `input`: a text, or the conversation's items. Errors name the item: `input[2].content[0].image_url`.
//!
//! One turn of the model comes as several items (reasoning, a message, calls). They become one turn here.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Arguments;

use super::tools::{self, argument, reached};
use super::write::REDACTED;
use crate::chat::{Chat, Content, Outcome, Part, Role, Source, Turn};
use crate::codec::json::{Kind, Raw};
use crate::dialect::fields::{
    self, detail, each, given, image, invalid, is_direct, leave_out, left_out, object, required, sound, string,
};
use crate::fault::Reject;
use crate::signature::{Maker, adopted};

/// Members of an answer's items and parts, including those that the SDK adds. They mean nothing when they are sent
/// back.
const ECHOED: [&str; 7] = ["id", "status", "annotations", "logprobs", "parsed", "parsed_arguments", "created_by"];

/// Other members of an item with a generated image.
const MADE: [&str; 5] = ["action", "background", "quality", "revised_prompt", "size"];

/// Reads `input` into the conversation.
pub(super) fn read<'a>(input: Raw<'a>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    let at = format_args!("input");
    if let Some(text) = input.string() {
        chat.turns.push(turn(Role::User, 0, vec![Content::Text(text).into()]));
        return Ok(());
    }
    if input.kind() == Kind::Array && input.items().next().is_none() {
        return Err(invalid(at, "it must not be empty"));
    }
    let mut index = 0..;
    let tools = chat.tools.len();
    each(input, at, |value, at| item(value, index.next().unwrap_or_default(), at, chat))?;
    if chat.tools.len() > tools {
        tools::settle(chat);
    }
    Ok(())
}

fn turn(role: Role, at: usize, parts: Vec<Part<'_>>) -> Turn<'_> {
    Turn { role, at, parts, extra: Vec::new() }
}

fn item<'a>(item: Raw<'a>, index: usize, at: Arguments<'_>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    object(item, at)?;
    let text = |name: &str| string(required(item, name, at)?, format_args!("{at}.{name}"));
    let kind = match given(item, "type") {
        Some(kind) => string(kind, format_args!("{at}.type"))?,
        None => Cow::Borrowed("message"),
    };
    let Chat { turns, hints, emulated, .. } = chat;
    match &*kind {
        "message" => message(item, index, at, chat)?,
        "reasoning" => {
            left_out(item.members(), &["type", "summary", "content", "encrypted_content"], &ECHOED, at, hints);
            by_model(turns, index, reasoning(item, at, hints)?);
        }
        "function_call" | "custom_tool_call" => {
            let said = if kind == "function_call" { "arguments" } else { "input" };
            called(item, &["call_id", "name", "namespace", said], at, hints);
            let namespace = given(item, "namespace").and_then(Raw::string);
            let name = reached(namespace.as_deref(), text("name")?);
            let arguments = if kind == "function_call" {
                fields::arguments(text("arguments")?, format_args!("{at}.arguments"), emulated)
            } else {
                Cow::Owned(argument(&text("input")?))
            };
            by_model(turns, index, Some(Content::Call { id: text("call_id")?, name, arguments }));
        }
        "function_call_output" | "custom_tool_call_output" => {
            // The call also names the tool.
            called(item, &["call_id", "output", "name", "namespace"], at, hints);
            let output = parts(required(item, "output", at)?, Role::Tool, format_args!("{at}.output"), hints)?;
            let result = Content::Result { id: text("call_id")?, parts: output, outcome: Outcome::Worked };
            turns.push(turn(Role::Tool, index, vec![result.into()]));
        }
        "image_generation_call" => {
            let others = item.members().filter(|(name, _)| !MADE.contains(&&**name));
            left_out(others, &["type", "result", "output_format"], &ECHOED, at, hints);
            let media_type = match given(item, "output_format").and_then(Raw::string) {
                Some(format) => Cow::Owned(format!("image/{format}")),
                None => Cow::Borrowed("image/png"),
            };
            by_model(turns, index, Some(Content::Image { media_type, data: text("result")? }));
        }
        "additional_tools" => tools::add(item, at, chat)?,
        // Items that only their maker can read, or that are in its store.
        kind => chat.foreign.push(format!("{at}.{kind}")),
    }
    Ok(())
}

/// Notes what is left out of a call or of its result.
fn called(item: Raw<'_>, read: &[&str], at: Arguments<'_>, hints: &mut Vec<String>) {
    let others = item.members().filter(|(name, value)| match &**name {
        "type" => false,
        "caller" => !is_direct(*value),
        name => !read.contains(&name),
    });
    left_out(others, &[], &ECHOED, at, hints);
}

/// Adds to the model's turn if it is the latest; else begins one.
fn by_model<'a>(turns: &mut Vec<Turn<'a>>, index: usize, said: impl IntoIterator<Item = Content<'a>>) {
    let said = said.into_iter().map(Part::from);
    match turns.last_mut() {
        Some(Turn { role: Role::Assistant, parts, .. }) => parts.extend(said),
        _ => turns.push(turn(Role::Assistant, index, said.collect())),
    }
}

fn message<'a>(message: Raw<'a>, index: usize, at: Arguments<'_>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    let role = match &*string(required(message, "role", at)?, format_args!("{at}.role"))? {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => {
            let problem = "it must be 'system', 'developer', 'user' or 'assistant'";
            return Err(invalid(format_args!("{at}.role"), problem));
        }
    };
    let said = parts(required(message, "content", at)?, role, format_args!("{at}.content"), &mut chat.hints)?;
    if given(message, "name").is_some() {
        leave_out(format_args!("{at}.name"), &mut chat.hints);
    }
    let extra = message.members().filter(|(name, value)| {
        // Ids, and notes on an earlier answer, ask for nothing.
        !matches!(&**name, "type" | "role" | "content" | "id" | "status" | "phase" | "name") && !value.is_null()
    });
    match chat.turns.last_mut() {
        Some(turn) if role == Role::Assistant && turn.role == role => {
            turn.parts.extend(said);
            turn.extra.extend(extra);
        }
        _ => chat.turns.push(Turn { role, at: index, parts: said, extra: extra.collect() }),
    }
    Ok(())
}

fn parts<'a>(
    content: Raw<'a>,
    role: Role,
    at: Arguments<'_>,
    hints: &mut Vec<String>,
) -> Result<Vec<Part<'a>>, Reject> {
    fields::said(content, at, |item, at| part(item, role, at, hints))
}

fn part<'a>(part: Raw<'a>, role: Role, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Part<'a>, Reject> {
    object(part, at)?;
    let text = |name: &str| string(required(part, name, at)?, format_args!("{at}.{name}"));
    let mut looks = None;
    let kind = text("type")?;
    let read: &[&str] = match &*kind {
        "refusal" => &["type", "refusal"],
        "input_image" => &["type", "image_url", "detail"],
        "input_file" if given(part, "file_url").is_some() => &["type", "filename", "file_url"],
        "input_file" => &["type", "filename", "file_data"],
        "input_audio" => &["type", "input_audio"],
        _ => &["type", "text"],
    };
    let content = match &*kind {
        "input_text" | "output_text" | "text" => Content::Text(text("text")?),
        "refusal" => Content::Refusal(text("refusal")?),
        "input_image" if matches!(role, Role::User | Role::Tool) => match given(part, "image_url") {
            Some(url) => {
                looks = detail(given(part, "detail"), at, hints);
                image(url, format_args!("{at}.image_url"))?
            }
            None => uploaded(part, "image_url", at)?,
        },
        "input_file" if role != Role::Assistant => file(part, at)?,
        "input_audio" if role == Role::User => sound(part, at, hints)?,
        kind => Content::Other { field: format!("{at}.{kind}") },
    };
    // A part without a place in the hub is refused or noted as a whole.
    if !matches!(content, Content::Other { .. }) {
        left_out(part.members(), read, &ECHOED, at, hints);
    }
    Ok(Part { detail: looks, ..content.into() })
}

/// A file in the request or at a URL.
fn file<'a>(part: Raw<'a>, at: Arguments<'_>) -> Result<Content<'a>, Reject> {
    let name = given(part, "filename").and_then(Raw::string);
    if let Some(url) = given(part, "file_url") {
        return Ok(Content::Document { source: Source::Url(string(url, format_args!("{at}.file_url"))?), name });
    }
    match given(part, "file_data") {
        Some(data) => fields::file(data, name, format_args!("{at}.file_data")),
        None => uploaded(part, "file_data", at),
    }
}

/// An uploaded file belongs to one provider.
fn uploaded<'a>(part: Raw<'_>, instead: &str, at: Arguments<'_>) -> Result<Content<'a>, Reject> {
    match given(part, "file_id") {
        Some(_) => Ok(Content::Other { field: format!("{at}.file_id") }),
        None => Err(Reject::Missing { field: format!("{at}.{instead}") }),
    }
}

/// A reasoning item; `None` if it has neither text nor proof.
fn reasoning<'a>(item: Raw<'a>, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Option<Content<'a>>, Reject> {
    let proof = given(item, "encrypted_content")
        .map(|proof| string(proof, format_args!("{at}.encrypted_content")))
        .transpose()?
        .filter(|proof| !proof.is_empty());
    if let Some(data) = proof.as_deref().and_then(|proof| proof.strip_prefix(REDACTED)) {
        return Ok(Some(Content::Redacted(Cow::Owned(adopted(Maker::OpenAi, data)))));
    }
    // The full text is worth more than its summary.
    let mut text = words(item, "content", "", at, hints)?;
    if text.is_empty() {
        text = words(item, "summary", "\n\n", at, hints)?;
    }
    let signature = proof.map(|proof| Cow::Owned(adopted(Maker::OpenAi, &proof)));
    Ok((!text.is_empty() || signature.is_some()).then_some(Content::Reasoning { text, signature }))
}

/// The texts of an array of parts, joined.
fn words<'a>(
    item: Raw<'a>,
    name: &str,
    between: &str,
    at: Arguments<'_>,
    hints: &mut Vec<String>,
) -> Result<Cow<'a, str>, Reject> {
    let Some(list) = given(item, name) else { return Ok(Cow::Borrowed("")) };
    let texts = each(list, format_args!("{at}.{name}"), |part, at| {
        left_out(part.members(), &["type", "text"], &ECHOED, at, hints);
        string(required(part, "text", at)?, format_args!("{at}.text"))
    })?;
    Ok(match <[Cow<'a, str>; 1]>::try_from(texts) {
        Ok([text]) => text,
        Err(texts) => Cow::Owned(texts.iter().map(ToString::to_string).collect::<Vec<String>>().join(between)),
    })
}
