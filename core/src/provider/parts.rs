//! Parts of messages: leaves out those that an upstream has no place for, and reads documents that are text.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use weir_hub::chat::{Chat, Content, Role, Source};

use super::To;

/// `chat` without the parts that an upstream has no place for. For such a part in a message of this role, `lacks` gives
/// its name. Each is refused by that name, or noted if it may be left out.
pub(super) fn without<'c, 'a>(
    chat: &'c Chat<'a>,
    to: &mut To<'_>,
    lacks: impl Fn(Role, &Content<'_>) -> Option<&'static str>,
) -> Cow<'c, Chat<'a>> {
    let mut found = false;
    for turn in &chat.turns {
        for (at, part) in turn.parts.iter().enumerate() {
            // In OpenAI's API, a result is the content of its message, or a part of it.
            let (parts, first) = match &part.content {
                Content::Result { parts, .. } => (&parts[..], 0),
                _ => (core::slice::from_ref(part), at),
            };
            for (part, at) in parts.iter().zip(first..) {
                if let Some(kind) = lacks(turn.role, &part.content) {
                    to.unsupported(&To::of_message(turn.at, &format!("content[{at}].{kind}")));
                    found = true;
                }
            }
        }
    }
    if !found {
        return Cow::Borrowed(chat);
    }
    let mut chat = chat.clone();
    for turn in &mut chat.turns {
        let role = turn.role;
        turn.parts.retain(|part| lacks(role, &part.content).is_none());
        for part in &mut turn.parts {
            if let Content::Result { parts, .. } = &mut part.content {
                parts.retain(|part| lacks(role, &part.content).is_none());
            }
        }
    }
    Cow::Owned(chat)
}

/// The text of a document; `None` if it is not text.
pub(super) fn text<'s>(source: &'s Source<'_>) -> Option<Cow<'s, str>> {
    match source {
        Source::Text(text) => Some(Cow::Borrowed(&**text)),
        Source::File { media_type, data } if is_text(media_type) => {
            Some(Cow::Owned(String::from_utf8(STANDARD.decode(&**data).ok()?).ok()?))
        }
        Source::File { .. } | Source::Url(_) => None,
    }
}

fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/") || matches!(media_type, "application/json" | "application/xml")
}
