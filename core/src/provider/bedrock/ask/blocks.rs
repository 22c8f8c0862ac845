//! The parts of a turn as content blocks.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html>

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use weir_hub::chat::{Content, Outcome, Part, Role, Source};
use weir_hub::codec::json::write::{Object, object};
use weir_hub::dialect::anthropic::call_id;

use super::{Keeps, cache_point};
use crate::provider::anthropic::ask::conversation::says_something;

/// Writes the blocks of one request.
pub(super) struct Blocks {
    keeps: Keeps,
    /// How many documents there were; each must have another name.
    documents: usize,
}

impl Blocks {
    pub(super) fn new(keeps: Keeps) -> Self {
        Self { keeps, documents: 0 }
    }

    /// Appends an array of blocks. A cache mark is a block of its own, after the part that has it.
    pub(super) fn write<'p>(&mut self, out: &mut Vec<u8>, parts: impl Iterator<Item = &'p Part<'p>>) {
        let mut comma = b'[';
        let mut next = |out: &mut Vec<u8>| out.push(core::mem::replace(&mut comma, b','));
        for part in parts {
            next(out);
            object(out, |object| self.block(object, &part.content));
            if let Some(mark) = mark(part).filter(|_| self.keeps != Keeps::Nothing) {
                next(out);
                cache_point(out, mark, self.keeps);
            }
        }
        if comma == b'[' {
            out.push(b'[');
        }
        out.push(b']');
    }

    fn block(&mut self, block: &mut Object<'_>, content: &Content<'_>) {
        match content {
            Content::Text(text) | Content::Refusal(text) => block.string("text", text),
            Content::Image { media_type, data } => block.object("image", |image| {
                image.string("format", image_format(media_type).unwrap_or_default());
                image.object("source", |source| source.string("bytes", data));
            }),
            Content::Document { source, name } => {
                self.documents += 1;
                let name = document_name(name.as_deref(), self.documents);
                block.object("document", |document| {
                    document.string("format", document_format(source).unwrap_or_default());
                    document.string("name", &name);
                    document.object("source", |to| match source {
                        Source::File { data, .. } => to.string("bytes", data),
                        Source::Text(text) => to.string("bytes", &STANDARD.encode(&**text)),
                        // Refused earlier.
                        Source::Url(_) => {}
                    });
                });
            }
            Content::Reasoning { text, signature } => block.object("reasoningContent", |reasoning| {
                reasoning.object("reasoningText", |to| {
                    to.string("text", text);
                    to.string("signature", signature.as_deref().unwrap_or_default());
                });
            }),
            Content::Redacted(data) => {
                block.object("reasoningContent", |reasoning| reasoning.string("redactedContent", data));
            }
            Content::Call { id, name, arguments } => block.object("toolUse", |call| {
                call.string("toolUseId", &tool_use_id(id));
                call.string("name", name);
                call.raw("input", arguments);
            }),
            Content::Result { id, parts, outcome } => block.object("toolResult", |result| {
                result.string("toolUseId", &tool_use_id(id));
                // A mark inside a result would not be a block of a message, so it follows the result.
                let keeps = core::mem::replace(&mut self.keeps, Keeps::Nothing);
                self.write(result.member("content"), parts.iter().filter(|part| says_something(part, None)));
                self.keeps = keeps;
                if *outcome == Outcome::Failed {
                    result.string("status", "error");
                }
            }),
            // Refused or left out earlier.
            Content::ImageUrl(_) | Content::Audio { .. } | Content::Other { .. } => {}
        }
    }
}

/// The cache mark of a part, or of the last part inside it that has one.
fn mark<'p>(part: &'p Part<'p>) -> Option<weir_hub::codec::json::Raw<'p>> {
    part.cache.or_else(|| match &part.content {
        Content::Result { parts, .. } => parts.iter().rev().find_map(|part| part.cache),
        _ => None,
    })
}

/// The name of a part that this API cannot express: nothing is fetched from a URL, and only users and their tools can
/// show things.
pub(super) fn lacks(role: Role, content: &Content<'_>) -> Option<&'static str> {
    let shows = matches!(role, Role::User | Role::Tool);
    match content {
        Content::ImageUrl(_) => Some("image_url"),
        Content::Image { media_type, .. } if !shows || image_format(media_type).is_none() => Some("image_url"),
        Content::Document { source, .. } if !shows || document_format(source).is_none() => Some("file"),
        _ => None,
    }
}

fn image_format(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "image/png" => "png",
        "image/jpeg" => "jpeg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        _ => return None,
    })
}

fn document_format(source: &Source<'_>) -> Option<&'static str> {
    let media_type = match source {
        Source::File { media_type, .. } => &**media_type,
        Source::Text(_) => "text/plain",
        Source::Url(_) => return None,
    };
    Some(match media_type {
        "application/pdf" => "pdf",
        "text/csv" => "csv",
        "text/html" => "html",
        "text/plain" => "txt",
        "text/markdown" => "md",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        _ => return None,
    })
}

/// A name with only allowed characters. Its number makes it different from other documents' names.
fn document_name(name: Option<&str>, number: usize) -> String {
    let name = name.unwrap_or_default();
    // The format already says what the file extension would.
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let mut clean = String::new();
    for c in stem.chars() {
        let allowed = c.is_ascii_alphanumeric() || matches!(c, '-' | '(' | ')' | '[' | ']');
        let c = if allowed || c == ' ' { c } else { '-' };
        if c != ' ' || !clean.ends_with(' ') {
            clean.push(c);
        }
    }
    let clean = match clean.trim() {
        "" => "document",
        clean => clean,
    };
    // The limit is 200 characters.
    let clean = clean.get(..190).unwrap_or(clean).trim();
    if number == 1 { clean.into() } else { format!("{clean} ({number})") }
}

/// A call's id with only the characters and the length that this API allows. Conversations that began elsewhere have
/// others.
fn tool_use_id(id: &str) -> Cow<'_, str> {
    let clean = call_id(id);
    if clean.len() <= 64 {
        return clean;
    }
    Cow::Owned(URL_SAFE_NO_PAD.encode(Sha256::digest(id.as_bytes())))
}
