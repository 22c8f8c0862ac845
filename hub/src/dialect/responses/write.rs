//! What streams and whole answers have in common: the response object, and the items of its output.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::tools::{Special, Takes, input};
use crate::call::ReplyStart;
use crate::codec::json::write::{Object, escaped, number, object};
use crate::codec::json::{Collected, Raw, Str};
use crate::piece::{Block, Cited, Finish};
use crate::signature::spelled_out;
use crate::usage::Usage;

/// Marks reasoning that only the provider can read, in the place of a proof of reasoning.
pub(super) const REDACTED: &str = "redacted~";

/// How far an item, or the whole response, has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    Completed,
    /// The token limit was reached, or the provider's policy ended it.
    Incomplete,
}

impl Status {
    pub(super) const fn after(finish: Option<Finish>) -> Self {
        match finish {
            Some(Finish::Length | Finish::ContextWindow | Finish::ContentFilter) => Self::Incomplete,
            _ => Self::Completed,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
        }
    }
}

/// What every object of a response needs to know.
pub(super) struct Response {
    /// The provider's id of the answer, without the prefix that says what kind of id it is.
    name: String,
    model: String,
    created: u64,
    echo: String,
    special: Special,
}

impl Response {
    pub(super) fn new(start: &ReplyStart<'_>) -> Self {
        let echo = Raw::parse(start.echo).and_then(|echo| echo.get("tools"));
        Self {
            name: String::new(),
            model: String::new(),
            created: start.created,
            echo: start.echo.to_owned(),
            special: echo.map_or_else(Special::default, Special::of),
        }
    }

    /// Sets the answer's id and its model, as the provider names them.
    pub(super) fn named(&mut self, id: &str, model: &str) {
        let kinds = ["resp_", "msg_", "chatcmpl-", "cmpl-", "gen-"];
        let name = kinds.into_iter().find_map(|kind| id.strip_prefix(kind)).unwrap_or(id);
        (self.name, self.model) = (name.to_owned(), model.to_owned());
    }

    /// A member with the id of the item at `at`.
    pub(super) fn id(&self, name: &str, kind: &str, at: u64, to: &mut Object<'_>) {
        let out = to.member(name);
        out.push(b'"');
        out.extend_from_slice(kind.as_bytes());
        out.push(b'_');
        escaped(out, &self.name);
        out.push(b'_');
        number(out, at);
        out.push(b'"');
    }

    /// The response object. `output` has its items, with commas between them. The usage is known when the response is
    /// over.
    pub(super) fn write(
        &self,
        status: Status,
        finish: Option<Finish>,
        output: &[u8],
        usage: Option<&Usage>,
        out: &mut Vec<u8>,
    ) {
        object(out, |response| {
            let id = response.member("id");
            id.extend_from_slice(b"\"resp_");
            escaped(id, &self.name);
            id.push(b'"');
            response.string("object", "response");
            response.number("created_at", self.created);
            response.string("status", status.name());
            response.raw("background", "false");
            response.raw("error", "null");
            match finish.filter(|_| status == Status::Incomplete) {
                Some(finish) => response.object("incomplete_details", |details| {
                    let filtered = finish == Finish::ContentFilter;
                    details.string("reason", if filtered { "content_filter" } else { "max_output_tokens" });
                }),
                None => response.raw("incomplete_details", "null"),
            }
            let echo = self.echo.strip_prefix('{').and_then(|echo| echo.strip_suffix('}')).unwrap_or_default();
            response.members(echo);
            response.string("model", &self.model);
            list(response.member("output"), output);
            response.raw("previous_response_id", "null");
            response.raw("store", "false");
            match usage {
                Some(usage) => response.object("usage", |to| write_usage(usage, to)),
                None => response.raw("usage", "null"),
            }
        });
    }

    /// The item made of `blocks`: one block, or all parts of a message.
    pub(super) fn item(&self, at: u64, blocks: &[Block], status: Status, logprobs: &[u8], out: &mut Vec<u8>) {
        object(out, |item| match blocks {
            [Block::Reasoning { text, signature, .. }] => {
                item.string("type", "reasoning");
                self.id("id", "rs", at, item);
                let summary = (!text.is_empty()).then_some(text);
                item.array("summary", summary, |out, text| summary_text(text.get(), out));
                if let Some(proof) = signature {
                    encrypted(item, "", proof);
                }
            }
            [Block::Redacted { data, .. }] => {
                item.string("type", "reasoning");
                self.id("id", "rs", at, item);
                item.raw("summary", "[]");
                encrypted(item, REDACTED, data);
            }
            [Block::Call { id, name, arguments }] => self.call(at, [id, name, arguments], status, item),
            [Block::Image { media_type, data }] => {
                item.string("type", "image_generation_call");
                self.id("id", "ig", at, item);
                item.string("status", status.name());
                let media_type = media_type.text();
                let format = media_type.strip_prefix("image/");
                if let Some(format) = format.filter(|format| matches!(*format, "png" | "jpeg" | "webp" | "gif")) {
                    item.string("output_format", format);
                }
                match status {
                    Status::InProgress => item.raw("result", "null"),
                    _ => item.str("result", data.get()),
                }
            }
            parts => {
                item.string("type", "message");
                self.id("id", "msg", at, item);
                item.string("status", status.name());
                item.string("role", "assistant");
                let first = parts.iter().position(|part| matches!(part, Block::Text { .. }));
                item.array("content", parts.iter().enumerate(), |out, (index, block)| {
                    part(block, if first == Some(index) { logprobs } else { &[] }, out);
                });
            }
        });
    }

    fn call(&self, at: u64, [id, name, arguments]: [&Collected; 3], status: Status, item: &mut Object<'_>) {
        let known = self.special.get(name.get());
        let takes = known.map_or(Takes::Arguments, |known| known.kind);
        item.string("type", if takes == Takes::Input { "custom_tool_call" } else { "function_call" });
        self.id("id", prefix(takes), at, item);
        match (takes, status) {
            (Takes::Arguments, _) => {
                item.string("status", status.name());
                item.str("arguments", arguments.get());
            }
            (Takes::Input, Status::InProgress) => item.string("input", ""),
            (Takes::Input, _) => input(arguments, |input| item.str("input", input)),
        }
        item.str("call_id", id.get());
        match known {
            Some(known) => {
                item.string("name", &known.name);
                if let Some(namespace) = &known.namespace {
                    item.string("namespace", namespace);
                }
            }
            None => item.str("name", name.get()),
        }
    }

    /// What the tool called `name` takes.
    pub(super) fn takes(&self, name: Str<'_>) -> Takes {
        self.special.get(name).map_or(Takes::Arguments, |known| known.kind)
    }
}

/// The prefix of such calls' ids.
pub(super) const fn prefix(takes: Takes) -> &'static str {
    match takes {
        Takes::Arguments => "fc",
        Takes::Input => "ctc",
    }
}

/// Whether a block is a part of a message, and not an item of its own.
pub(super) const fn is_part(block: &Block) -> bool {
    matches!(block, Block::Text { .. } | Block::Refusal(_))
}

/// A part of a message.
pub(super) fn part(block: &Block, logprobs: &[u8], out: &mut Vec<u8>) {
    object(out, |part| match block {
        Block::Text { text, citations } => {
            part.string("type", "output_text");
            part.array("annotations", citations, |out, citation| annotation(citation, out));
            list(part.member("logprobs"), logprobs);
            part.str("text", text.get());
        }
        Block::Refusal(words) => {
            part.string("type", "refusal");
            part.str("refusal", words.get());
        }
        _ => {}
    });
}

/// `items`, which have commas between them, as an array.
pub(super) fn list(out: &mut Vec<u8>, items: &[u8]) {
    out.push(b'[');
    out.extend_from_slice(items);
    out.push(b']');
}

/// A part of a reasoning item's summary.
pub(super) fn summary_text(text: Str<'_>, out: &mut Vec<u8>) {
    object(out, |part| {
        part.string("type", "summary_text");
        part.str("text", text);
    });
}

/// The source of a text: a web page, or a document of the request, which has no id in any store.
pub(super) fn annotation(citation: &Cited, out: &mut Vec<u8>) {
    let text =
        |text: &Option<Collected>, out: &mut Vec<u8>| text.as_ref().map_or(Str::EMPTY, Collected::get).write(out);
    object(out, |to| {
        if citation.url.is_some() {
            to.string("type", "url_citation");
            text(&citation.url, to.member("url"));
            text(&citation.title, to.member("title"));
            to.number("start_index", citation.start.unwrap_or(0));
            to.number("end_index", citation.end.unwrap_or(0));
        } else {
            to.string("type", "file_citation");
            to.string("file_id", "");
            text(&citation.title, to.member("filename"));
            to.number("index", citation.end.unwrap_or(0));
            if let Some(document) = citation.document {
                to.number("document_index", document);
            }
        }
        if let Some(cited) = &citation.cited {
            to.str("cited_text", cited.get());
        }
    });
}

fn encrypted(item: &mut Object<'_>, mark: &str, proof: &Collected) {
    let out = item.member("encrypted_content");
    let proof = proof.get();
    out.push(b'"');
    out.extend_from_slice(mark.as_bytes());
    out.extend_from_slice(spelled_out(proof.written()).as_bytes());
    proof.write_inside(out);
    out.push(b'"');
}

pub(super) fn write_usage(usage: &Usage, to: &mut Object<'_>) {
    to.number("input_tokens", usage.input);
    to.object("input_tokens_details", |details| {
        details.number("cached_tokens", usage.cached_read);
        details.number("cache_write_tokens", usage.cache_write);
    });
    to.number("output_tokens", usage.output);
    to.object("output_tokens_details", |details| details.number("reasoning_tokens", usage.reasoning));
    to.number("total_tokens", usage.input.saturating_add(usage.output));
}

/// Appends items to the items of an array.
pub(super) fn append(items: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    if !items.is_empty() {
        items.push(b',');
    }
    write(items);
}
