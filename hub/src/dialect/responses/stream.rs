//! Writes an answer as the events of a stream, from `response.created` to `response.completed`.
//!
//! An item is closed when another begins, except for calls. Several calls may be written at once, so they stay open
//! until something else comes.

use alloc::vec;
use alloc::vec::Vec;
use core::mem::take;

use super::tools::{Takes, input};
use super::write::{Response, Status, annotation, append, list, part, prefix, summary_text};
use crate::call::ReplyStart;
use crate::codec::json::write::{Object, object};
use crate::codec::json::{Collected, Str};
use crate::dialect::Writer;
use crate::piece::{Block, Cited, Finish, Piece};
use crate::usage::Usage;

pub(super) struct Stream {
    response: Response,
    events: Events,
    /// How many items have begun.
    begun: u64,
    open: Vec<Open>,
    /// The complete items, with commas between them.
    output: Vec<u8>,
    finish: Option<Finish>,
    /// The pieces belong to another alternative, which callers cannot ask for in this API.
    elsewhere: bool,
}

/// An item that is being written.
struct Open {
    at: u64,
    /// A message's parts, the last of which is being written; for any other item, its one block.
    blocks: Vec<Block>,
    /// Items of a message's log probabilities, with commas between them.
    logprobs: Vec<u8>,
    /// The number of the call in the answer, and what its tool takes.
    call: Option<(u32, Takes)>,
}

/// Writes events and numbers them.
struct Events(u64);

impl Events {
    fn write(&mut self, kind: &str, out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        object(out, |event| {
            event.string("type", kind);
            event.number("sequence_number", self.0);
            write(event);
        });
        out.extend_from_slice(b"\n\n");
        self.0 += 1;
    }
}

impl Stream {
    pub(super) fn new(start: &ReplyStart<'_>) -> Self {
        Self {
            response: Response::new(start),
            events: Events(0),
            begun: 0,
            open: Vec::new(),
            output: Vec::new(),
            finish: None,
            elsewhere: false,
        }
    }

    /// Begins an item, which has `blocks` so far.
    fn begin(&mut self, blocks: Vec<Block>, call: Option<(u32, Takes)>, out: &mut Vec<u8>) {
        let Self { response, events, begun, .. } = self;
        let at = *begun;
        *begun += 1;
        events.write("response.output_item.added", out, |event| {
            event.number("output_index", at);
            response.item(at, &blocks, Status::InProgress, &[], event.member("item"));
        });
        self.open.push(Open { at, blocks, logprobs: Vec::new(), call });
    }

    /// Goes on with a message whose last part is of the same kind as `empty`; begins either if needed.
    fn message(&mut self, empty: Block, out: &mut Vec<u8>) {
        let of_kind = |block: &Block| core::mem::discriminant(block) == core::mem::discriminant(&empty);
        match self.open.last() {
            Some(open) if open.blocks.last().is_some_and(of_kind) => return,
            Some(open) if open.blocks.iter().any(super::write::is_part) => self.close_part(out),
            _ => {
                self.close(Status::Completed, out);
                self.begin(Vec::new(), None, out);
            }
        }
        let Self { response, events, open, .. } = self;
        let Some(open) = open.last_mut() else { return };
        events.write("response.content_part.added", out, |event| {
            place(response, "msg", open, event);
            event.number("content_index", open.blocks.len() as u64);
            part(&empty, &[], event.member("part"));
        });
        open.blocks.push(empty);
    }

    /// Goes on with the block of reasoning numbered `block`; begins it if needed.
    fn reasoning(&mut self, block: u32, out: &mut Vec<u8>) {
        let last = self.open.last().and_then(|open| open.blocks.last());
        if !matches!(last, Some(Block::Reasoning { block: last, .. }) if *last == block) {
            self.close(Status::Completed, out);
            self.begin(vec![Block::Reasoning { text: Collected::default(), signature: None, block }], None, out);
        }
    }

    fn say(&mut self, more: Str<'_>, out: &mut Vec<u8>) {
        let Self { response, events, open, .. } = self;
        let Some(open) = open.last_mut() else { return };
        let (at, content) = (open.at, open.blocks.len().saturating_sub(1) as u64);
        let (kind, is_text) = match open.blocks.last_mut() {
            Some(Block::Text { text, .. }) => {
                text.push(more);
                ("response.output_text.delta", true)
            }
            Some(Block::Refusal(words)) => {
                words.push(more);
                ("response.refusal.delta", false)
            }
            _ => return,
        };
        events.write(kind, out, |event| {
            response.id("item_id", "msg", at, event);
            event.number("output_index", at);
            event.number("content_index", content);
            event.str("delta", more);
            if is_text {
                event.raw("logprobs", "[]");
            }
        });
    }

    fn think(&mut self, more: Str<'_>, out: &mut Vec<u8>) {
        let Self { response, events, open, .. } = self;
        let Some(Open { at, blocks, .. }) = open.last_mut() else { return };
        let Some(Block::Reasoning { text, .. }) = blocks.last_mut() else { return };
        if text.is_empty() {
            events.write("response.reasoning_summary_part.added", out, |event| {
                response.id("item_id", "rs", *at, event);
                event.number("output_index", *at);
                event.number("summary_index", 0);
                summary_text(Str::EMPTY, event.member("part"));
            });
        }
        text.push(more);
        events.write("response.reasoning_summary_text.delta", out, |event| {
            response.id("item_id", "rs", *at, event);
            event.number("output_index", *at);
            event.number("summary_index", 0);
            event.str("delta", more);
        });
    }

    fn argue(&mut self, index: u32, more: Str<'_>, out: &mut Vec<u8>) {
        let Self { response, events, open, .. } = self;
        // The open items are either one item, or calls in their order. An answer may have very many calls.
        let Ok(at) = open.binary_search_by_key(&Some(index), |open| open.call.map(|(index, _)| index)) else { return };
        let Some(open) = open.get_mut(at) else { return };
        let Some(Block::Call { arguments, .. }) = open.blocks.first_mut() else { return };
        arguments.push(more);
        // A custom tool's input is inside the arguments, so it is written when they are complete.
        if open.call.is_some_and(|(_, takes)| takes == Takes::Arguments) {
            events.write("response.function_call_arguments.delta", out, |event| {
                place(response, "fc", open, event);
                event.str("delta", more);
            });
        }
    }

    fn cite(&mut self, citation: Cited, out: &mut Vec<u8>) {
        let Self { response, events, open, .. } = self;
        let Some(open) = open.last_mut() else { return };
        let (at, content) = (open.at, open.blocks.len().saturating_sub(1) as u64);
        let Some(Block::Text { citations, .. }) = open.blocks.last_mut() else { return };
        events.write("response.output_text.annotation.added", out, |event| {
            response.id("item_id", "msg", at, event);
            event.number("output_index", at);
            event.number("content_index", content);
            event.number("annotation_index", citations.len() as u64);
            annotation(&citation, event.member("annotation"));
        });
        citations.push(citation);
    }

    /// Completes the message's last part.
    fn close_part(&mut self, out: &mut Vec<u8>) {
        let Self { response, events, open, .. } = self;
        let Some(open) = open.last_mut() else { return };
        let content = open.blocks.len().saturating_sub(1) as u64;
        let first = open.blocks.iter().position(|block| matches!(block, Block::Text { .. }));
        let Some(block) = open.blocks.last() else { return };
        let logprobs: &[u8] = if first == Some(open.blocks.len() - 1) { &open.logprobs } else { &[] };
        let kind = if let Block::Text { .. } = block { "response.output_text.done" } else { "response.refusal.done" };
        events.write(kind, out, |event| {
            place(response, "msg", open, event);
            event.number("content_index", content);
            match block {
                Block::Text { text, .. } => {
                    event.str("text", text.get());
                    list(event.member("logprobs"), logprobs);
                }
                Block::Refusal(words) => event.str("refusal", words.get()),
                _ => {}
            }
        });
        events.write("response.content_part.done", out, |event| {
            place(response, "msg", open, event);
            event.number("content_index", content);
            part(block, logprobs, event.member("part"));
        });
    }

    /// Completes all open items; `status` is that of the last one.
    fn close(&mut self, status: Status, out: &mut Vec<u8>) {
        if self.open.last().is_some_and(|open| open.blocks.first().is_some_and(super::write::is_part)) {
            self.close_part(out);
        }
        let open = take(&mut self.open);
        let last = open.len().saturating_sub(1);
        let Self { response, events, output, .. } = self;
        for (index, open) in open.iter().enumerate() {
            match open.blocks.first() {
                Some(Block::Reasoning { text, .. }) if !text.is_empty() => {
                    close_summary(response, events, open, text.get(), out);
                }
                Some(Block::Call { name, arguments, .. }) => {
                    close_call(response, events, open, name.get(), arguments, out);
                }
                _ => {}
            }
            let status = if index == last { status } else { Status::Completed };
            let mut from = 0;
            append(output, |output| {
                from = output.len();
                response.item(open.at, &open.blocks, status, &open.logprobs, output);
            });
            events.write("response.output_item.done", out, |event| {
                event.number("output_index", open.at);
                event.member("item").extend_from_slice(output.get(from..).unwrap_or_default());
            });
        }
    }
}

/// Writes which item an event is about.
fn place(response: &Response, kind: &str, open: &Open, event: &mut Object<'_>) {
    response.id("item_id", kind, open.at, event);
    event.number("output_index", open.at);
}

fn close_summary(response: &Response, events: &mut Events, open: &Open, text: Str<'_>, out: &mut Vec<u8>) {
    events.write("response.reasoning_summary_text.done", out, |event| {
        place(response, "rs", open, event);
        event.number("summary_index", 0);
        event.str("text", text);
    });
    events.write("response.reasoning_summary_part.done", out, |event| {
        place(response, "rs", open, event);
        event.number("summary_index", 0);
        summary_text(text, event.member("part"));
    });
}

fn close_call(
    response: &Response,
    events: &mut Events,
    open: &Open,
    name: Str<'_>,
    arguments: &Collected,
    out: &mut Vec<u8>,
) {
    let takes = response.takes(name);
    if takes == Takes::Arguments {
        events.write("response.function_call_arguments.done", out, |event| {
            place(response, prefix(takes), open, event);
            event.str("arguments", arguments.get());
        });
        return;
    }
    input(arguments, |input| {
        for (kind, member) in
            [("response.custom_tool_call_input.delta", "delta"), ("response.custom_tool_call_input.done", "input")]
        {
            events.write(kind, out, |event| {
                place(response, prefix(takes), open, event);
                event.str(member, input);
            });
        }
    });
}

impl Writer for Stream {
    fn piece(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Choice(index) => self.elsewhere = index > 0,
            Piece::Start { id, model } => {
                self.response.named(&id.text(), &model.text());
                let Self { response, events, .. } = self;
                for kind in ["response.created", "response.in_progress"] {
                    events.write(kind, out, |event| {
                        response.write(Status::InProgress, None, &[], None, event.member("response"));
                    });
                }
            }
            _ if self.elsewhere => {}
            Piece::Text(text) => {
                self.message(Block::Text { text: Collected::default(), citations: Vec::new() }, out);
                self.say(text, out);
            }
            Piece::Refusal(text) => {
                self.message(Block::Refusal(Collected::default()), out);
                self.say(text, out);
            }
            Piece::Reasoning { block, text } => {
                self.reasoning(block, out);
                self.think(text, out);
            }
            Piece::Signature { block, signature: more } => {
                self.reasoning(block, out);
                let last = self.open.last_mut().and_then(|open| open.blocks.last_mut());
                if let Some(Block::Reasoning { signature, .. }) = last {
                    signature.get_or_insert_default().push(more);
                }
            }
            Piece::Redacted { block, data } => {
                self.close(Status::Completed, out);
                self.begin(vec![Block::Redacted { data: data.into(), block }], None, out);
            }
            Piece::Call { index, id, name } => {
                if self.open.first().is_some_and(|open| open.call.is_none()) {
                    self.close(Status::Completed, out);
                }
                let takes = self.response.takes(name);
                let call = Block::Call { id: id.into(), name: name.into(), arguments: Collected::default() };
                self.begin(vec![call], Some((index, takes)), out);
            }
            Piece::Arguments { index, json } => self.argue(index, json, out),
            Piece::Citation(citation) => {
                self.message(Block::Text { text: Collected::default(), citations: Vec::new() }, out);
                self.cite(citation.into(), out);
            }
            Piece::Image { media_type, data } => {
                self.close(Status::Completed, out);
                let image = Block::Image { media_type: media_type.into(), data: data.into() };
                self.begin(vec![image], None, out);
                self.close(Status::Completed, out);
            }
            Piece::Logprobs(items) => {
                self.message(Block::Text { text: Collected::default(), citations: Vec::new() }, out);
                let Self { response, events, open, .. } = self;
                let Some(open) = open.last_mut() else { return };
                let from = open.logprobs.len();
                for item in items.items() {
                    append(&mut open.logprobs, |out| out.extend_from_slice(item.on_one_line().as_bytes()));
                }
                let new = open.logprobs.get(from..).unwrap_or_default();
                let new = new.strip_prefix(b",").unwrap_or(new);
                // The text that they belong to was written before.
                events.write("response.output_text.delta", out, |event| {
                    place(response, "msg", open, event);
                    event.number("content_index", open.blocks.len().saturating_sub(1) as u64);
                    event.string("delta", "");
                    list(event.member("logprobs"), new);
                });
            }
            Piece::Finish(finish) => {
                self.finish = Some(finish);
                self.close(Status::after(self.finish), out);
            }
            Piece::Usage(_) | Piece::StopSequence(_) => {}
        }
    }

    fn next_number(&self) -> u64 {
        self.events.0
    }

    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) {
        let status = Status::after(self.finish);
        self.close(status, out);
        let Self { response, events, output, finish, .. } = self;
        let kind = if status == Status::Incomplete { "response.incomplete" } else { "response.completed" };
        events.write(kind, out, |event| {
            response.write(status, *finish, output, Some(usage), event.member("response"));
        });
    }

    /// Everything is written once more when its item is complete, and again at the end.
    fn keeps(&self, _: &Piece<'_>) -> bool {
        !self.elsewhere
    }
}
