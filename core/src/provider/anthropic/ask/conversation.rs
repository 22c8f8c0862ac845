//! A conversation in this API: one system prompt, then alternating turns of user and model.

use alloc::format;
use alloc::vec::Vec;

use weir_hub::chat::{Content, Outcome, Part, Role, Source, Turn};
use weir_hub::codec::json::write::{Object, array, object};
use weir_hub::dialect::anthropic::call_id;
use weir_hub::fault::Reject;
use weir_hub::signature::{self, Maker};

use crate::provider::To;
use crate::provider::parts::text;

pub(in crate::provider) struct Conversation<'a> {
    pub(in crate::provider) system: Vec<&'a Part<'a>>,
    pub(in crate::provider) turns: Vec<(Role, Vec<&'a Part<'a>>)>,
}

impl<'a> Conversation<'a> {
    /// Sorts the turns. System messages, wherever they are, go into the system prompt in order: so a later one keeps
    /// its authority but loses its position. Tool results belong to the user. Neighbours with the same role become one
    /// turn.
    ///
    /// Reasoning is kept if `maker` made it.
    pub(in crate::provider) fn of(
        turns: &'a [Turn<'a>],
        maker: Option<Maker>,
        to: &mut To<'_>,
    ) -> Result<Self, Reject> {
        let mut system = Vec::new();
        let mut merged: Vec<(Role, Vec<&Part<'_>>)> = Vec::new();
        for turn in turns {
            expressible(turn, to);
            let mut said = turn.parts.iter().filter(|part| says_something(part, maker)).peekable();
            let role = match turn.role {
                Role::System => {
                    system.extend(said);
                    continue;
                }
                Role::User | Role::Tool => Role::User,
                Role::Assistant => Role::Assistant,
            };
            match merged.last_mut() {
                Some((last, parts)) if *last == role => parts.extend(said),
                _ if said.peek().is_some() => merged.push((role, said.collect())),
                _ => {}
            }
        }
        if merged.is_empty() {
            let problem = "there must be a message other than 'system' that says something";
            return Err(to.invalid("messages", problem));
        }
        // Within a user's turn, results come first. The sort is stable, so the rest stays in order.
        for (role, parts) in &mut merged {
            if *role == Role::User {
                parts.sort_by_key(|part| !matches!(part.content, Content::Result { .. }));
            }
        }
        Ok(Self { system, turns: merged })
    }

    pub(super) fn write(&self, body: &mut Object<'_>) {
        if !self.system.is_empty() {
            content(body, "system", self.system.iter().copied());
        }
        body.array("messages", &self.turns, |out, (role, parts)| {
            object(out, |turn| {
                turn.string("role", if *role == Role::Assistant { "assistant" } else { "user" });
                content(turn, "content", parts.iter().copied());
            });
        });
    }
}

/// Refuses the parts of a turn that this API cannot express.
fn expressible(turn: &Turn<'_>, to: &mut To<'_>) {
    for (at, part) in turn.parts.iter().enumerate() {
        if matches!(part.content, Content::Audio { .. }) {
            to.unsupported(&To::of_message(turn.at, &format!("content[{at}].input_audio")));
        }
    }
}

/// The name of a part that has no place in a message of this role: only users and their tools can show things, and
/// Claude accepts no other kinds.
///
/// <https://platform.claude.com/docs/en/build-with-claude/vision>, <https://platform.claude.com/docs/en/build-with-claude/pdf-support>
pub(super) fn lacks(role: Role, content: &Content<'_>) -> Option<&'static str> {
    let shows = matches!(role, Role::User | Role::Tool);
    match content {
        Content::Image { media_type, .. } if !shows || !IMAGES.contains(&&**media_type) => Some("image_url"),
        Content::Document { source: source @ Source::File { media_type, .. }, .. }
            if !shows || media_type != "application/pdf" && text(source).is_none() =>
        {
            Some("file")
        }
        _ => None,
    }
}

/// The accepted types of images.
const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// Whether this API accepts the part: it refuses empty text, and reasoning whose proof is not its own. Reasoning is not
/// part of what was said, so a conversation that began elsewhere goes on without it.
pub(in crate::provider) fn says_something(part: &Part<'_>, maker: Option<Maker>) -> bool {
    let proves = |proof: &str| maker.is_some_and(|maker| signature::of(maker, proof).is_some());
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => !text.trim().is_empty(),
        Content::Reasoning { signature, .. } => signature.as_deref().is_some_and(proves),
        Content::Redacted(data) => proves(data),
        Content::Audio { .. } | Content::Other { .. } => false,
        _ => true,
    }
}

/// A member with one text or with many blocks.
fn content<'p>(to: &mut Object<'_>, name: &str, parts: impl Iterator<Item = &'p Part<'p>> + Clone) {
    let mut first_two = parts.clone();
    match (first_two.next(), first_two.next()) {
        (Some(Part { content: Content::Text(text), cache: None, .. }), None) => to.string(name, text),
        _ => array(to.member(name), parts, block),
    }
}

/// <https://platform.claude.com/docs/en/api/messages>, content blocks
fn block(out: &mut Vec<u8>, part: &Part<'_>) {
    object(out, |block| {
        match &part.content {
            Content::Text(text) | Content::Refusal(text) => {
                block.string("type", "text");
                block.string("text", text);
            }
            Content::ImageUrl(url) => {
                block.string("type", "image");
                block.object("source", |source| {
                    source.string("type", "url");
                    source.string("url", url);
                });
            }
            Content::Image { media_type, data } => {
                block.string("type", "image");
                block.object("source", |source| {
                    source.string("type", "base64");
                    source.string("media_type", media_type);
                    source.string("data", data);
                });
            }
            Content::Reasoning { text, signature } => {
                block.string("type", "thinking");
                block.string("thinking", text);
                block.string("signature", signature.as_deref().unwrap_or_default());
            }
            Content::Redacted(data) => {
                block.string("type", "redacted_thinking");
                block.string("data", data);
            }
            Content::Call { id, name, arguments } => {
                block.string("type", "tool_use");
                block.string("id", &call_id(id));
                block.string("name", name);
                block.raw("input", arguments);
            }
            Content::Document { source, name } => {
                block.string("type", "document");
                block.object("source", |to| match (source, text(source)) {
                    (Source::Url(url), _) => {
                        to.string("type", "url");
                        to.string("url", url);
                    }
                    (Source::File { media_type, data }, None) => {
                        to.string("type", "base64");
                        to.string("media_type", media_type);
                        to.string("data", data);
                    }
                    // In base64 it would have to be a PDF.
                    (_, text) => {
                        to.string("type", "text");
                        to.string("media_type", "text/plain");
                        to.string("data", &text.unwrap_or_default());
                    }
                });
                if let Some(name) = name {
                    block.string("title", name);
                }
            }
            Content::Result { id, parts, outcome } => {
                block.string("type", "tool_result");
                block.string("tool_use_id", &call_id(id));
                let said = parts.iter().filter(|part| says_something(part, None));
                if said.clone().next().is_some() {
                    content(block, "content", said);
                }
                if *outcome == Outcome::Failed {
                    block.raw("is_error", "true");
                }
            }
            // Refused or left out earlier.
            Content::Audio { .. } | Content::Other { .. } => {}
        }
        if let Some(mark) = part.cache {
            block.raw("cache_control", mark.text());
        }
    });
}
