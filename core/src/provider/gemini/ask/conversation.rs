//! A conversation in this API: one system instruction, then alternating turns of user and model.
//!
//! <https://ai.google.dev/api/caching#Part>, <https://ai.google.dev/gemini-api/docs/file-input-methods>,
//! <https://ai.google.dev/gemini-api/docs/thought-signatures>

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use weir_hub::chat::{Content, Detail, Outcome, Role, Source, Turn};
use weir_hub::codec::json::write::{Object, array, object, string};
use weir_hub::fault::Reject;
use weir_hub::signature::{self, Maker};

use super::super::Host;
use super::super::model::Model;
use super::level;
use crate::provider::To;
use crate::provider::gemini::reply::proof_of_call;

/// Replaces the signature of a call that another model or an application made.
///
/// <https://ai.google.dev/gemini-api/docs/thought-signatures#faqs>
const UNSIGNED: &str = "skip_thought_signature_validator";

pub(super) struct Conversation<'a> {
    system: Vec<&'a str>,
    turns: Vec<(Role, Vec<Said<'a>>)>,
}

/// A part in this API.
struct Said<'a> {
    what: What<'a>,
    signature: Option<&'a str>,
    /// How closely to look at it.
    detail: Option<Detail>,
}

enum What<'a> {
    Text(&'a str),
    Inline(Inline<'a>),
    File { media_type: Option<&'static str>, uri: &'a str },
    Call { id: Option<&'a str>, name: &'a str, arguments: &'a str },
    Result { id: Option<&'a str>, name: &'a str, texts: Vec<&'a str>, media: Vec<Inline<'a>>, outcome: Outcome },
}

struct Inline<'a> {
    media_type: Cow<'a, str>,
    data: &'a str,
}

/// The tool of the latest call with each id.
type Called<'a> = BTreeMap<&'a str, &'a str>;

impl<'a> Conversation<'a> {
    /// Sorts the turns. System messages, wherever they are, go into the system instruction in order. Tool results
    /// belong to the user and come first in the turn. Neighbours with the same role become one turn.
    pub(super) fn of(turns: &'a [Turn<'a>], model: Model, host: Host, to: &mut To<'_>) -> Result<Self, Reject> {
        let mut reading = Reading { model, host, called: Called::new() };
        let mut system = Vec::new();
        let mut merged: Vec<(Role, Vec<Said<'_>>)> = Vec::new();
        if turns.iter().flat_map(|turn| &turn.parts).any(|part| part.cache.is_some()) {
            to.hint("messages.cache_control");
        }
        for turn in turns {
            let (role, said) = match turn.role {
                Role::System => {
                    instruct(turn, &mut system, to);
                    continue;
                }
                Role::User | Role::Tool => (Role::User, reading.person(turn, to)?),
                Role::Assistant => (Role::Assistant, reading.model(turn, to)?),
            };
            match merged.last_mut() {
                Some((last, parts)) if *last == role => parts.extend(said),
                _ if !said.is_empty() => merged.push((role, said)),
                _ => {}
            }
        }
        if merged.is_empty() {
            let problem = "there must be a message other than 'system' that says something";
            return Err(to.invalid("messages", problem));
        }
        for (_, parts) in merged.iter_mut().filter(|(role, _)| *role == Role::User) {
            parts.sort_by_key(|part| !matches!(part.what, What::Result { .. }));
        }
        Ok(Self { system, turns: merged })
    }

    pub(super) fn write(&self, body: &mut Object<'_>) {
        if !self.system.is_empty() {
            body.object("systemInstruction", |system| {
                system.array("parts", &self.system, |out, text| object(out, |part| part.string("text", text)));
            });
        }
        body.array("contents", &self.turns, |out, (role, parts)| {
            object(out, |turn| {
                turn.string("role", if *role == Role::Assistant { "model" } else { "user" });
                turn.array("parts", parts, part);
            });
        });
    }
}

/// Adds a system message, which must be text in this API.
fn instruct<'a>(turn: &'a Turn<'a>, system: &mut Vec<&'a str>, to: &mut To<'_>) {
    for (at, part) in turn.parts.iter().enumerate() {
        match &part.content {
            Content::Text(text) if text.is_empty() => {}
            Content::Text(text) => system.push(text),
            Content::Other { .. } => {}
            _ => to.unsupported(&To::of_message(turn.at, &format!("content[{at}]"))),
        }
    }
}

struct Reading<'a> {
    model: Model,
    host: Host,
    called: Called<'a>,
}

impl<'a> Reading<'a> {
    /// A turn of the model. A signature goes to the call that it names, else to the part that follows it.
    fn model(&mut self, turn: &'a Turn<'a>, to: &mut To<'_>) -> Result<Vec<Said<'a>>, Reject> {
        let mut said: Vec<Said<'_>> = Vec::new();
        let mut signature = None;
        let mut of_calls = BTreeMap::new();
        let mut calls = 0;
        for (at, part) in turn.parts.iter().enumerate() {
            let what = match &part.content {
                // Its text is a summary, which the model does not accept back.
                Content::Reasoning { signature: proof, .. } => {
                    let proof = proof.as_deref().and_then(|proof| signature::of(Maker::Gemini, proof));
                    match proof.map(proof_of_call) {
                        Some((Some(call), proof)) => _ = of_calls.entry(call).or_insert(proof),
                        Some((None, proof)) => signature = Some(proof),
                        None => {}
                    }
                    continue;
                }
                Content::Text(text) | Content::Refusal(text) if text.is_empty() => continue,
                Content::Text(text) | Content::Refusal(text) => What::Text(text),
                Content::Call { id, name, arguments } => {
                    self.called.insert(id, name);
                    let id = self.id(id);
                    signature = of_calls.get(&calls).copied().or(signature);
                    if signature.is_none() && calls == 0 && self.model.wants_signatures() {
                        signature = Some(UNSIGNED);
                    }
                    calls += 1;
                    What::Call { id, name, arguments }
                }
                content => match self.media(content, turn.at, at, to)? {
                    Some(what) => what,
                    None => continue,
                },
            };
            said.push(Said { what, signature: signature.take(), detail: None });
        }
        // The last signature of a stream comes after all text.
        if let Some(proof) = signature {
            said.push(Said { what: What::Text(""), signature: Some(proof), detail: None });
        }
        Ok(said)
    }

    /// A turn of the user, or tool results.
    fn person(&self, turn: &'a Turn<'a>, to: &mut To<'_>) -> Result<Vec<Said<'a>>, Reject> {
        let mut said = Vec::new();
        for (at, part) in turn.parts.iter().enumerate() {
            let what = match &part.content {
                Content::Text(text) if text.is_empty() => continue,
                Content::Text(text) => What::Text(text),
                Content::Result { id, parts, outcome } => {
                    let Some(name) = self.called.get(&**id).copied() else {
                        let problem = "no message before has a call of this id";
                        return Err(to.invalid(&To::of_message(turn.at, "tool_call_id"), problem));
                    };
                    let mut result = Vec::new();
                    for part in parts {
                        match &part.content {
                            Content::Text(text) => result.push(What::Text(text)),
                            content => result.extend(self.media(content, turn.at, at, to)?),
                        }
                    }
                    let (mut texts, mut media, mut beside) = (Vec::new(), Vec::new(), Vec::new());
                    for what in result {
                        match what {
                            What::Text(text) => texts.push(text),
                            What::Inline(inline) if self.model.has_rich_results() => media.push(inline),
                            // A result has no place for it, so it goes beside the result.
                            what => beside.push(Said { what, signature: None, detail: None }),
                        }
                    }
                    let what = What::Result { id: self.id(id), name, texts, media, outcome: *outcome };
                    said.push(Said { what, signature: None, detail: None });
                    said.append(&mut beside);
                    continue;
                }
                content => match self.media(content, turn.at, at, to)? {
                    Some(what) => what,
                    None => continue,
                },
            };
            let detail = part.detail.filter(|_| self.model.looks_at_each());
            said.push(Said { what, signature: None, detail });
        }
        Ok(said)
    }

    /// A call's id, if the API has ids.
    fn id(&self, id: &'a str) -> Option<&'a str> {
        (self.host == Host::GoogleAi && self.model.has_rich_results()).then_some(id)
    }

    /// Images, documents and audio.
    fn media(
        &self,
        content: &'a Content<'a>,
        message: usize,
        at: usize,
        to: &mut To<'_>,
    ) -> Result<Option<What<'a>>, Reject> {
        let field = |name: &str| To::of_message(message, &format!("content[{at}].{name}"));
        let inline = |media_type: Cow<'a, str>, data| What::Inline(Inline { media_type, data });
        Ok(Some(match content {
            Content::Image { media_type, data } => inline(Cow::Borrowed(media_type), data),
            Content::ImageUrl(url) => return Ok(self.file(url, &field("image_url.url"), to)),
            Content::Audio { format, data } => inline(Cow::Owned(format!("audio/{format}")), data),
            Content::Document { source, name } => {
                if name.is_some() {
                    to.hint(&field("file.filename"));
                }
                match source {
                    Source::File { media_type, data } => inline(Cow::Borrowed(media_type), data),
                    Source::Text(text) => What::Text(text),
                    Source::Url(url) => return Ok(self.file(url, &field("file"), to)),
                }
            }
            // Refused earlier, or nothing that users send.
            _ => return Ok(None),
        }))
    }

    /// A file at a URL, which the API fetches.
    fn file(&self, url: &'a str, field: &str, to: &mut To<'_>) -> Option<What<'a>> {
        let own = ["https://generativelanguage.googleapis.com/", "https://www.youtube.com/", "gs://"];
        let media_type = media_type(url);
        let is_read = match self.host {
            Host::GoogleAi => self.model.reads_the_web() || own.iter().any(|own| url.starts_with(own)),
            // Vertex must be told the type.
            Host::Vertex => media_type.is_some(),
        };
        if !is_read {
            to.unsupported(field);
            return None;
        }
        Some(What::File { media_type, uri: url })
    }
}

/// The media type of a file at a URL, judged by its extension.
fn media_type(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let (_, ending) = path.rsplit_once('/').unwrap_or(("", path)).1.rsplit_once('.')?;
    Some(match &*ending.to_ascii_lowercase() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "csv" => "text/csv",
        "html" => "text/html",
        "md" => "text/md",
        "mp3" => "audio/mp3",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "mpeg" | "mpg" => "video/mpeg",
        "mov" => "video/mov",
        "webm" => "video/webm",
        _ => return None,
    })
}

fn part(out: &mut Vec<u8>, said: &Said<'_>) {
    object(out, |part| {
        match &said.what {
            What::Text(text) => part.string("text", text),
            What::Inline(data) => inline(part, data),
            What::File { media_type, uri } => part.object("fileData", |file| {
                if let Some(media_type) = media_type {
                    file.string("mimeType", media_type);
                }
                file.string("fileUri", uri);
            }),
            What::Call { id, name, arguments } => part.object("functionCall", |call| {
                if let Some(id) = id {
                    call.string("id", id);
                }
                call.string("name", name);
                call.raw("args", arguments);
            }),
            What::Result { id, name, texts, media, outcome } => part.object("functionResponse", |result| {
                if let Some(id) = id {
                    result.string("id", id);
                }
                result.string("name", name);
                result.object("response", |response| {
                    let to = response.member(if *outcome == Outcome::Failed { "error" } else { "output" });
                    match texts.as_slice() {
                        [] => string(to, ""),
                        [text] => string(to, text),
                        texts => array(to, texts, |out, text| string(out, text)),
                    }
                });
                if !media.is_empty() {
                    result.array("parts", media, |out, data| object(out, |part| inline(part, data)));
                }
            }),
        }
        if let Some(detail) = said.detail {
            part.object("mediaResolution", |to| to.string("level", level(detail)));
        }
        if let Some(signature) = said.signature {
            part.string("thoughtSignature", signature);
        }
    });
}

fn inline(part: &mut Object<'_>, inline: &Inline<'_>) {
    part.object("inlineData", |data| {
        data.string("mimeType", &inline.media_type);
        data.string("data", inline.data);
    });
}
