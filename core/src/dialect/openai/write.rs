//! Writes an answer as `OpenAI` would have: as `chat.completion.chunk` events or as one `chat.completion`.

use alloc::string::String;
use alloc::vec::Vec;

use crate::chat::{Finish, Piece};
use crate::codec::json::write::{escaped, number, string};
use crate::endpoint::{Delivery, UsageChunk};
use crate::usage::Usage;

/// An answer being written.
pub struct Answer {
    delivery: Delivery,
    usage: UsageChunk,
    created: u64,
    id: String,
    model: String,
    /// What was collected of a whole answer.
    message: Message,
}

impl Answer {
    /// Starts an answer; `created` is in seconds since the Unix epoch.
    pub fn new(delivery: Delivery, usage: UsageChunk, created: u64) -> Self {
        Self { delivery, usage, created, id: String::new(), model: String::new(), message: Message::default() }
    }

    /// The model, as [`Piece::Start`] named it.
    pub fn model(&self) -> Option<&str> {
        Some(self.model.as_str()).filter(|model| !model.is_empty())
    }

    /// Appends what `piece` adds to a stream; keeps it for a whole answer.
    pub fn write(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        if let Piece::Start { id, model } = piece {
            self.id.push_str(id);
            self.model.push_str(model);
        }
        match self.delivery {
            Delivery::Whole => self.message.add(piece),
            Delivery::Streamed => self.chunk(piece, out),
        }
    }

    /// The answer is complete: appends the end of a stream, or all of a whole answer.
    pub fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) {
        match self.delivery {
            Delivery::Streamed => {
                if self.usage == UsageChunk::Wanted {
                    out.extend_from_slice(b"data: ");
                    self.head(b"chat.completion.chunk", out);
                    out.extend_from_slice(b",\"choices\":[],\"usage\":");
                    write_usage(usage, out);
                    out.extend_from_slice(b"}\n\n");
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            Delivery::Whole => {
                self.head(b"chat.completion", out);
                out.extend_from_slice(b",\"choices\":[{\"index\":0,\"message\":");
                self.message.write(out);
                out.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":");
                out.extend_from_slice(finish_reason(self.message.finish));
                out.extend_from_slice(b"}],\"usage\":");
                write_usage(usage, out);
                out.push(b'}');
            }
        }
    }

    fn head(&self, object: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":");
        string(out, &self.id);
        out.extend_from_slice(b",\"object\":\"");
        out.extend_from_slice(object);
        out.extend_from_slice(b"\",\"created\":");
        number(out, self.created);
        out.extend_from_slice(b",\"model\":");
        string(out, &self.model);
    }

    fn chunk(&self, piece: Piece<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        self.head(b"chat.completion.chunk", out);
        out.extend_from_slice(b",\"choices\":[{\"index\":0,\"delta\":{");
        let mut finish = None;
        match piece {
            Piece::Start { .. } => out.extend_from_slice(b"\"role\":\"assistant\",\"content\":\"\""),
            Piece::Text(text) => {
                out.extend_from_slice(b"\"content\":");
                string(out, text);
            }
            Piece::Reasoning { block, text } => {
                out.extend_from_slice(b"\"reasoning_content\":");
                string(out, text);
                out.extend_from_slice(b",\"reasoning_details\":[");
                detail(&Detail::Text { text, signature: None }, block, out);
                out.push(b']');
            }
            Piece::Signature { block, signature } => {
                out.extend_from_slice(b"\"reasoning_details\":[");
                detail(&Detail::Text { text: "", signature: Some(signature) }, block, out);
                out.push(b']');
            }
            Piece::Redacted { block, data } => {
                out.extend_from_slice(b"\"reasoning_details\":[");
                detail(&Detail::Encrypted(data), block, out);
                out.push(b']');
            }
            Piece::Call { index, id, name } => {
                out.extend_from_slice(b"\"tool_calls\":[{\"index\":");
                number(out, index.into());
                out.extend_from_slice(b",\"id\":");
                string(out, id);
                out.extend_from_slice(b",\"type\":\"function\",\"function\":{\"name\":");
                string(out, name);
                out.extend_from_slice(b",\"arguments\":\"\"}}]");
            }
            Piece::Arguments { index, json } => {
                out.extend_from_slice(b"\"tool_calls\":[{\"index\":");
                number(out, index.into());
                out.extend_from_slice(b",\"function\":{\"arguments\":");
                string(out, json);
                out.extend_from_slice(b"}}]");
            }
            Piece::Finish(reason) => finish = Some(reason),
        }
        out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":");
        out.extend_from_slice(finish_reason(finish));
        out.extend_from_slice(b"}]}\n\n");
    }
}

/// A whole answer's message, as far as it was read. What is kept of strings is escaped already.
#[derive(Default)]
struct Message {
    text: Vec<u8>,
    reasoning: Vec<u8>,
    details: Vec<(u32, Proof)>,
    calls: Vec<Call>,
    finish: Option<Finish>,
}

struct Call {
    id: String,
    name: String,
    arguments: String,
}

enum Proof {
    Text { text: String, signature: Option<String> },
    Encrypted(String),
}

impl Message {
    fn add(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Start { .. } => {}
            Piece::Text(text) => escaped(&mut self.text, text),
            Piece::Reasoning { block, text } => {
                escaped(&mut self.reasoning, text);
                self.proof(block, text, None);
            }
            Piece::Signature { block, signature } => self.proof(block, "", Some(signature)),
            Piece::Redacted { block, data } => self.details.push((block, Proof::Encrypted(data.into()))),
            Piece::Call { id, name, .. } => {
                self.calls.push(Call { id: id.into(), name: name.into(), arguments: String::new() });
            }
            Piece::Arguments { index, json } => {
                if let Some(call) = self.calls.get_mut(index as usize) {
                    call.arguments.push_str(json);
                }
            }
            Piece::Finish(finish) => self.finish = Some(finish),
        }
    }

    /// More of a block of reasoning, or its signature.
    fn proof(&mut self, block: u32, more: &str, proof: Option<&str>) {
        match self.details.last_mut() {
            Some((last, Proof::Text { text, signature })) if *last == block => {
                text.push_str(more);
                *signature = proof.map(Into::into).or(signature.take());
            }
            _ => self.details.push((block, Proof::Text { text: more.into(), signature: proof.map(Into::into) })),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"role\":\"assistant\",\"content\":");
        if self.text.is_empty() && !self.calls.is_empty() {
            out.extend_from_slice(b"null");
        } else {
            out.push(b'"');
            out.extend_from_slice(&self.text);
            out.push(b'"');
        }
        out.extend_from_slice(b",\"refusal\":null");
        if !self.reasoning.is_empty() {
            out.extend_from_slice(b",\"reasoning_content\":\"");
            out.extend_from_slice(&self.reasoning);
            out.push(b'"');
        }
        list(b",\"reasoning_details\":[", &self.details, out, |(block, proof), out| {
            let item = match proof {
                Proof::Text { text, signature } => Detail::Text { text, signature: signature.as_deref() },
                Proof::Encrypted(data) => Detail::Encrypted(data),
            };
            detail(&item, *block, out);
        });
        list(b",\"tool_calls\":[", &self.calls, out, |call, out| {
            out.extend_from_slice(b"{\"id\":");
            string(out, &call.id);
            out.extend_from_slice(b",\"type\":\"function\",\"function\":{\"name\":");
            string(out, &call.name);
            out.extend_from_slice(b",\"arguments\":");
            string(out, &call.arguments);
            out.extend_from_slice(b"}}");
        });
        out.push(b'}');
    }
}

fn list<T>(open: &[u8], items: &[T], out: &mut Vec<u8>, write: impl Fn(&T, &mut Vec<u8>)) {
    for (index, item) in items.iter().enumerate() {
        out.extend_from_slice(if index == 0 { open } else { b"," });
        write(item, out);
    }
    if !items.is_empty() {
        out.push(b']');
    }
}

enum Detail<'a> {
    Text { text: &'a str, signature: Option<&'a str> },
    Encrypted(&'a str),
}

/// One item of `reasoning_details`; see how it is read.
fn detail(detail: &Detail<'_>, block: u32, out: &mut Vec<u8>) {
    let member = |out: &mut Vec<u8>, name: &[u8], value: &str| {
        out.extend_from_slice(name);
        string(out, value);
    };
    match detail {
        Detail::Text { text, signature } => {
            out.extend_from_slice(b"{\"type\":\"reasoning.text\"");
            if !text.is_empty() {
                member(out, b",\"text\":", text);
            }
            if let Some(signature) = signature {
                member(out, b",\"signature\":", signature);
            }
        }
        Detail::Encrypted(data) => member(out, b"{\"type\":\"reasoning.encrypted\",\"data\":", data),
    }
    out.extend_from_slice(b",\"index\":");
    number(out, block.into());
    out.push(b'}');
}

fn finish_reason(finish: Option<Finish>) -> &'static [u8] {
    match finish {
        None => b"null",
        Some(Finish::Stop) => b"\"stop\"",
        Some(Finish::Length) => b"\"length\"",
        Some(Finish::ToolCalls) => b"\"tool_calls\"",
        Some(Finish::ContentFilter) => b"\"content_filter\"",
    }
}

fn write_usage(usage: &Usage, out: &mut Vec<u8>) {
    let member = |out: &mut Vec<u8>, name: &[u8], value| {
        out.extend_from_slice(name);
        number(out, value);
    };
    member(out, b"{\"prompt_tokens\":", usage.input);
    member(out, b",\"completion_tokens\":", usage.output);
    member(out, b",\"total_tokens\":", usage.input.saturating_add(usage.output));
    member(out, b",\"prompt_tokens_details\":{\"cached_tokens\":", usage.cached_read);
    if usage.cache_write > 0 {
        member(out, b",\"cache_write_tokens\":", usage.cache_write);
    }
    member(out, b"},\"completion_tokens_details\":{\"reasoning_tokens\":", usage.reasoning);
    out.extend_from_slice(b"}}");
}
