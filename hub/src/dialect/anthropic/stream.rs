//! Writes an answer as the events of a stream. One block is open at a time, and a closed block never opens again. So
//! while a tool call is incomplete, everything else waits for it. Calls with interleaved fragments become one block
//! after another.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>

use alloc::vec::Vec;

use super::ids::Ids;
use super::write::{citation, head, image, stop, usage};
use crate::codec::json::write::{Object, number, object};
use crate::codec::json::{Collected, Str};
use crate::dialect::Writer;
use crate::dialect::arguments::Nesting;
use crate::piece::{Block, Choice, Finish, Piece};
use crate::usage::Usage;

#[derive(Default)]
pub(super) struct Stream {
    usage: Usage,
    open: Open,
    /// How many blocks have begun.
    blocks: u64,
    /// A proof without text. It belongs before the content that it proves, so it waits for that. Clients take an
    /// answer's last block for its content, so a proof that nothing follows is left out. No provider requires such a
    /// proof.
    proof: Option<Collected>,
    /// How many tool calls have begun.
    calls: u32,
    ids: Ids,
    /// The pieces that came while a call was incomplete.
    queue: Queue,
    /// The alternative that the pieces belong to; only the first is written.
    choice: u32,
    refused: bool,
    sequence: Option<Collected>,
    finish: Option<Finish>,
}

/// Blocks that wait, in the order in which they came.
#[derive(Default)]
struct Queue {
    blocks: Choice,
    /// How many of them have been written.
    out: usize,
    /// How many calls had begun before the first of them.
    calls: u32,
}

impl Queue {
    /// Keeps one more piece. `calls` have begun; arguments that come for one of those now are too late.
    fn add(&mut self, piece: Piece<'_>, calls: u32) {
        if self.blocks.blocks.is_empty() {
            self.calls = calls;
        }
        let piece = match piece {
            Piece::Arguments { index, .. } if index < calls => return,
            Piece::Arguments { index, json } => Piece::Arguments { index: index.saturating_sub(self.calls), json },
            piece => piece,
        };
        self.blocks.add(piece);
    }

    /// Takes out the first block.
    fn next(&mut self) -> Option<Block> {
        let block = self.blocks.take(self.out)?;
        self.out += 1;
        if self.out == self.blocks.blocks.len() {
            *self = Self::default();
        }
        Some(block)
    }
}

/// The block that is being written.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Open {
    #[default]
    None,
    Text,
    Refusal,
    Thinking(u32),
    /// The latest call.
    Call(Nesting),
}

impl Writer for Stream {
    fn piece(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Start { id, model } => self.start(id, model, out),
            Piece::Choice(choice) => self.choice = choice,
            Piece::Usage(usage) => self.usage = usage,
            _ if self.choice > 0 => {}
            Piece::StopSequence(sequence) => self.sequence = Some(sequence.into()),
            Piece::Finish(finish) => self.finish = Some(finish),
            Piece::Logprobs(_) => {}
            piece => self.content(piece, out),
        }
    }

    fn end(&mut self, used: &Usage, out: &mut Vec<u8>) {
        self.flush(out);
        event("message_delta", out, |event| {
            event.object("delta", |delta| {
                stop(delta, self.finish, self.refused, self.sequence.as_ref().map(Collected::get));
            });
            usage(event, used);
        });
        event("message_stop", out, |_| {});
    }

    fn keeps(&self, piece: &Piece<'_>) -> bool {
        let waits = match piece {
            Piece::Call { .. } | Piece::Signature { .. } | Piece::StopSequence(_) => true,
            Piece::Arguments { index, .. } if *index + 1 == self.calls => false,
            _ => self.is_in_call(),
        };
        waits && self.choice == 0
    }
}

impl Stream {
    fn start(&mut self, id: Str<'_>, model: Str<'_>, out: &mut Vec<u8>) {
        event("message_start", out, |event| {
            event.object("message", |message| {
                head(message, id, model);
                message.raw("content", "[]");
                message.raw("stop_reason", "null");
                message.raw("stop_sequence", "null");
                usage(message, &self.usage);
            });
        });
        event("ping", out, |_| {});
    }

    /// Writes `piece`, or keeps it if an incomplete call is open.
    fn content(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        self.refused |= matches!(piece, Piece::Refusal(_));
        let latest = self.calls.saturating_sub(1);
        match (self.open, piece) {
            (Open::Call(_), Piece::Arguments { index, .. }) if index == latest => self.say(piece, out),
            (Open::Call(nesting), _) if !nesting.is_closed() => self.queue.add(piece, self.calls),
            _ => self.say(piece, out),
        }
        self.release(out);
    }

    fn is_in_call(&self) -> bool {
        matches!(self.open, Open::Call(nesting) if !nesting.is_closed())
    }

    /// Writes the kept blocks, up to the next incomplete call.
    fn release(&mut self, out: &mut Vec<u8>) {
        while !self.is_in_call()
            && let Some(block) = self.queue.next()
        {
            self.block(&block, out);
        }
    }

    /// Writes all kept blocks, complete or not.
    fn flush(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        while let Some(block) = self.queue.next() {
            self.block(&block, out);
            self.close(out);
        }
    }

    fn block(&mut self, block: &Block, out: &mut Vec<u8>) {
        match block {
            Block::Text { text, citations } => {
                self.say(Piece::Text(text.get()), out);
                for citation in citations {
                    self.say(Piece::Citation(citation.get()), out);
                }
            }
            Block::Refusal(text) => self.say(Piece::Refusal(text.get()), out),
            Block::Reasoning { text, signature, block } => {
                self.say(Piece::Reasoning { block: *block, text: text.get() }, out);
                if let Some(signature) = signature {
                    self.say(Piece::Signature { block: *block, signature: signature.get() }, out);
                }
            }
            Block::Redacted { data, block } => self.say(Piece::Redacted { block: *block, data: data.get() }, out),
            Block::Call { id, name, arguments } => {
                let index = self.calls;
                self.say(Piece::Call { index, id: id.get(), name: name.get() }, out);
                self.say(Piece::Arguments { index, json: arguments.get() }, out);
            }
            Block::Image { media_type, data } => {
                self.say(Piece::Image { media_type: media_type.get(), data: data.get() }, out);
            }
        }
    }

    fn say(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Text(text) if !text.is_empty() => {
                self.text(Open::Text, out);
                self.delta(b"text_delta\",\"text\":", text, out);
            }
            Piece::Refusal(text) if !text.is_empty() => {
                self.text(Open::Refusal, out);
                self.delta(b"text_delta\",\"text\":", text, out);
            }
            Piece::Citation(cited) => {
                self.text(Open::Text, out);
                event("content_block_delta", out, |event| {
                    event.number("index", self.blocks.saturating_sub(1));
                    event.object("delta", |delta| {
                        delta.string("type", "citations_delta");
                        citation(delta.member("citation"), &cited);
                    });
                });
            }
            Piece::Reasoning { block, text } if !text.is_empty() => {
                self.thinking(block, out);
                self.delta(b"thinking_delta\",\"thinking\":", text, out);
            }
            Piece::Signature { block, signature } if self.open == Open::Thinking(block) => {
                self.delta(b"signature_delta\",\"signature\":", signature, out);
            }
            Piece::Signature { signature, .. } => {
                self.prove(out);
                self.proof = Some(signature.into());
            }
            Piece::Redacted { data, .. } => {
                self.begin(Open::None, out, |block| {
                    block.string("type", "redacted_thinking");
                    block.str("data", data);
                });
                self.stop(out);
            }
            Piece::Image { media_type, .. } => {
                self.close(out);
                self.text(Open::Text, out);
                self.delta(b"text_delta\",\"text\":", Str::Plain(&image(media_type)), out);
                self.close(out);
            }
            Piece::Call { id, name, .. } => {
                self.calls += 1;
                let id = self.ids.tell(id);
                self.begin(Open::Call(Nesting::default()), out, |block| {
                    block.string("type", "tool_use");
                    block.string("id", &id);
                    block.str("name", name);
                    block.raw("input", "{}");
                });
            }
            Piece::Arguments { index, json } if index + 1 == self.calls && !json.is_empty() => {
                if let Open::Call(nesting) = &mut self.open {
                    nesting.read(json);
                    self.delta(b"input_json_delta\",\"partial_json\":", json, out);
                }
            }
            // Nothing was said, or everything about it has been written before.
            _ => {}
        }
    }

    fn text(&mut self, kind: Open, out: &mut Vec<u8>) {
        if self.open != kind || self.proof.is_some() {
            self.begin(kind, out, |block| {
                block.string("type", "text");
                block.string("text", "");
            });
        }
    }

    fn thinking(&mut self, block: u32, out: &mut Vec<u8>) {
        if self.open != Open::Thinking(block) {
            self.begin(Open::Thinking(block), out, |block| {
                block.string("type", "thinking");
                block.string("thinking", "");
                block.string("signature", "");
            });
        }
    }

    /// Writes the waiting proof, if there is one.
    fn prove(&mut self, out: &mut Vec<u8>) {
        if let Some(proof) = self.proof.take() {
            self.close(out);
            self.thinking(u32::MAX, out);
            self.delta(b"signature_delta\",\"signature\":", proof.get(), out);
            self.close(out);
        }
    }

    fn begin(&mut self, open: Open, out: &mut Vec<u8>, block: impl FnOnce(&mut Object<'_>)) {
        self.prove(out);
        self.close(out);
        event("content_block_start", out, |event| {
            event.number("index", self.blocks);
            event.object("content_block", block);
        });
        self.blocks += 1;
        self.open = open;
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open != Open::None {
            self.open = Open::None;
            self.stop(out);
        }
    }

    fn stop(&self, out: &mut Vec<u8>) {
        event("content_block_stop", out, |event| event.number("index", self.blocks.saturating_sub(1)));
    }

    /// The most frequent event, so it is written directly.
    fn delta(&self, kind: &[u8], text: Str<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
        number(out, self.blocks.saturating_sub(1));
        out.extend_from_slice(b",\"delta\":{\"type\":\"");
        out.extend_from_slice(kind);
        text.write(out);
        out.extend_from_slice(b"}}\n\n");
    }
}

pub(super) fn event(kind: &str, out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    object(out, |event| {
        event.string("type", kind);
        write(event);
    });
    out.extend_from_slice(b"\n\n");
}
