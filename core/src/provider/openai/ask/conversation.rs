//! A conversation as this API knows it: a tool's result is a message of its own, and holds text alone.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Accent, Results, reasoning_field};
use crate::chat::{Content, Outcome, Part, Role, Source, Turn};
use crate::codec::json::write::{Object, escaped, object};
use crate::config::ReasoningField;
use crate::fault::Reject;
use crate::provider::To;
use crate::provider::signature::{self, Maker};

pub(super) struct Conversation<'a> {
    messages: Vec<Message<'a>>,
    accent: &'a Accent,
    reasoning: Option<ReasoningField>,
    marks: bool,
}

enum Message<'a> {
    /// What the application or the person says.
    Said(&'static str, Vec<&'a Part<'a>>),
    /// What the model said and called.
    Answered(Vec<&'a Part<'a>>),
    /// What a tool gave back.
    Result { id: &'a str, parts: Vec<&'a Part<'a>>, outcome: Outcome },
    /// What tools gave back besides text, with their calls.
    Shown(Vec<(&'a str, &'a Part<'a>)>),
}

impl<'a> Conversation<'a> {
    /// Sorts the turns. The results of one turn's calls come before anything else, as this API demands; what of them is no
    /// text follows all of them as if the person showed it.
    pub(super) fn of(turns: &'a [Turn<'a>], accent: &'a Accent, to: &mut To<'_>) -> Result<Self, Reject> {
        let reasoning = reasoning_field(accent, to);
        let marks = to.upstream.quirks.cache_marks;
        let mut messages = Vec::with_capacity(turns.len());
        let mut shown = Vec::new();
        for turn in turns {
            expressible(turn, accent, to)?;
            if !marks && turn.parts.iter().any(|part| part.cache.is_some()) {
                to.hint("cache_control");
            }
            for part in &turn.parts {
                let Content::Result { id, parts, outcome } = &part.content else { continue };
                if *outcome == Outcome::Failed {
                    to.emulates("is_error");
                }
                let parts = parts.iter().filter(|part| fits(Role::Tool, &part.content, accent));
                let (said, besides): (Vec<_>, Vec<_>) =
                    parts.partition(|part| accent.results == Results::Parts || is_text(&part.content));
                if !besides.is_empty() {
                    to.emulates(&To::of_message(turn.at, "content"));
                }
                shown.extend(besides.into_iter().map(|part| (&**id, part)));
                messages.push(Message::Result { id, parts: said, outcome: *outcome });
            }
            let rest: Vec<_> = turn.parts.iter().filter(|part| fits(turn.role, &part.content, accent)).collect();
            let only_results = turn.parts.iter().any(|part| matches!(part.content, Content::Result { .. }));
            if rest.is_empty() && only_results {
                continue;
            }
            if !shown.is_empty() {
                messages.push(Message::Shown(core::mem::take(&mut shown)));
            }
            messages.push(match turn.role {
                Role::System => Message::Said("system", rest),
                Role::User | Role::Tool => Message::Said("user", rest),
                Role::Assistant => Message::Answered(rest),
            });
        }
        if !shown.is_empty() {
            messages.push(Message::Shown(shown));
        }
        Ok(Self { messages, accent, reasoning, marks })
    }

    pub(super) fn write(&self, body: &mut Object<'_>) {
        body.array("messages", &self.messages, |out, message| {
            object(out, |to| match message {
                Message::Said(role, parts) => {
                    to.string("role", role);
                    self.content(to, parts);
                }
                Message::Answered(parts) => self.answered(to, parts),
                Message::Result { id, parts, outcome } => {
                    to.string("role", "tool");
                    to.string("tool_call_id", &(self.accent.call_id)(id));
                    self.result(to, parts, *outcome);
                }
                Message::Shown(parts) => {
                    to.string("role", "user");
                    self.shown(to, parts);
                }
            });
        });
    }

    /// One text, or many parts.
    fn content(&self, to: &mut Object<'_>, parts: &[&Part<'_>]) {
        match parts {
            [] => to.string("content", ""),
            [Part { content: Content::Text(text), cache }] if cache.is_none_or(|_| !self.marks) => {
                to.string("content", text);
            }
            _ => to.array("content", parts, |out, part| write_part(out, part, self.marks)),
        }
    }

    fn answered(&self, to: &mut Object<'_>, parts: &[&Part<'_>]) {
        to.string("role", "assistant");
        let said: Vec<&Part<'_>> = parts
            .iter()
            .copied()
            .filter(|part| match part.content {
                Content::Text(_) => true,
                Content::Reasoning { .. } => self.accent.thinks_in_content,
                _ => false,
            })
            .collect();
        let calls = parts.iter().filter_map(|part| match &part.content {
            Content::Call { id, name, arguments } => Some((id, name, arguments)),
            _ => None,
        });
        let refusal: Option<String> = joined(parts, |content| match content {
            Content::Refusal(words) => Some(words),
            _ => None,
        });
        let calls: Vec<_> = calls.collect();
        if said.is_empty() && (refusal.is_some() || !calls.is_empty()) {
            to.raw("content", "null");
        } else {
            self.content(to, &said);
        }
        if let Some(refusal) = refusal {
            to.string("refusal", &refusal);
        }
        self.reasoning(to, parts);
        if !calls.is_empty() {
            to.array("tool_calls", calls, |out, (id, name, arguments)| {
                object(out, |call| {
                    call.string("id", &(self.accent.call_id)(id));
                    call.string("type", "function");
                    call.object("function", |function| {
                        function.string("name", name);
                        // No arguments at all is what some write for none.
                        function.string("arguments", if arguments.trim().is_empty() { "{}" } else { arguments });
                    });
                });
            });
        }
    }

    /// What the model thought, where this host takes it back. Elsewhere it is left out: it is no part of what was said.
    fn reasoning(&self, to: &mut Object<'_>, parts: &[&Part<'_>]) {
        let field = match self.reasoning {
            None => return,
            Some(ReasoningField::ReasoningDetails) => return details(to, parts),
            Some(ReasoningField::ReasoningContent) => "reasoning_content",
            Some(ReasoningField::Reasoning) => "reasoning",
        };
        let thought = joined(parts, |content| match content {
            Content::Reasoning { text, .. } => Some(text),
            _ => None,
        });
        if let Some(thought) = thought.filter(|thought| !thought.is_empty()) {
            to.string(field, &thought);
        }
    }

    fn result(&self, to: &mut Object<'_>, parts: &[&Part<'_>], outcome: Outcome) {
        if self.accent.results == Results::Parts && outcome == Outcome::Worked {
            return self.content(to, parts);
        }
        let mut text = String::new();
        if outcome == Outcome::Failed {
            text.push_str("Error: ");
        }
        let mut between = "";
        for part in parts {
            text.push_str(between);
            between = "\n";
            text.push_str(&words(&part.content));
        }
        to.string("content", &text);
    }

    /// Each under the name of its call.
    fn shown(&self, to: &mut Object<'_>, parts: &[(&str, &Part<'_>)]) {
        let out = to.member("content");
        out.push(b'[');
        let mut last = None;
        for (id, part) in parts {
            if last != Some(id) {
                if last.is_some() {
                    out.push(b',');
                }
                let id = (self.accent.call_id)(id);
                let label = Content::Text(Cow::Owned(format!("Result of the tool call {id}, besides its text:")));
                write_part(out, &label.into(), self.marks);
            }
            last = Some(id);
            out.push(b',');
            write_part(out, part, self.marks);
        }
        out.push(b']');
    }
}

/// Refuses what of a turn has no counterpart here.
fn expressible(turn: &Turn<'_>, accent: &Accent, to: &mut To<'_>) -> Result<(), Reject> {
    for (at, part) in turn.parts.iter().enumerate() {
        let (role, inner) = match &part.content {
            Content::Result { parts, .. } => (Role::Tool, &**parts),
            _ => (turn.role, core::slice::from_ref(part)),
        };
        for part in inner.iter().filter(|part| !fits(role, &part.content, accent)) {
            let kind = match part.content {
                Content::Image { .. } | Content::ImageUrl(_) => "image_url",
                Content::Document { .. } => "file",
                Content::Audio { .. } => "input_audio",
                _ => continue,
            };
            to.unsupported(&To::of_message(turn.at, &format!("content[{at}].{kind}")))?;
        }
    }
    Ok(())
}

/// Whether a part has a place in a message of `role`.
fn fits(role: Role, content: &Content<'_>, accent: &Accent) -> bool {
    match content {
        Content::Text(_) => true,
        Content::Refusal(_) | Content::Reasoning { .. } | Content::Redacted(_) | Content::Call { .. } => {
            role == Role::Assistant
        }
        Content::ImageUrl(_) | Content::Image { .. } => matches!(role, Role::User | Role::Tool),
        Content::Document { source, .. } => {
            let anywhere = accent.document_urls || !matches!(source, Source::Url(_));
            matches!(source, Source::Text(_)) || anywhere && matches!(role, Role::User | Role::Tool)
        }
        Content::Audio { .. } => role == Role::User,
        Content::Result { .. } | Content::Other { .. } => false,
    }
}

/// Whether the part is text here.
fn is_text(content: &Content<'_>) -> bool {
    matches!(content, Content::Text(_) | Content::Document { source: Source::Text(_), .. })
}

/// What is text here; a document with its title.
fn words<'c>(content: &'c Content<'_>) -> Cow<'c, str> {
    match content {
        Content::Text(text) | Content::Document { source: Source::Text(text), name: None } => Cow::Borrowed(text),
        Content::Document { source: Source::Text(text), name: Some(name) } => Cow::Owned(format!("{name}:\n{text}")),
        _ => Cow::Borrowed(""),
    }
}

/// The words of many parts, if there are any.
fn joined<'p>(parts: &[&'p Part<'_>], of: impl Fn(&'p Content<'_>) -> Option<&'p Cow<'p, str>>) -> Option<String> {
    let mut all: Option<String> = None;
    for words in parts.iter().filter_map(|part| of(&part.content)) {
        all.get_or_insert_default().push_str(words);
    }
    all
}

/// <https://platform.openai.com/docs/api-reference/chat/create>, content parts
fn write_part(out: &mut Vec<u8>, part: &Part<'_>, marks: bool) {
    object(out, |to| {
        match &part.content {
            Content::ImageUrl(url) => {
                to.string("type", "image_url");
                to.object("image_url", |image| image.string("url", url));
            }
            Content::Image { media_type, data } => {
                to.string("type", "image_url");
                to.object("image_url", |image| data_url(image.member("url"), media_type, data));
            }
            Content::Document { source: Source::File { media_type, data }, name } => {
                to.string("type", "file");
                to.object("file", |file| {
                    // Required beside the contents.
                    file.string("filename", name.as_deref().unwrap_or("document.pdf"));
                    data_url(file.member("file_data"), media_type, data);
                });
            }
            Content::Document { source: Source::Url(url), name } => {
                to.string("type", "document_url");
                to.string("document_url", url);
                if let Some(name) = name {
                    to.string("document_name", name);
                }
            }
            Content::Audio { format, data } => {
                to.string("type", "input_audio");
                to.object("input_audio", |audio| {
                    audio.string("data", data);
                    audio.string("format", format);
                });
            }
            Content::Reasoning { text, .. } => {
                to.string("type", "thinking");
                to.array("thinking", [text], |out, text| {
                    object(out, |item| {
                        item.string("type", "text");
                        item.string("text", text);
                    });
                });
            }
            content => {
                to.string("type", "text");
                to.string("text", &words(content));
            }
        }
        if let Some(mark) = part.cache.filter(|_| marks) {
            to.raw("cache_control", mark.text());
        }
    });
}

fn data_url(out: &mut Vec<u8>, media_type: &str, data: &str) {
    out.extend_from_slice(b"\"data:");
    escaped(out, media_type);
    out.extend_from_slice(b";base64,");
    escaped(out, data);
    out.push(b'"');
}

/// `reasoning_details`: each item under the format of its maker, as `OpenRouter` hands them on to it.
///
/// <https://openrouter.ai/docs/use-cases/reasoning-tokens>
fn details(to: &mut Object<'_>, parts: &[&Part<'_>]) {
    let items: Vec<_> = parts
        .iter()
        .filter(|part| matches!(part.content, Content::Reasoning { .. } | Content::Redacted(_)))
        .enumerate()
        .collect();
    if items.is_empty() {
        return;
    }
    to.array("reasoning_details", items, |out, (index, part)| {
        object(out, |item| {
            let proof = match &part.content {
                Content::Reasoning { text, signature } => {
                    item.string("type", "reasoning.text");
                    item.string("text", text);
                    let proof = signature.as_deref().and_then(proven);
                    if let Some((_, proof)) = proof {
                        item.string("signature", proof);
                    }
                    proof
                }
                Content::Redacted(data) => {
                    item.string("type", "reasoning.encrypted");
                    let proof = proven(data);
                    item.string("data", proof.map_or(&**data, |(_, proof)| proof));
                    proof
                }
                _ => None,
            };
            if let Some((format, _)) = proof {
                item.string("format", format);
            }
            item.number("index", index as u64);
        });
    });
}

/// A proof, and the name under which `OpenRouter` knows its maker's.
fn proven(travelling: &str) -> Option<(&'static str, &str)> {
    FORMATS.into_iter().find_map(|(format, maker)| Some((format, signature::of(maker, travelling)?)))
}

/// The names under which `OpenRouter` knows the makers of reasoning.
pub(in crate::provider::openai) const FORMATS: [(&str, Maker); 3] = [
    ("anthropic-claude-v1", Maker::Anthropic),
    ("google-gemini-v1", Maker::Gemini),
    ("openai-responses-v1", Maker::OpenAi),
];
