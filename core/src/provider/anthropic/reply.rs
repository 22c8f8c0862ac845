//! Reads a Messages answer, whole or streamed, as pieces, and writes them in the caller's dialect.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::ANSWER_TOOL;
use super::fault::in_answer;
use crate::chat::{Finish, Piece};
use crate::codec::json::{Raw, check};
use crate::codec::sse::{self, Block};
use crate::dialect::openai::Answer;
use crate::endpoint::Delivery;
use crate::fault::{FaultKind, UpstreamFault};
use crate::provider::openai::parse;
use crate::provider::{Passage, Reply, ReplyStart};
use crate::usage::Usage;

/// More than any answer has.
const MAX_BODY: usize = 64 << 20;

pub(super) fn reply(start: ReplyStart) -> Box<dyn Reply> {
    let reading = Reading::new(start);
    match start.delivery {
        Delivery::Whole => Box::new(Whole { held: Vec::new(), reading }),
        Delivery::Streamed => Box::new(Stream { reader: sse::Reader::new(sse::MAX_EVENT), reading }),
    }
}

struct Stream {
    reader: sse::Reader,
    reading: Reading,
}

struct Whole {
    held: Vec<u8>,
    reading: Reading,
}

/// How far an answer has been read.
struct Reading {
    answer: Answer,
    phase: Phase,
    usage: Usage,
    /// The content block being read.
    open: Open,
    /// How many tool calls have begun.
    calls: u32,
    /// How many blocks of reasoning have begun.
    thoughts: u32,
    /// The answer came through [`ANSWER_TOOL`].
    shaped: bool,
    finish: Option<Finish>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No token yet.
    Waiting,
    Begun,
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// Text, or something that callers are not told of: tools that run at the provider, and kinds to come.
    Other,
    Thought,
    Call(Arguments),
    /// [`ANSWER_TOOL`]: its input is text to the caller.
    Shaped,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Arguments {
    Missing,
    Given,
}

impl Reading {
    fn new(start: ReplyStart) -> Self {
        Self {
            answer: Answer::new(start.delivery, start.usage, start.created),
            phase: Phase::Waiting,
            usage: Usage { estimated: true, ..Usage::default() },
            open: Open::Other,
            calls: 0,
            thoughts: 0,
            shaped: false,
            finish: None,
        }
    }

    /// Writes a piece that is part of the answer proper; counts it until the provider has.
    fn token(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        if let Piece::Text(text) | Piece::Reasoning { text, .. } | Piece::Arguments { json: text, .. } = piece
            && self.usage.estimated
        {
            self.usage.output += (text.len() as u64).div_ceil(4);
        }
        if self.phase == Phase::Waiting {
            self.phase = Phase::Begun;
        }
        self.answer.write(piece, out);
    }

    /// One event of a stream.
    fn event(&mut self, event: Raw<'_>, out: &mut Vec<u8>) -> Result<(), UpstreamFault> {
        let kind = text(event, "type");
        match &*kind {
            "message_start" => self.start(event.get("message").unwrap_or(Raw::NULL), out),
            "content_block_start" => self.open(event.get("content_block").unwrap_or(Raw::NULL), out),
            "content_block_delta" => self.delta(event.get("delta").unwrap_or(Raw::NULL), out),
            "content_block_stop" => self.close(out),
            "message_delta" => {
                if let Some(usage) = event.get("usage") {
                    self.count(usage);
                    self.usage.estimated = false;
                }
                self.finish(event.get("delta").unwrap_or(Raw::NULL), out);
            }
            "message_stop" => {
                if self.finish.is_none() {
                    return Err(malformed("The provider's stream ended without a stop reason."));
                }
                self.end(out);
            }
            "error" => return Err(in_answer(event)),
            // Pings, and kinds to come, which by the API's own rule may be passed over.
            _ => {}
        }
        Ok(())
    }

    /// A whole answer.
    fn message(&mut self, message: Raw<'_>, out: &mut Vec<u8>) -> Result<(), UpstreamFault> {
        match &*text(message, "type") {
            "message" => {}
            "error" => return Err(in_answer(message)),
            _ => return Err(malformed("The provider's answer is not a message.")),
        }
        self.start(message, out);
        self.usage.estimated = message.get("usage").is_none();
        for block in message.get("content").unwrap_or(Raw::NULL).items() {
            self.open(block, out);
            self.close(out);
        }
        self.finish(message, out);
        if self.finish.is_none() {
            return Err(malformed("The provider's answer has no stop reason."));
        }
        self.end(out);
        Ok(())
    }

    fn start(&mut self, message: Raw<'_>, out: &mut Vec<u8>) {
        let estimate = self.usage.output;
        if let Some(usage) = message.get("usage") {
            self.count(usage);
            // What a stream says of its output at its start is a placeholder; of a whole answer it is all.
            if message.get("stop_reason").is_none_or(Raw::is_null) {
                self.usage.output = estimate;
            }
        }
        self.answer.write(Piece::Start { id: &text(message, "id"), model: &text(message, "model") }, out);
    }

    /// A content block begins. In a whole answer it is complete as well.
    fn open(&mut self, block: Raw<'_>, out: &mut Vec<u8>) {
        self.open = Open::Other;
        match &*text(block, "type") {
            "text" => self.say(&text(block, "text"), out),
            "thinking" => {
                self.open = Open::Thought;
                self.thoughts += 1;
                self.think(&text(block, "thinking"), out);
                self.sign(&text(block, "signature"), out);
            }
            "redacted_thinking" => {
                self.open = Open::Thought;
                self.thoughts += 1;
                let block_index = self.thoughts - 1;
                self.token(Piece::Redacted { block: block_index, data: &text(block, "data") }, out);
            }
            "tool_use" => {
                let name = text(block, "name");
                if name == ANSWER_TOOL {
                    self.open = Open::Shaped;
                    self.shaped = true;
                } else {
                    self.open = Open::Call(Arguments::Missing);
                    self.calls += 1;
                    self.token(Piece::Call { index: self.calls - 1, id: &text(block, "id"), name: &name }, out);
                }
                // A stream begins with an empty object and gives the real one in fragments.
                let input = block.get("input").filter(|input| input.members().next().is_some());
                self.input(input.map_or("", Raw::text), out);
            }
            _ => {}
        }
    }

    fn delta(&mut self, delta: Raw<'_>, out: &mut Vec<u8>) {
        match &*text(delta, "type") {
            "text_delta" => self.say(&text(delta, "text"), out),
            "thinking_delta" => self.think(&text(delta, "thinking"), out),
            "signature_delta" => self.sign(&text(delta, "signature"), out),
            "input_json_delta" => self.input(&text(delta, "partial_json"), out),
            // Citations point into documents of the request, for which callers have no words.
            _ => {}
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match self.open {
            // A call without arguments: callers parse what they get, so it must be JSON.
            Open::Call(Arguments::Missing) => self.input("{}", out),
            Open::Shaped if self.phase == Phase::Waiting => self.input("{}", out),
            _ => {}
        }
        self.open = Open::Other;
    }

    fn say(&mut self, text: &str, out: &mut Vec<u8>) {
        if !text.is_empty() {
            self.token(Piece::Text(text), out);
        }
    }

    fn think(&mut self, text: &str, out: &mut Vec<u8>) {
        if !text.is_empty() {
            self.token(Piece::Reasoning { block: self.thoughts.saturating_sub(1), text }, out);
        }
    }

    fn sign(&mut self, signature: &str, out: &mut Vec<u8>) {
        if !signature.is_empty() {
            self.token(Piece::Signature { block: self.thoughts.saturating_sub(1), signature }, out);
        }
    }

    fn input(&mut self, json: &str, out: &mut Vec<u8>) {
        if json.is_empty() {
            return;
        }
        match self.open {
            Open::Call(_) => {
                self.open = Open::Call(Arguments::Given);
                self.token(Piece::Arguments { index: self.calls.saturating_sub(1), json }, out);
            }
            Open::Shaped => self.token(Piece::Text(json), out),
            Open::Other | Open::Thought => {}
        }
    }

    fn finish(&mut self, delta: Raw<'_>, out: &mut Vec<u8>) {
        let Some(reason) = delta.get("stop_reason").and_then(Raw::string) else { return };
        if self.finish.is_some() {
            return;
        }
        let finish = match &*reason {
            "max_tokens" | "model_context_window_exceeded" => Finish::Length,
            "tool_use" if self.calls > 0 || !self.shaped => Finish::ToolCalls,
            "refusal" => Finish::ContentFilter,
            // `end_turn`, `stop_sequence`; `pause_turn`, after which the caller may ask for more; kinds to come.
            _ => Finish::Stop,
        };
        self.finish = Some(finish);
        self.token(Piece::Finish(finish), out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.phase = Phase::Done;
        self.answer.end(&self.usage, out);
    }

    /// Reads a usage object; what it does not say stays as it was. The counts exclude each other here.
    fn count(&mut self, usage: Raw<'_>) {
        let uncached = self.usage.input - (self.usage.cached_read + self.usage.cache_write).min(self.usage.input);
        let (mut input, mut read, mut write) = (uncached, self.usage.cached_read, self.usage.cache_write);
        for (name, value) in usage.members() {
            if name == "output_tokens_details" {
                let thinking = value.get("thinking_tokens").and_then(Raw::integer);
                self.usage.reasoning = thinking.unwrap_or(self.usage.reasoning);
            }
            let Some(value) = value.integer() else { continue };
            match &*name {
                "input_tokens" => input = value,
                "cache_read_input_tokens" => read = value,
                "cache_creation_input_tokens" => write = value,
                "output_tokens" => self.usage.output = value,
                _ => {}
            }
        }
        self.usage.input = input.saturating_add(read).saturating_add(write);
        (self.usage.cached_read, self.usage.cache_write) = (read, write);
    }
}

fn text<'a>(value: Raw<'a>, name: &str) -> alloc::borrow::Cow<'a, str> {
    value.get(name).and_then(Raw::string).unwrap_or_default()
}

fn malformed(message: &str) -> UpstreamFault {
    UpstreamFault::new(FaultKind::Malformed, String::from(message))
}

impl Reading {
    fn block(&mut self, block: &Block<'_>, out: &mut Vec<u8>) -> Result<(), UpstreamFault> {
        let data = match block.data.as_deref() {
            Some(data) if !data.is_empty() && self.phase != Phase::Done => data,
            _ => return Ok(()),
        };
        let event = core::str::from_utf8(data).ok().and_then(|text| check(text).ok());
        self.event(event.ok_or_else(|| malformed("The provider sent an event that is not JSON."))?, out)
    }
}

impl Reply for Stream {
    fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let reading = &mut self.reading;
        self.reader.read(chunk, |block| reading.block(&block, out))?;
        Ok(Passage::Rewritten)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let reading = &mut self.reading;
        // The last event may lack its blank line; it counts if it is complete all the same.
        self.reader.end(|block| {
            let is_last =
                block.name == b"message_stop" && block.data.as_deref().is_some_and(|data| data.ends_with(b"}"));
            if is_last { reading.block(&block, out) } else { Ok(()) }
        })?;
        if self.done() {
            Ok(Passage::Rewritten)
        } else {
            Err(UpstreamFault::new(FaultKind::Cut, "The provider's stream ended before it was complete."))
        }
    }

    fn begun(&self) -> bool {
        self.reading.phase != Phase::Waiting
    }

    fn done(&self) -> bool {
        self.reading.phase == Phase::Done
    }

    fn usage(&self) -> Usage {
        self.reading.usage
    }

    fn model(&self) -> Option<&str> {
        self.reading.answer.model()
    }
}

impl Reply for Whole {
    fn read(&mut self, chunk: &[u8], _: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        if self.held.len() + chunk.len() > MAX_BODY {
            return Err(malformed("The provider's answer is too long."));
        }
        self.held.extend_from_slice(chunk);
        Ok(Passage::Rewritten)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let held = core::mem::take(&mut self.held);
        self.reading.message(parse(&held)?, out)?;
        Ok(Passage::Rewritten)
    }

    fn begun(&self) -> bool {
        self.reading.phase == Phase::Done
    }

    fn done(&self) -> bool {
        self.reading.phase == Phase::Done
    }

    fn usage(&self) -> Usage {
        self.reading.usage
    }

    fn model(&self) -> Option<&str> {
        self.reading.answer.model()
    }
}
