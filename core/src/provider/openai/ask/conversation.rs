//! A conversation in this API: a tool's result is a message of its own, and has only text.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::chat::{Content, Outcome, Part, Role, Source, Turn};
use weir_hub::codec::json::write::{Object, object};
use weir_hub::signature::{self, Maker};

use super::{Accent, Order, Parts, part, reasoning_field};
use crate::provider::To;
use crate::provider::parts::text;
use crate::upstream::ReasoningField;

pub(super) struct Conversation<'a> {
    messages: Vec<Message<'a>>,
    accent: &'a Accent,
    reasoning: Option<ReasoningField>,
    marks: bool,
}

enum Message<'a> {
    /// A message of the application or the user.
    Said(&'static str, Vec<&'a Part<'a>>),
    /// A message of the model, with its calls.
    Answered(Vec<&'a Part<'a>>),
    /// A tool's result.
    Result { id: &'a str, parts: Vec<&'a Part<'a>>, outcome: Outcome },
    /// The content of tool results that is not text, with the calls' ids.
    Shown(Vec<(&'a str, &'a Part<'a>)>),
    /// Says that the model has received a tool's result, before the user's next message.
    Heard,
}

impl<'a> Conversation<'a> {
    /// Sorts the turns. The results of a turn's calls come before anything else, as this API requires. Their content
    /// that is not text follows all of them, as if the user showed it.
    pub(super) fn of(turns: &'a [Turn<'a>], accent: &'a Accent, to: &mut To<'_>) -> Self {
        let reasoning = reasoning_field(accent, to);
        let marks = to.upstream.quirks.cache_marks;
        let mut messages = Vec::with_capacity(turns.len());
        // What was said since the model's last message or the last result. A result may still have to come before it.
        let mut since = Vec::new();
        let mut shown = Vec::new();
        for turn in turns {
            expressible(turn, accent, to);
            for part in &turn.parts {
                let Content::Result { id, parts, outcome } = &part.content else { continue };
                if *outcome == Outcome::Failed {
                    to.emulates("is_error");
                }
                let parts = parts.iter().filter(|part| fits(Role::Tool, &part.content, accent));
                let (said, besides): (Vec<_>, Vec<_>) =
                    parts.partition(|part| accent.parts == Parts::Mistral || is_text(&part.content));
                if !besides.is_empty() {
                    to.emulates(&To::of_message(turn.at, "content"));
                }
                shown.extend(besides.into_iter().map(|part| (&**id, part)));
                if messages.is_empty() {
                    messages.append(&mut since);
                }
                messages.push(Message::Result { id, parts: said, outcome: *outcome });
            }
            let rest: Vec<_> = turn.parts.iter().filter(|part| fits(turn.role, &part.content, accent)).collect();
            let only_results = turn.parts.iter().any(|part| matches!(part.content, Content::Result { .. }));
            if rest.is_empty() && only_results {
                continue;
            }
            if !shown.is_empty() {
                since.push(Message::Shown(core::mem::take(&mut shown)));
            }
            match turn.role {
                Role::System => since.push(Message::Said("system", rest)),
                Role::User | Role::Tool => since.push(Message::Said("user", rest)),
                Role::Assistant => {
                    messages.append(&mut since);
                    messages.push(Message::Answered(rest));
                }
            }
        }
        messages.append(&mut since);
        if !shown.is_empty() {
            messages.push(Message::Shown(shown));
        }
        let mut conversation = Self { messages, accent, reasoning, marks };
        if accent.order == Order::Strict {
            conversation.order(to);
        }
        conversation
    }

    /// Brings the messages into the order that some hosts require. So a later system message keeps its authority, but
    /// loses its position.
    fn order(&mut self, to: &mut To<'_>) {
        let is_system = |message: &Message<'_>| matches!(message, Message::Said("system", _));
        let accent = self.accent;
        let says = |message: &Message<'_>| match message {
            Message::Said(_, parts) => !parts.is_empty(),
            Message::Answered(parts) => parts.iter().any(|part| is_sent(&part.content, accent)),
            _ => true,
        };
        let messages = core::mem::take(&mut self.messages).into_iter().filter(says);
        let (mut ordered, rest): (Vec<_>, Vec<_>) = messages.partition(is_system);
        for message in rest {
            if let (Some(Message::Result { .. }), Message::Said(..) | Message::Shown(_)) = (ordered.last(), &message) {
                to.emulates("messages");
                ordered.push(Message::Heard);
            }
            ordered.push(message);
        }
        self.messages = ordered;
    }

    pub(super) fn write(&self, body: &mut Object<'_>) {
        let last = self.messages.len().wrapping_sub(1);
        body.array("messages", self.messages.iter().enumerate(), |out, (index, message)| {
            object(out, |to| match message {
                Message::Said(role, parts) => {
                    to.string("role", role);
                    self.content(to, parts);
                }
                Message::Answered(parts) => {
                    self.answered(to, parts);
                    if index == last && self.accent.order == Order::Strict {
                        to.raw("prefix", "true");
                    }
                }
                Message::Heard => {
                    to.string("role", "assistant");
                    to.string("content", "Noted.");
                }
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

    fn part(&self, out: &mut Vec<u8>, part: &Part<'_>) {
        part::write(out, part, self.accent.parts, self.marks);
    }

    /// One text, or many parts.
    fn content(&self, to: &mut Object<'_>, parts: &[&Part<'_>]) {
        match parts {
            [] => to.string("content", ""),
            [Part { content: Content::Text(text), cache, .. }] if cache.is_none_or(|_| !self.marks) => {
                to.string("content", text);
            }
            _ => to.array("content", parts, |out, part| self.part(out, part)),
        }
    }

    fn answered(&self, to: &mut Object<'_>, parts: &[&Part<'_>]) {
        to.string("role", "assistant");
        let said: Vec<&Part<'_>> = parts
            .iter()
            .copied()
            .filter(|part| match part.content {
                Content::Text(_) => true,
                Content::Refusal(_) => self.accent.parts == Parts::Mistral,
                Content::Reasoning { .. } => is_sent(&part.content, self.accent),
                _ => false,
            })
            .collect();
        let calls = parts.iter().filter_map(|part| match &part.content {
            Content::Call { id, name, arguments } => Some((id, name, arguments)),
            _ => None,
        });
        let refusal: Option<String> = joined(parts, |content| match content {
            Content::Refusal(words) if self.accent.parts == Parts::OpenAi => Some(words),
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
                        function.string("arguments", arguments);
                    });
                });
            });
        }
    }

    /// The model's reasoning, if this host accepts it back. Otherwise it is left out: it is not part of what was said.
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
        let failed = Part::from(Content::Text("Error:".into()));
        match outcome {
            Outcome::Worked if self.accent.parts == Parts::Mistral => return self.content(to, parts),
            Outcome::Failed if !parts.iter().all(|part| is_text(&part.content)) => {
                let parts: Vec<&Part<'_>> = [&failed].into_iter().chain(parts.iter().copied()).collect();
                return self.content(to, &parts);
            }
            _ => {}
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

    /// Each part is named after its call.
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
                self.part(out, &label.into());
            }
            last = Some(id);
            out.push(b',');
            self.part(out, part);
        }
        out.push(b']');
    }
}

/// Whether a part of the model's message is sent back to it.
fn is_sent(content: &Content<'_>, accent: &Accent) -> bool {
    match content {
        Content::Text(text) | Content::Refusal(text) => !text.is_empty(),
        Content::Call { .. } => true,
        Content::Reasoning { signature, .. } => accent.thinks_in_content && signature.is_none(),
        _ => false,
    }
}

/// Refuses the parts of a turn that this API cannot express.
fn expressible(turn: &Turn<'_>, accent: &Accent, to: &mut To<'_>) {
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
            to.unsupported(&To::of_message(turn.at, &format!("content[{at}].{kind}")));
        }
    }
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
            let anywhere = accent.parts == Parts::Mistral || !matches!(source, Source::Url(_));
            is_text(content) || anywhere && matches!(role, Role::User | Role::Tool)
        }
        Content::Audio { .. } => role == Role::User,
        Content::Result { .. } | Content::Other { .. } => false,
    }
}

/// Whether the part is sent as text. A text file is, too, because chat completions accept only PDFs as files.
pub(super) fn is_text(content: &Content<'_>) -> bool {
    match content {
        Content::Text(_) => true,
        Content::Document { source, .. } => text(source).is_some(),
        _ => false,
    }
}

/// The text of such a part; a document's includes its title.
pub(super) fn words<'c>(content: &'c Content<'_>) -> Cow<'c, str> {
    match content {
        Content::Text(text) | Content::Refusal(text) => Cow::Borrowed(text),
        Content::Document { source, name } => match (text(source).unwrap_or_default(), name) {
            (text, None) => text,
            (text, Some(name)) => Cow::Owned(format!("{name}:\n{text}")),
        },
        _ => Cow::Borrowed(""),
    }
}

/// The texts of many parts, joined; `None` if there are none.
fn joined<'p>(parts: &[&'p Part<'_>], of: impl Fn(&'p Content<'_>) -> Option<&'p Cow<'p, str>>) -> Option<String> {
    let mut all: Option<String> = None;
    for words in parts.iter().filter_map(|part| of(&part.content)) {
        all.get_or_insert_default().push_str(words);
    }
    all
}

/// `reasoning_details`: each item in its maker's format, as `OpenRouter` passes it on to that maker.
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

/// A proof, and `OpenRouter`'s name for its maker's format.
fn proven(travelling: &str) -> Option<(&'static str, &str)> {
    FORMATS.into_iter().find_map(|(format, maker)| Some((format, signature::of(maker, travelling)?)))
}

/// `OpenRouter`'s names for the formats of reasoning.
pub(in crate::provider::openai) const FORMATS: [(&str, Maker); 3] = [
    ("anthropic-claude-v1", Maker::Anthropic),
    ("google-gemini-v1", Maker::Gemini),
    ("openai-responses-v1", Maker::OpenAi),
];
