//! Messages and their content blocks.
//!
//! <https://platform.claude.com/docs/en/api/messages/create>, `messages`

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Arguments;

use crate::chat::{Chat, Content, Outcome, Part, Role, Source, Turn};
use crate::codec::json::{Kind, Raw};
use crate::dialect::fields::{
    boolean, each, invalid, is_direct, leave_out, left_out, media_type, object, required, string,
};
use crate::fault::Reject;

/// Members of an answer's blocks, including those that SDKs add. They mean nothing when they are sent back: citations
/// are notes about that answer, and a set of tools is known by its tools.
const ECHOED: [&str; 4] = ["citations", "index", "parsed_output", "toolset_name"];

/// Reads one message. It becomes one turn, or several if it has both tool results and the user's own content.
pub(super) fn read<'a>(message: Raw<'a>, index: usize, at: Arguments<'_>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    object(message, at)?;
    let role = match &*string(required(message, "role", at)?, format_args!("{at}.role"))? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(invalid(format_args!("{at}.role"), "it must be 'user' or 'assistant'")),
    };
    let content = required(message, "content", at)?;
    let mut turn = Turn { role, at: index, parts: Vec::new(), extra: Vec::new() };
    for (name, value) in message.members() {
        if !matches!(&*name, "role" | "content") && !value.is_null() {
            turn.extra.push((name, value));
        }
    }
    let mut turns = Vec::new();
    let mut add = |part: Part<'a>| {
        if matches!(part.content, Content::Result { .. }) {
            let next = Turn { role: Role::User, at: index, parts: Vec::new(), extra: Vec::new() };
            turns.push(core::mem::replace(&mut turn, next));
            turns.push(Turn { role: Role::Tool, at: index, parts: [part].into(), extra: Vec::new() });
        } else {
            turn.parts.push(part);
        }
    };
    let at = format_args!("{at}.content");
    match content.string() {
        Some(text) => add(Content::Text(text).into()),
        None => blocks(content, at, |item, at| block(item, role, at, chat))?.into_iter().for_each(add),
    }
    turns.push(turn);
    // After the results are taken out, a turn may have no content left.
    let split = turns.len() > 1;
    chat.turns.extend(turns.into_iter().filter(|turn| !split || !turn.parts.is_empty() || !turn.extra.is_empty()));
    Ok(())
}

fn blocks<'a, T>(
    content: Raw<'a>,
    at: Arguments<'_>,
    read: impl FnMut(Raw<'a>, Arguments<'_>) -> Result<T, Reject>,
) -> Result<Vec<T>, Reject> {
    if content.kind() != Kind::Array {
        return Err(invalid(at, "it must be a string or an array of content blocks"));
    }
    each(content, at, read)
}

/// The system prompt.
pub(super) fn texts<'a>(content: Raw<'a>, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Vec<Part<'a>>, Reject> {
    if let Some(text) = content.string() {
        return Ok([Content::Text(text).into()].into());
    }
    blocks(content, at, |item, at| {
        let (kind, cache) = kind(item, at, hints)?;
        if kind != "text" {
            return Err(invalid(format_args!("{at}.type"), "it must be 'text'"));
        }
        Ok(Part { cache, ..Content::Text(member(item, "text", at)?).into() })
    })
}

/// The type of a block, and its cache mark. Unknown members of the block are noted.
fn kind<'a>(
    block: Raw<'a>,
    at: Arguments<'_>,
    hints: &mut Vec<String>,
) -> Result<(Cow<'a, str>, Option<Raw<'a>>), Reject> {
    object(block, at)?;
    let kind = member(block, "type", at)?;
    let read: &[&str] = match &*kind {
        "text" => &["type", "text", "cache_control"],
        "image" => &["type", "source", "cache_control"],
        "document" => &["type", "source", "title", "context", "cache_control"],
        "tool_result" => &["type", "tool_use_id", "content", "is_error", "cache_control"],
        "thinking" => &["type", "thinking", "signature", "cache_control"],
        "redacted_thinking" => &["type", "data", "cache_control"],
        "tool_use" => &["type", "id", "name", "input", "caller", "cache_control"],
        // An unknown block is refused or noted as a whole.
        _ => return Ok((kind, None)),
    };
    let mut cache = None;
    let members = block.members().inspect(|(name, value)| {
        if name == "cache_control" {
            cache = Some(*value).filter(|mark| !mark.is_null());
        }
    });
    left_out(members, read, &ECHOED, at, hints);
    Ok((kind, cache))
}

fn member<'a>(object: Raw<'a>, name: &str, at: Arguments<'_>) -> Result<Cow<'a, str>, Reject> {
    string(required(object, name, at)?, format_args!("{at}.{name}"))
}

fn block<'a>(item: Raw<'a>, role: Role, at: Arguments<'_>, chat: &mut Chat<'a>) -> Result<Part<'a>, Reject> {
    let (kind, cache) = kind(item, at, &mut chat.hints)?;
    let content = match (&*kind, role) {
        ("text", _) => Content::Text(member(item, "text", at)?),
        ("image", Role::User) => image(item, at, &mut chat.hints)?,
        ("document", Role::User) => document(item, at, chat)?,
        ("tool_result", Role::User) => result(item, at, chat)?,
        ("thinking", Role::Assistant) => {
            let signature = item.get("signature").and_then(Raw::string).filter(|proof| !proof.is_empty());
            Content::Reasoning { text: member(item, "thinking", at)?, signature }
        }
        ("redacted_thinking", Role::Assistant) => Content::Redacted(member(item, "data", at)?),
        ("tool_use", Role::Assistant) => {
            let input = required(item, "input", at)?;
            object(input, format_args!("{at}.input"))?;
            if item.get("caller").is_some_and(|caller| !is_direct(caller)) {
                chat.foreign.push(format!("{at}.caller"));
            }
            let arguments = Cow::Borrowed(input.text());
            Content::Call { id: member(item, "id", at)?, name: member(item, "name", at)?, arguments }
        }
        // Search results, results of tools that ran at the provider, and future kinds of block.
        (kind, _) => Content::Other { field: format!("{at}.{kind}") },
    };
    Ok(Part { cache, ..content.into() })
}

fn image<'a>(item: Raw<'a>, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Content<'a>, Reject> {
    let source = required(item, "source", at)?;
    let at = format_args!("{at}.source");
    Ok(match &*source_kind(source, at, hints)? {
        "base64" => Content::Image {
            media_type: media_type(member(source, "media_type", at)?),
            data: member(source, "data", at)?,
        },
        "url" => Content::ImageUrl(member(source, "url", at)?),
        // An uploaded file belongs to one provider.
        kind => Content::Other { field: format!("{at}.{kind}") },
    })
}

/// How an image or a document is given.
fn source_kind<'a>(source: Raw<'a>, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Cow<'a, str>, Reject> {
    object(source, at)?;
    let kind = member(source, "type", at)?;
    let read: &[&str] = match &*kind {
        "base64" | "text" => &["type", "media_type", "data"],
        "url" => &["type", "url"],
        "content" => &["type", "content"],
        _ => return Ok(kind),
    };
    left_out(source.members(), read, &[], at, hints);
    Ok(kind)
}

/// <https://platform.claude.com/docs/en/build-with-claude/pdf-support>
fn document<'a>(item: Raw<'a>, at: Arguments<'_>, chat: &mut Chat<'a>) -> Result<Content<'a>, Reject> {
    let cites = item.get("citations").and_then(|citations| citations.get("enabled")?.boolean());
    if cites == Some(true) {
        chat.foreign.push(format!("{at}.citations"));
    }
    if item.get("context").is_some_and(|context| !context.is_null()) {
        chat.foreign.push(format!("{at}.context"));
    }
    let name = item.get("title").and_then(Raw::string);
    let source = required(item, "source", at)?;
    let at = format_args!("{at}.source");
    let source = match &*source_kind(source, at, &mut chat.hints)? {
        "base64" => Source::File {
            media_type: media_type(member(source, "media_type", at)?),
            data: member(source, "data", at)?,
        },
        "url" => Source::Url(member(source, "url", at)?),
        "text" => Source::Text(member(source, "data", at)?),
        "content" => match chunks(required(source, "content", at)?, format_args!("{at}.content"), &mut chat.hints)? {
            Some(text) => Source::Text(text),
            None => return Ok(Content::Other { field: format!("{at}.content") }),
        },
        kind => return Ok(Content::Other { field: format!("{at}.{kind}") }),
    };
    Ok(Content::Document { source, name })
}

/// A document in chunks, as one text; `None` if it has more than text.
fn chunks<'a>(content: Raw<'a>, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Option<Cow<'a, str>>, Reject> {
    if let Some(text) = content.string() {
        return Ok(Some(text));
    }
    let texts = blocks(content, at, |item, at| {
        let (kind, cache) = kind(item, at, hints)?;
        if cache.is_some() {
            leave_out(format_args!("{at}.cache_control"), hints);
        }
        Ok(if kind == "text" { Some(member(item, "text", at)?) } else { None })
    })?;
    let texts: Option<Vec<_>> = texts.into_iter().collect();
    Ok(texts.map(|texts| texts.join("\n").into()))
}

fn result<'a>(item: Raw<'a>, at: Arguments<'_>, chat: &mut Chat<'a>) -> Result<Content<'a>, Reject> {
    let id = member(item, "tool_use_id", at)?;
    let failed = item.get("is_error").filter(|failed| !failed.is_null());
    let failed = failed.map(|failed| boolean(failed, format_args!("{at}.is_error"))).transpose()?;
    let outcome = if failed == Some(true) { Outcome::Failed } else { Outcome::Worked };
    let parts = match item.get("content").filter(|content| !content.is_null()) {
        None => Vec::new(),
        Some(content) => match content.string() {
            Some(text) => [Content::Text(text).into()].into(),
            None => blocks(content, format_args!("{at}.content"), |item, at| {
                let (kind, cache) = kind(item, at, &mut chat.hints)?;
                let content = match &*kind {
                    "text" => Content::Text(member(item, "text", at)?),
                    "image" => image(item, at, &mut chat.hints)?,
                    "document" => document(item, at, chat)?,
                    kind => Content::Other { field: format!("{at}.{kind}") },
                };
                Ok(Part { cache, ..content.into() })
            })?,
        },
    };
    Ok(Content::Result { id, parts, outcome })
}
