//! Writes an answer as `text_completion`, whole or streamed. It has only text.

use alloc::vec::Vec;

use crate::call::ReplyStart;
use crate::codec::json::Str;
use crate::codec::json::write::{Object, object};
use crate::dialect::Writer;
use crate::dialect::openai::write_usage;
use crate::endpoint::UsageChunk;
use crate::piece::{Answer, Block, Finish, Piece};
use crate::usage::Usage;

/// Appends a whole answer.
pub(super) fn whole(answer: &Answer, usage: &Usage, start: &ReplyStart<'_>, out: &mut Vec<u8>) {
    object(out, |completion| {
        head(Str::Plain(&answer.id), Str::Plain(&answer.model), start.created, completion);
        completion.array("choices", answer.choices.iter().enumerate(), |out, (index, said)| {
            object(out, |choice| {
                choice.number("index", index as u64);
                let text = choice.member("text");
                text.push(b'"');
                for block in &said.blocks {
                    if let Block::Text { text: words, .. } | Block::Refusal(words) = block {
                        words.get().write_inside(text);
                    }
                }
                text.push(b'"');
                end(said.finish, choice);
            });
        });
        write_usage(usage, completion.member("usage"));
    });
}

fn head(id: Str<'_>, model: Str<'_>, created: u64, completion: &mut Object<'_>) {
    completion.str("id", id);
    completion.string("object", "text_completion");
    completion.number("created", created);
    completion.str("model", model);
}

/// The members of a choice after its text.
fn end(finish: Option<Finish>, choice: &mut Object<'_>) {
    choice.raw("logprobs", "null");
    match finish {
        None => choice.raw("finish_reason", "null"),
        Some(Finish::Stop | Finish::ToolCalls) => choice.string("finish_reason", "stop"),
        Some(Finish::Length | Finish::ContextWindow) => choice.string("finish_reason", "length"),
        Some(Finish::ContentFilter) => choice.string("finish_reason", "content_filter"),
    }
}

pub(super) struct Stream {
    usage: UsageChunk,
    created: u64,
    choice: u32,
    /// The members of every event up to its choices; known once the answer has a name.
    head: Vec<u8>,
}

impl Stream {
    pub(super) fn new(start: &ReplyStart<'_>) -> Self {
        Self { usage: start.asked.usage, created: start.created, choice: 0, head: Vec::new() }
    }

    fn event(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
        out.extend_from_slice(b"data: ");
        object(out, |completion| {
            completion.members(core::str::from_utf8(&self.head).unwrap_or_default());
            write(completion);
        });
        out.extend_from_slice(b"\n\n");
    }
}

impl Writer for Stream {
    fn piece(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        let (text, finish) = match piece {
            Piece::Start { id, model } => {
                let mut head = Vec::new();
                object(&mut head, |completion| self::head(id, model, self.created, completion));
                self.head = head.get(1..head.len().saturating_sub(1)).unwrap_or_default().to_vec();
                return;
            }
            Piece::Choice(index) => {
                self.choice = index;
                return;
            }
            Piece::Text(text) | Piece::Refusal(text) => (text, None),
            Piece::Finish(finish) => (Str::EMPTY, Some(finish)),
            _ => return,
        };
        self.event(out, |completion| {
            completion.array("choices", [self.choice], |out, index| {
                object(out, |choice| {
                    choice.number("index", index.into());
                    choice.str("text", text);
                    end(finish, choice);
                });
            });
        });
    }

    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) {
        if self.usage == UsageChunk::Wanted {
            self.event(out, |completion| {
                completion.raw("choices", "[]");
                write_usage(usage, completion.member("usage"));
            });
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn keeps(&self, _: &Piece<'_>) -> bool {
        false
    }
}
