//! Reads the messages of a chat-completions request.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Arguments;

use super::ECHOED;
use crate::chat::{Content, Detail, Outcome, Part, Role, Source, Turn};
use crate::codec::json::Raw;
use crate::dialect::fields::{
    self, each, invalid, leave_out, left_out, needed, object, required, said, sound, string, taken,
};
use crate::fault::Reject;

/// What is noted while messages are read; see [`Chat`](crate::chat::Chat).
pub(super) struct Noted<'n> {
    pub(super) hints: &'n mut Vec<String>,
    pub(super) emulated: &'n mut Vec<String>,
}

/// Reads one message.
pub(super) fn read<'a>(
    message: Raw<'a>,
    index: usize,
    at: Arguments<'_>,
    Noted { hints, emulated }: Noted<'_>,
) -> Result<Turn<'a>, Reject> {
    object(message, at)?;
    let role = match &*string(required(message, "role", at)?, format_args!("{at}.role"))? {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        "function" => {
            return Err(invalid(format_args!("{at}.role"), "'function' has been replaced by 'tool'"));
        }
        _ => {
            let problem = "it must be 'system', 'developer', 'user', 'assistant' or 'tool'";
            return Err(invalid(format_args!("{at}.role"), problem));
        }
    };
    let mut turn = Turn { role, at: index, parts: Vec::new(), extra: Vec::new() };
    let (mut plain, mut details, mut calls, mut refusal) = (None, None, None, None);
    let (mut content, mut call_id) = (None, None);
    for (name, value) in message.members() {
        match &*name {
            "role" => {}
            "content" => content = Some(value),
            _ if value.is_null() => {}
            "tool_call_id" if role == Role::Tool => {
                call_id = Some(string(value, format_args!("{at}.tool_call_id"))?);
            }
            "tool_calls" if role == Role::Assistant => calls = Some(value),
            "refusal" if role == Role::Assistant => refusal = Some(string(value, format_args!("{at}.refusal"))?),
            "reasoning_content" | "reasoning" if role == Role::Assistant && plain.is_none() => {
                plain = Some(string(value, format_args!("{at}.{name}"))?);
            }
            "reasoning_details" if role == Role::Assistant => details = Some(value),
            // The tool's name. The call that is answered has it, too. OpenAI's own examples sent it for years.
            "name" if role == Role::Tool => {}
            // It distinguishes people with the same role; no other API has a place for it.
            "name" => leave_out(format_args!("{at}.name"), hints),
            // A second name for the same text, and notes on an earlier answer, for example from LiteLLM and the SDK.
            // They ask for nothing.
            "reasoning_content" | "reasoning" | "annotations" | "provider_specific_fields" | "parsed"
                if role == Role::Assistant => {}
            _ if matches!(value.text(), "[]" | "{}") => {}
            _ => turn.extra.push((name, value)),
        }
    }
    match details {
        Some(details) => {
            let at = format_args!("{at}.reasoning_details");
            reasoning(details, plain, at, &mut turn.parts, hints)?;
        }
        None => turn.parts.extend(plain.map(|text| Part::from(Content::Reasoning { text, signature: None }))),
    }
    let said = match content.filter(|content| !content.is_null()) {
        Some(content) => said(content, format_args!("{at}.content"), |item, at| part(item, role, at, hints))?,
        None if role == Role::Assistant => Vec::new(),
        None => return Err(Reject::Missing { field: format!("{at}.content") }),
    };
    if role == Role::Tool {
        let id = call_id.ok_or_else(|| Reject::Missing { field: format!("{at}.tool_call_id") })?;
        turn.parts.push(Content::Result { id, parts: said, outcome: Outcome::Worked }.into());
    } else {
        turn.parts.extend(said);
    }
    turn.parts.extend(refusal.map(|words| Part::from(Content::Refusal(words))));
    if let Some(calls) = calls {
        turn.parts.extend(each(calls, format_args!("{at}.tool_calls"), |item, at| call(item, at, hints, emulated))?);
    }
    Ok(turn)
}

fn part<'a>(part: Raw<'a>, role: Role, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Part<'a>, Reject> {
    object(part, at)?;
    let kind = string(required(part, "type", at)?, format_args!("{at}.type"))?;
    let mut looks = None;
    let content = match &*kind {
        "text" => Content::Text(string(required(part, "text", at)?, format_args!("{at}.text"))?),
        "refusal" => Content::Refusal(string(required(part, "refusal", at)?, format_args!("{at}.refusal"))?),
        // OpenAI accepts images only from users, but tool results with images are common.
        "image_url" if matches!(role, Role::User | Role::Tool) => image(part, at, hints, &mut looks)?,
        "file" if role != Role::Assistant => file(part, at, hints)?,
        "input_audio" if role == Role::User => sound(part, at, hints)?,
        kind => Content::Other { field: format!("{at}.{kind}") },
    };
    // A part's content is in a member that is called like its type.
    let [cache, ..] = taken(part, ["cache_control", "type", &kind], &ECHOED, at, hints);
    Ok(Part { content, cache, detail: looks })
}

fn image<'a>(
    part: Raw<'a>,
    at: Arguments<'_>,
    hints: &mut Vec<String>,
    looks: &mut Option<Detail>,
) -> Result<Content<'a>, Reject> {
    let image = required(part, "image_url", at)?;
    let at = format_args!("{at}.image_url");
    object(image, at)?;
    let [url, detail] = taken(image, ["url", "detail"], &[], at, hints);
    *looks = fields::detail(detail, at, hints);
    fields::image(needed(url, "url", at)?, format_args!("{at}.url"))
}

/// A file in the request. An uploaded file belongs to one provider.
fn file<'a>(part: Raw<'a>, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Content<'a>, Reject> {
    let file = required(part, "file", at)?;
    let at = format_args!("{at}.file");
    object(file, at)?;
    let [name, data, id] = taken(file, ["filename", "file_data", "file_id"], &[], at, hints);
    let name = name.and_then(Raw::string);
    let in_bucket = id.and_then(Raw::string).filter(|id| id.starts_with("gs://"));
    match (data, in_bucket) {
        (Some(data), _) => fields::file(data, name, format_args!("{at}.file_data")),
        (None, Some(url)) => Ok(Content::Document { source: Source::Url(url), name }),
        (None, None) => Ok(Content::Other { field: format!("{at}.file_id") }),
    }
}

fn call<'a>(
    call: Raw<'a>,
    at: Arguments<'_>,
    hints: &mut Vec<String>,
    emulated: &mut Vec<String>,
) -> Result<Part<'a>, Reject> {
    object(call, at)?;
    if let Some(kind) = call.get("type").filter(|kind| kind.text() != "\"function\"") {
        string(kind, format_args!("{at}.type"))?;
        return Ok(Content::Other { field: format!("{at}.type") }.into());
    }
    let [id, function, _] = taken(call, ["id", "function", "type"], &ECHOED, at, hints);
    let id = string(needed(id, "id", at)?, format_args!("{at}.id"))?;
    let function = needed(function, "function", at)?;
    let at = format_args!("{at}.function");
    object(function, at)?;
    let [name, arguments] = taken(function, ["name", "arguments"], &ECHOED, at, hints);
    let name = string(needed(name, "name", at)?, format_args!("{at}.name"))?;
    let arguments = string(needed(arguments, "arguments", at)?, format_args!("{at}.arguments"))?;
    let arguments = fields::arguments(arguments, format_args!("{at}.arguments"), emulated);
    Ok(Content::Call { id, name, arguments }.into())
}

/// Reads `reasoning_details`, which carries reasoning and its proof through this dialect:
/// `{"type":"reasoning.text","text":…,"signature":…,"index":…}` and `{"type":"reasoning.encrypted","data":…}`.
///
/// Items with the same index belong together, so a caller who only collects a stream's items in order sends them back
/// correctly.
fn reasoning<'a>(
    details: Raw<'a>,
    plain: Option<Cow<'a, str>>,
    at: Arguments<'_>,
    parts: &mut Vec<Part<'a>>,
    hints: &mut Vec<String>,
) -> Result<(), Reject> {
    let mut last = None;
    each(details, at, |item, at| {
        object(item, at)?;
        let index = item.get("index").and_then(Raw::integer);
        let field = |name| item.get(name).and_then(Raw::string);
        // The maker's name for the format is of no use to others.
        let mut read = |members: &[&str]| left_out(item.members(), members, &ECHOED, at, hints);
        match field("type").as_deref() {
            Some("reasoning.encrypted") => {
                read(&["type", "format", "data"]);
                let data = string(required(item, "data", at)?, format_args!("{at}.data"))?;
                parts.push(Content::Redacted(data).into());
            }
            Some("reasoning.text") => {
                read(&["type", "format", "text", "signature"]);
                let (more, proof) = (field("text").unwrap_or_default(), field("signature"));
                match parts.last_mut().map(|part| &mut part.content) {
                    Some(Content::Reasoning { text, signature }) if index.is_some() && index == last => {
                        text.to_mut().push_str(&more);
                        *signature = proof.or(signature.take());
                    }
                    _ => parts.push(Content::Reasoning { text: more, signature: proof }.into()),
                }
            }
            // The text has everything that a summary says.
            None | Some("reasoning.summary") => {}
            Some(kind) => leave_out(format_args!("{at}.{kind}"), hints),
        }
        last = index;
        Ok(())
    })?;
    // A proof without its text: if there is only one, its text is in the plain field.
    if let (Some(plain), [Part { content: Content::Reasoning { text, .. }, .. }]) = (plain, parts.as_mut_slice())
        && text.is_empty()
    {
        *text = plain;
    }
    Ok(())
}
