//! Writes an answer as the events of a stream: `chat.completion.chunk`.

use alloc::vec::Vec;

use super::write::{Detail, annotation, detail, finish_reason, image, write_usage};
use crate::call::ReplyStart;
use crate::codec::json::Str;
use crate::codec::json::write::number;
use crate::dialect::Writer;
use crate::endpoint::UsageChunk;
use crate::piece::Piece;
use crate::usage::Usage;

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

    fn head(&mut self, id: Str<'_>, model: Str<'_>) {
        let head = &mut self.head;
        head.extend_from_slice(b"data: {\"id\":");
        id.write(head);
        head.extend_from_slice(b",\"object\":\"chat.completion.chunk\",\"created\":");
        number(head, self.created);
        head.extend_from_slice(b",\"model\":");
        model.write(head);
    }

    /// A tool call's delta, up to its content.
    fn call(index: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"tool_calls\":[{\"index\":");
        number(out, index.into());
    }
}

impl Writer for Stream {
    fn piece(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Start { id, model } => self.head(id, model),
            Piece::Choice(index) => {
                self.choice = index;
                return;
            }
            Piece::Usage(_) | Piece::StopSequence(_) => return,
            _ => {}
        }
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[{\"index\":");
        number(out, self.choice.into());
        out.extend_from_slice(b",\"delta\":{");
        let mut finish = None;
        let mut logprobs = None;
        match piece {
            Piece::Start { .. } => out.extend_from_slice(b"\"role\":\"assistant\",\"content\":\"\""),
            Piece::Text(text) => {
                out.extend_from_slice(b"\"content\":");
                text.write(out);
            }
            Piece::Refusal(text) => {
                out.extend_from_slice(b"\"refusal\":");
                text.write(out);
            }
            Piece::Reasoning { block, text } => {
                out.extend_from_slice(b"\"reasoning_content\":");
                text.write(out);
                out.extend_from_slice(b",\"reasoning_details\":[");
                detail(&Detail::Text { text, signature: None }, block, out);
                out.push(b']');
            }
            Piece::Signature { block, signature } => {
                out.extend_from_slice(b"\"reasoning_details\":[");
                detail(&Detail::Text { text: Str::EMPTY, signature: Some(signature) }, block, out);
                out.push(b']');
            }
            Piece::Redacted { block, data } => {
                out.extend_from_slice(b"\"reasoning_details\":[");
                detail(&Detail::Encrypted(data), block, out);
                out.push(b']');
            }
            Piece::Call { index, id, name } => {
                Self::call(index, out);
                out.extend_from_slice(b",\"id\":");
                id.write(out);
                out.extend_from_slice(b",\"type\":\"function\",\"function\":{\"name\":");
                name.write(out);
                out.extend_from_slice(b",\"arguments\":\"\"}}]");
            }
            Piece::Arguments { index, json } => {
                Self::call(index, out);
                out.extend_from_slice(b",\"function\":{\"arguments\":");
                json.write(out);
                out.extend_from_slice(b"}}]");
            }
            Piece::Citation(citation) => {
                out.extend_from_slice(b"\"annotations\":[");
                annotation(&citation, out);
                out.push(b']');
            }
            Piece::Image { media_type, data } => {
                out.extend_from_slice(b"\"images\":[");
                image(media_type, data, out);
                out.push(b']');
            }
            Piece::Logprobs(items) => logprobs = Some(items),
            Piece::Finish(reason) => finish = Some(reason),
            Piece::Choice(_) | Piece::Usage(_) | Piece::StopSequence(_) => {}
        }
        out.extend_from_slice(b"},\"logprobs\":");
        match logprobs {
            Some(items) => {
                out.extend_from_slice(b"{\"content\":");
                out.extend_from_slice(items.on_one_line().as_bytes());
                out.extend_from_slice(b",\"refusal\":null}");
            }
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"finish_reason\":");
        out.extend_from_slice(finish_reason(finish));
        out.extend_from_slice(b"}]}\n\n");
    }

    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) {
        if self.usage == UsageChunk::Wanted {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b",\"choices\":[],\"usage\":");
            write_usage(usage, out);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn keeps(&self, _: &Piece<'_>) -> bool {
        false
    }
}
