//! A conversation in this API: like OpenAI's, but tool results are documents, documents are beside the messages, and
//! reasoning is a plan or a part of its own.
//!
//! <https://docs.cohere.com/reference/chat>, `messages` and `documents`

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::chat::{Content, Detail, Outcome, Part, Role, Source, Turn};
use weir_hub::codec::json::write::{Object, object};
use weir_hub::fault::Reject;

use crate::provider::To;
use crate::provider::parts::text;

pub(super) struct Conversation<'a> {
    messages: Vec<Message<'a>>,
    /// The documents that the answer may use, in the order of their numbers in citations.
    pub(super) documents: Vec<Document<'a>>,
    thinks: bool,
}

/// One message.
struct Message<'a> {
    role: Role,
    parts: Vec<&'a Part<'a>>,
}

/// A text with a title.
pub(super) struct Document<'a> {
    title: Option<&'a str>,
    text: Cow<'a, str>,
}

impl<'a> Conversation<'a> {
    /// Sorts the turns: each tool result becomes a message of its own and comes first in its turn, and documents are
    /// taken out.
    pub(super) fn of(turns: &'a [Turn<'a>], thinks: bool, to: &mut To<'_>) -> Result<Self, Reject> {
        let mut conversation = Self { messages: Vec::new(), documents: Vec::new(), thinks };
        // The user's messages since the latest answer or result.
        let mut since = Vec::new();
        for turn in turns {
            let mut said = Vec::new();
            for (at, part) in turn.parts.iter().enumerate() {
                expressible(turn, at, part, to);
                match &part.content {
                    Content::Result { .. } => {
                        // The user may have spoken before the result. If no call came before, the messages stay where
                        // they are.
                        if conversation.messages.is_empty() {
                            conversation.messages.append(&mut since);
                        }
                        conversation.messages.push(Message { role: Role::Tool, parts: Vec::from([part]) });
                    }
                    Content::Document { source, name } => {
                        conversation.documents.extend(Document::of(source, name.as_deref()));
                    }
                    _ if says_something(turn.role, part) => said.push(part),
                    _ => {}
                }
            }
            // Reasoning is sent with a call, as its plan, or for a model that reasons. Reasoning alone is not a
            // message.
            if !thinks && !said.iter().any(|part| matches!(part.content, Content::Call { .. })) {
                said.retain(|part| !matches!(part.content, Content::Reasoning { .. }));
            }
            if said.is_empty() {
                continue;
            }
            since.push(Message { role: turn.role, parts: said });
            if matches!(turn.role, Role::Assistant | Role::Tool) {
                conversation.messages.append(&mut since);
            }
        }
        conversation.messages.append(&mut since);
        if conversation.messages.is_empty() {
            return Err(to.invalid("messages", "there must be a message that says something"));
        }
        Ok(conversation)
    }

    pub(super) fn write(&self, body: &mut Object<'_>) {
        body.array("messages", &self.messages, |out, message| {
            object(out, |object| match (message.role, &message.parts[..]) {
                (_, [Part { content: Content::Result { id, parts, outcome }, .. }]) => {
                    object.string("role", "tool");
                    object.string("tool_call_id", id);
                    result(object, parts, *outcome);
                }
                (Role::System, parts) => {
                    object.string("role", "system");
                    content(object, parts);
                }
                (Role::Assistant, parts) => {
                    object.string("role", "assistant");
                    assistant(object, parts, self.thinks);
                }
                (Role::User | Role::Tool, parts) => {
                    object.string("role", "user");
                    content(object, parts);
                }
            });
        });
    }
}

impl<'a> Document<'a> {
    /// `None` if it is not text, which was refused earlier.
    fn of(source: &'a Source<'_>, title: Option<&'a str>) -> Option<Self> {
        Some(Self { title, text: text(source)? })
    }
}

/// One document: its text, under member names that Weir chose.
pub(super) fn document(out: &mut Vec<u8>, document: &Document<'_>) {
    object(out, |out| {
        out.object("data", |data| {
            if let Some(title) = document.title {
                data.string("title", title);
            }
            data.string("text", &document.text);
        });
    });
}

/// Refuses a part of a turn that this API cannot express.
fn expressible(turn: &Turn<'_>, at: usize, part: &Part<'_>, to: &mut To<'_>) {
    let mut refuse = |at: usize, kind: &str| to.unsupported(&To::of_message(turn.at, &format!("content[{at}].{kind}")));
    let file = |source: &Source<'_>| {
        let broken = || Document::of(source, None).is_none();
        if matches!(source, Source::Url(_)) || broken() { Some("file") } else { None }
    };
    match &part.content {
        Content::Audio { .. } => refuse(at, "input_audio"),
        // In this API, only users can show images.
        Content::Image { .. } | Content::ImageUrl(_) if !matches!(turn.role, Role::User | Role::Tool) => {
            refuse(at, "image_url");
        }
        Content::Document { source, .. } => file(source).into_iter().for_each(|kind| refuse(at, kind)),
        Content::Result { parts, .. } => {
            for (at, part) in parts.iter().enumerate() {
                match &part.content {
                    Content::Image { .. } | Content::ImageUrl(_) => refuse(at, "image_url"),
                    Content::Audio { .. } => refuse(at, "input_audio"),
                    Content::Document { source, .. } => {
                        if let Some(kind) = file(source) {
                            refuse(at, kind);
                        }
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// Whether this API accepts the part: it refuses empty messages. Reasoning with a proof, and encrypted reasoning, are
/// another provider's; a conversation that began elsewhere goes on without them.
fn says_something(role: Role, part: &Part<'_>) -> bool {
    match &part.content {
        // Images in other roles were refused or left out earlier.
        Content::Image { .. } | Content::ImageUrl(_) => matches!(role, Role::User | Role::Tool),
        Content::Text(text) | Content::Refusal(text) => !text.is_empty(),
        Content::Reasoning { text, signature } => signature.as_deref().is_none_or(str::is_empty) && !text.is_empty(),
        Content::Redacted(_) | Content::Audio { .. } | Content::Other { .. } => false,
        _ => true,
    }
}

/// The model's message: its plan or its reasoning, its text, its calls.
fn assistant(message: &mut Object<'_>, parts: &[&Part<'_>], thinks: bool) {
    let calls = || parts.iter().filter(|part| matches!(part.content, Content::Call { .. }));
    let thoughts = parts.iter().filter_map(|part| match &part.content {
        Content::Reasoning { text, .. } => Some(&**text),
        _ => None,
    });
    if calls().next().is_some() {
        // A model that does not reason has a plan before it calls a tool.
        let plan: String = thoughts.collect();
        if !thinks && !plan.is_empty() {
            message.string("tool_plan", &plan);
        }
        message.array("tool_calls", calls(), |out, part| {
            let Content::Call { id, name, arguments } = &part.content else { return };
            object(out, |call| {
                call.string("id", id);
                call.string("type", "function");
                call.object("function", |function| {
                    function.string("name", name);
                    function.string("arguments", arguments);
                });
            });
        });
    }
    let said: Vec<_> = parts
        .iter()
        .copied()
        .filter(|part| match part.content {
            Content::Call { .. } => false,
            Content::Reasoning { .. } => thinks,
            _ => true,
        })
        .collect();
    if !said.is_empty() {
        content(message, &said);
    }
}

/// The member `content`: one text or many parts.
fn content(message: &mut Object<'_>, parts: &[&Part<'_>]) {
    if let [Part { content: Content::Text(text) | Content::Refusal(text), .. }] = parts {
        message.string("content", text);
        return;
    }
    message.array("content", parts, |out, part| {
        object(out, |object| match &part.content {
            Content::Text(text) | Content::Refusal(text) => {
                object.string("type", "text");
                object.string("text", text);
            }
            Content::Reasoning { text, .. } => {
                object.string("type", "thinking");
                object.string("thinking", text);
            }
            Content::ImageUrl(url) => {
                object.string("type", "image_url");
                object.object("image_url", |image| {
                    image.string("url", url);
                    look(part, image);
                });
            }
            Content::Image { media_type, data } => {
                object.string("type", "image_url");
                object.object("image_url", |image| {
                    image.string("url", &format!("data:{media_type};base64,{data}"));
                    look(part, image);
                });
            }
            // Written elsewhere, refused or left out earlier.
            _ => {}
        });
    });
}

/// How closely to look at an image, if this API can express it.
fn look(part: &Part<'_>, image: &mut Object<'_>) {
    if let Some(detail) = part.detail {
        image.string("detail", if detail == Detail::Low { "low" } else { "high" });
    }
}

/// A tool's result, as the member `content`.
fn result(message: &mut Object<'_>, parts: &[Part<'_>], outcome: Outcome) {
    let words = |part: &Part<'_>| match &part.content {
        Content::Text(text) | Content::Refusal(text) => Some(String::from(&**text)),
        _ => None,
    };
    if outcome == Outcome::Failed {
        // This API has no flag for a failed result. But results are documents, and a document's members have names.
        let words: String = parts.iter().filter_map(words).collect();
        message.array("content", [words], |out, words| {
            object(out, |part| {
                part.string("type", "document");
                part.object("document", |document| document.object("data", |data| data.string("error", &words)));
            });
        });
        return;
    }
    let parts: Vec<_> = parts.iter().filter(|part| words(part).is_some() || is_document(part)).collect();
    match &parts[..] {
        [] => message.string("content", ""),
        [Part { content: Content::Text(text), .. }] => message.string("content", text),
        parts => message.array("content", parts, |out, part| {
            object(out, |object| {
                if let Some(text) = words(part) {
                    object.string("type", "text");
                    object.string("text", &text);
                } else if let Content::Document { source, name } = &part.content
                    && let Some(source) = Document::of(source, name.as_deref())
                {
                    object.string("type", "document");
                    document(object.member("document"), &source);
                }
            });
        }),
    }
}

fn is_document(part: &Part<'_>) -> bool {
    matches!(&part.content, Content::Document { source, .. } if Document::of(source, None).is_some())
}
