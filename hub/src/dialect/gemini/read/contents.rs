//! The conversation. Calls need no ids in this API. A call without an id gets one from its position. A response without
//! an id answers the first unanswered call of its function.
//!
//! <https://ai.google.dev/api/caching#Content>, <https://ai.google.dev/gemini-api/docs/function-calling>

use alloc::borrow::{Cow, ToOwned};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Arguments;

use crate::chat::{Chat, Content, Detail, Outcome, Part, Role, Source, Turn};
use crate::codec::json::{Kind, Raw};
use crate::dialect::fields::{boolean, invalid, leave_out, left_out, media_type, object, string};
use crate::dialect::gemini::SYSTEM;
use crate::dialect::gemini::names::{get, list, members};
use crate::dialect::gemini::proof::Proof;
use crate::fault::Reject;

/// Members of an answer's calls that mean nothing when they are sent back.
const ECHOED: [&str; 1] = ["willContinue"];

/// The state while a conversation is read.
struct Reading<'c, 'a> {
    chat: &'c mut Chat<'a>,
    /// Calls that no response has answered yet.
    open: Open<'a>,
    /// The index of the content being read.
    index: usize,
    /// How many calls this content has had.
    calls: usize,
}

/// Unanswered calls, in tables by what a response may name: a body may have very many calls.
#[derive(Default)]
struct Open<'a> {
    ids: BTreeMap<Cow<'a, str>, (Cow<'a, str>, usize)>,
    /// By function, in the order of the calls.
    functions: BTreeMap<(Cow<'a, str>, usize), Cow<'a, str>>,
    /// How many calls there have been.
    calls: usize,
}

impl<'a> Open<'a> {
    fn add(&mut self, id: Cow<'a, str>, function: Cow<'a, str>) {
        let call = (function, self.calls);
        self.calls += 1;
        self.functions.insert(call.clone(), id.clone());
        self.ids.entry(id).or_insert(call);
    }

    /// The id of the call that a response answers: the call that it names, else the first of its function.
    fn answered(&mut self, id: Option<&Cow<'a, str>>, function: &Cow<'a, str>) -> Option<Cow<'a, str>> {
        let first = || self.functions.range((function.clone(), 0)..).next().map(|(call, _)| call);
        let named = id.and_then(|id| self.ids.get(id));
        let call = named.or_else(|| first().filter(|(of, _)| of == function))?.clone();
        let id = self.functions.remove(&call)?;
        self.ids.remove(&id);
        Some(id)
    }
}

pub(super) fn read<'a>(contents: Raw<'a>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    let mut reading = Reading { chat, open: Open::default(), index: 0, calls: 0 };
    list(contents, format_args!("contents"), |content, at| {
        reading.content(content, at)?;
        reading.index += 1;
        Ok(())
    })?;
    Ok(())
}

/// The system instruction: text, in a content or not.
pub(super) fn system<'a>(system: Raw<'a>, chat: &mut Chat<'a>) -> Result<(), Reject> {
    let mut turn = Turn { role: Role::System, at: SYSTEM, parts: Vec::new(), extra: Vec::new() };
    if let Some(text) = system.string() {
        turn.parts.push(Content::Text(text).into());
    } else {
        object(system, format_args!("systemInstruction"))?;
        left_out(members(system), &["role", "parts"], &[], format_args!("systemInstruction"), &mut chat.hints);
        let parts = need(system, "parts", format_args!("systemInstruction"))?;
        turn.parts = list(parts, format_args!("systemInstruction.parts"), |part, at| {
            object(part, at)?;
            Ok(match members(part).find(|(name, _)| name != "text") {
                Some((name, _)) => Content::Other { field: format!("{at}.{name}") }.into(),
                None => Content::Text(text(part, "text", at)?).into(),
            })
        })?;
    }
    chat.turns.push(turn);
    Ok(())
}

fn need<'a>(object: Raw<'a>, name: &str, at: Arguments<'_>) -> Result<Raw<'a>, Reject> {
    get(object, name).ok_or_else(|| Reject::Missing { field: format!("{at}.{name}") })
}

fn text<'a>(object: Raw<'a>, name: &str, at: Arguments<'_>) -> Result<Cow<'a, str>, Reject> {
    string(need(object, name, at)?, format_args!("{at}.{name}"))
}

impl<'a> Reading<'_, 'a> {
    fn content(&mut self, content: Raw<'a>, at: Arguments<'_>) -> Result<(), Reject> {
        object(content, at)?;
        let role =
            match get(content, "role").map(|role| string(role, format_args!("{at}.role"))).transpose()?.as_deref() {
                None | Some("user" | "function" | "tool" | "") => Role::User,
                Some("model") => Role::Assistant,
                Some(_) => return Err(invalid(format_args!("{at}.role"), "it must be 'user' or 'model'")),
            };
        // Callers send the chunks of a stream back as separate contents. They become one turn of the model.
        let last = self.chat.turns.pop_if(|last| role == Role::Assistant && last.role == Role::Assistant);
        let mut turn = last.unwrap_or_else(|| self.turn(role));
        self.calls = 0;
        for (name, value) in members(content) {
            if !matches!(&*name, "role" | "parts") {
                turn.extra.push((name, value));
            }
        }
        let parts = need(content, "parts", at)?;
        list(parts, format_args!("{at}.parts"), |part, at| self.part(part, at, &mut turn))?;
        if !turn.parts.is_empty() || !turn.extra.is_empty() {
            self.chat.turns.push(turn);
        }
        Ok(())
    }

    fn turn(&self, role: Role) -> Turn<'a> {
        Turn { role, at: self.index, parts: Vec::new(), extra: Vec::new() }
    }

    fn part(&mut self, part: Raw<'a>, at: Arguments<'_>, turn: &mut Turn<'a>) -> Result<(), Reject> {
        object(part, at)?;
        let (mut data, mut thought, mut proof, mut detail) = (None, false, None, None);
        for (name, value) in members(part) {
            let path = format_args!("{at}.{name}");
            match &*name {
                "thought" => thought = boolean(value, path)?,
                "thoughtSignature" => proof = Some(string(value, path)?).filter(|proof| !proof.is_empty()),
                "mediaResolution" => match look(value) {
                    Some(level) => detail = Some(level),
                    None => self.chat.hints.push(path.to_string()),
                },
                "partMetadata" => self.chat.hints.push(path.to_string()),
                "videoMetadata" => self.chat.foreign.push(path.to_string()),
                _ if data.is_none() => data = Some((name, value)),
                _ => return Err(invalid(at, "it must not be more than one kind of part")),
            }
        }
        // The setting means nothing for anything but images and films.
        if detail.is_some() && !data.as_ref().is_some_and(|(name, _)| matches!(&**name, "inlineData" | "fileData")) {
            leave_out(format_args!("{at}.mediaResolution"), &mut self.chat.hints);
            detail = None;
        }
        let proof = proof.as_deref().map(Proof::read).map(owned);
        let Some((name, value)) = data else {
            reason(turn, Cow::Borrowed(""), proof);
            return Ok(());
        };
        let path = format_args!("{at}.{name}");
        if name == "text" && thought {
            reason(turn, string(value, path)?, proof);
            return Ok(());
        }
        if let Some(proof) = proof {
            turn.parts.push(proven(proof, "".into()).into());
        }
        let content = match (&*name, turn.role) {
            ("text", _) => Content::Text(string(value, path)?),
            ("inlineData", _) => inline(value, path, &mut self.chat.hints)?,
            ("fileData", _) => file(value, path, &mut self.chat.hints)?,
            ("functionCall", Role::Assistant) => self.call(value, path)?,
            ("functionResponse", Role::User) => {
                let result = self.response(value, path)?;
                if !turn.parts.is_empty() {
                    let next = self.turn(turn.role);
                    self.chat.turns.push(core::mem::replace(turn, next));
                }
                self.chat.turns.push(Turn { parts: [result.into()].into(), ..self.turn(Role::Tool) });
                return Ok(());
            }
            // Tools that ran at Google, and future kinds of part.
            _ => Content::Other { field: path.to_string() },
        };
        // Leaves out an empty text whose only purpose is to carry a signature.
        if !matches!(&content, Content::Text(text) if text.is_empty() && turn.role == Role::Assistant) {
            turn.parts.push(Part { detail, ..content.into() });
        }
        Ok(())
    }

    fn call(&mut self, call: Raw<'a>, at: Arguments<'_>) -> Result<Content<'a>, Reject> {
        object(call, at)?;
        left_out(members(call), &["id", "name", "args"], &ECHOED, at, &mut self.chat.hints);
        let name = text(call, "name", at)?;
        let id = get(call, "id").map(|id| string(id, format_args!("{at}.id"))).transpose()?;
        let id = id.filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| format!("call_{}_{}", self.index, self.calls).into());
        self.calls += 1;
        let arguments = match get(call, "args") {
            Some(args) => {
                object(args, format_args!("{at}.args"))?;
                args.text()
            }
            None => "{}",
        };
        self.open.add(id.clone(), name.clone());
        Ok(Content::Call { id, name, arguments: Cow::Borrowed(arguments) })
    }

    fn response(&mut self, response: Raw<'a>, at: Arguments<'_>) -> Result<Content<'a>, Reject> {
        object(response, at)?;
        let name = text(response, "name", at)?;
        let id = get(response, "id").map(|id| string(id, format_args!("{at}.id"))).transpose()?;
        let id = match (self.open.answered(id.as_ref(), &name), id) {
            (Some(call), _) => call,
            (None, Some(id)) => id,
            (None, None) => {
                return Err(invalid(format_args!("{at}.name"), "no call of this function is waiting for a response"));
            }
        };
        let given = need(response, "response", at)?;
        object(given, format_args!("{at}.response"))?;
        let (mut parts, outcome) = said(given);
        for (name, value) in members(response) {
            let path = format_args!("{at}.{name}");
            match &*name {
                "id" | "name" | "response" => {}
                "parts" => {
                    parts.extend(list(value, path, |part, at| media(part, at, &mut self.chat.hints))?);
                }
                "willContinue" if value.boolean() == Some(false) => {}
                _ => self.chat.foreign.push(path.to_string()),
            }
        }
        Ok(Content::Result { id, parts, outcome })
    }
}

/// How closely to look at an image, if other providers have a setting for it.
///
/// <https://ai.google.dev/gemini-api/docs/media-resolution>
fn look(resolution: Raw<'_>) -> Option<Detail> {
    let mut members = members(resolution);
    let (Some((name, level)), None) = (members.next(), members.next()) else { return None };
    match (&*name, level.text()) {
        ("level", "\"MEDIA_RESOLUTION_LOW\"") => Some(Detail::Low),
        ("level", "\"MEDIA_RESOLUTION_HIGH\"") => Some(Detail::High),
        ("level", "\"MEDIA_RESOLUTION_ULTRA_HIGH\"") => Some(Detail::Original),
        _ => None,
    }
}

/// A function's result as text. The API's own wrapping (`output`, `error`) is removed; anything else stays JSON.
///
/// <https://ai.google.dev/api/caching#FunctionResponse>
fn said(response: Raw<'_>) -> (Vec<Part<'_>>, Outcome) {
    fn text(value: Raw<'_>) -> Part<'_> {
        Content::Text(value.string().unwrap_or(Cow::Borrowed(value.text()))).into()
    }
    let mut members = response.members();
    let (value, outcome) = match (members.next(), members.next()) {
        (Some((name, value)), None) if name == "output" => (value, Outcome::Worked),
        (Some((name, value)), None) if name == "error" => (value, Outcome::Failed),
        _ => (response, Outcome::Worked),
    };
    let are_texts = value.items().next().is_some() && value.items().all(|item| item.kind() == Kind::String);
    (if are_texts { value.items().map(text).collect() } else { [text(value)].into() }, outcome)
}

/// An image or a file in a function's response.
fn media<'a>(part: Raw<'a>, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Part<'a>, Reject> {
    object(part, at)?;
    let data = members(part).next();
    let (name, value) = data.ok_or_else(|| invalid(at, "it must have 'inlineData' or 'fileData'"))?;
    left_out(members(part), &[&name], &[], at, hints);
    let path = format_args!("{at}.{name}");
    Ok(match &*name {
        "inlineData" => inline(value, path, hints)?,
        "fileData" => file(value, path, hints)?,
        _ => Content::Other { field: path.to_string() },
    }
    .into())
}

fn inline<'a>(inline: Raw<'a>, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Content<'a>, Reject> {
    object(inline, at)?;
    let (media_type, name) =
        (media_type(text(inline, "mimeType", at)?), get(inline, "displayName").and_then(Raw::string));
    let data = text(inline, "data", at)?;
    left_out(members(inline), &["mimeType", "data", "displayName"], &[], at, hints);
    let content = match media_type.split_once('/').map_or(("", ""), |(kind, format)| (kind, format)) {
        ("image", _) => Content::Image { media_type, data },
        ("audio", format) => {
            let format = format.split(';').next().unwrap_or_default();
            let format = match format.strip_prefix("x-").unwrap_or(format) {
                "mpeg" => "mp3",
                "wave" => "wav",
                format => format,
            };
            Content::Audio { format: format.to_owned().into(), data }
        }
        ("video", _) => Content::Other { field: at.to_string() },
        _ => return Ok(Content::Document { source: Source::File { media_type, data }, name }),
    };
    // Other APIs have names only for documents.
    if name.is_some() {
        leave_out(format_args!("{at}.displayName"), hints);
    }
    Ok(content)
}

/// A file at a URL. Only Google can read an uploaded file, or one of its own store.
fn file<'a>(data: Raw<'a>, at: Arguments<'_>, hints: &mut Vec<String>) -> Result<Content<'a>, Reject> {
    object(data, at)?;
    left_out(members(data), &["fileUri", "mimeType"], &[], at, hints);
    let uri = text(data, "fileUri", at)?;
    let kind = get(data, "mimeType").and_then(Raw::string).unwrap_or_default();
    let is_open = uri.starts_with("https://") || uri.starts_with("http://");
    let own = ["https://generativelanguage.googleapis.com/", "https://www.youtube.com/", "https://youtu.be/"];
    if !is_open || own.iter().any(|own| uri.starts_with(own)) {
        return Ok(Content::Other { field: at.to_string() });
    }
    Ok(match kind.split('/').next() {
        Some("image") => Content::ImageUrl(uri),
        Some("application" | "text") => Content::Document { source: Source::Url(uri), name: None },
        _ => Content::Other { field: at.to_string() },
    })
}

/// Adds thoughts. They may come in many parts, and go on until a proof ends them.
fn reason<'a>(turn: &mut Turn<'a>, words: Cow<'a, str>, proof: Option<Proof<'a>>) {
    let open = turn.parts.pop_if(|part| matches!(part.content, Content::Reasoning { signature: None, .. }));
    let words = match open {
        Some(Part { content: Content::Reasoning { text, .. }, .. }) if text.is_empty() => words,
        Some(Part { content: Content::Reasoning { text, .. }, .. }) => (text.into_owned() + &words).into(),
        _ => words,
    };
    match proof {
        Some(proof @ Proof::Redacted(_)) => {
            if !words.is_empty() {
                turn.parts.push(Content::Reasoning { text: words, signature: None }.into());
            }
            turn.parts.push(proven(proof, "".into()).into());
        }
        Some(proof) => turn.parts.push(proven(proof, words).into()),
        None if words.is_empty() => {}
        None => turn.parts.push(Content::Reasoning { text: words, signature: None }.into()),
    }
}

/// The reasoning that a proof proves. Its text is in the proof, or it was shown.
fn proven<'a>(proof: Proof<'a>, shown: Cow<'a, str>) -> Content<'a> {
    match proof {
        Proof::Redacted(data) => Content::Redacted(data),
        Proof::Words { signature, words } => {
            let text = if words.is_empty() { shown } else { words };
            Content::Reasoning { text, signature: Some(signature) }
        }
    }
}

fn owned<'a>(proof: Proof<'_>) -> Proof<'a> {
    match proof {
        Proof::Words { signature, words } => {
            Proof::Words { signature: signature.into_owned().into(), words: words.into_owned().into() }
        }
        Proof::Redacted(data) => Proof::Redacted(data.into_owned().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_answers_the_call_that_it_names_or_the_first_of_its_function() {
        let mut open = Open::default();
        for (id, function) in [("1", "f"), ("2", "g"), ("3", "f"), ("4", "f"), ("4", "g")] {
            open.add(id.into(), function.into());
        }
        let mut answered = |id: Option<&'static str>, function: &'static str| {
            let id = id.map(Cow::Borrowed);
            open.answered(id.as_ref(), &function.into()).map(Cow::into_owned)
        };
        assert_eq!(answered(Some("3"), "f").as_deref(), Some("3"));
        assert_eq!(answered(None, "f").as_deref(), Some("1"));
        assert_eq!(answered(Some("another"), "f").as_deref(), Some("4"));
        assert_eq!(answered(None, "f"), None);
        assert_eq!(answered(Some("2"), "g").as_deref(), Some("2"));
        assert_eq!(answered(None, "g").as_deref(), Some("4"));
        assert_eq!(answered(Some("4"), "g"), None);
    }
}
