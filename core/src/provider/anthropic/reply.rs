//! Reads a Messages answer, whole or streamed, as pieces.

use alloc::borrow::Cow;

use weir_hub::buffer::{cut, malformed};
use weir_hub::codec::json::{Raw, Str};
use weir_hub::endpoint::Endpoint;
use weir_hub::fault::UpstreamFault;
use weir_hub::piece::{Citation, Finish, Piece};
use weir_hub::reply::{Event, Flow, Pieces, Reader};
use weir_hub::usage::Usage;

use super::fault::in_answer;
use crate::provider::answer_tool::ANSWER_TOOL;
use crate::provider::openai::stray;

/// How far an answer has been read.
pub(in crate::provider) struct Reading {
    awaited: Awaited,
    usage: Usage,
    /// The content block being read.
    open: Open,
    /// How many tool calls have begun.
    calls: u32,
    /// How many blocks of reasoning have begun.
    thoughts: u32,
    /// Whether the answer came through [`ANSWER_TOOL`].
    shaped: bool,
    finish: Option<Finish>,
}

/// What kind of answer is expected.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::provider) enum Awaited {
    Message,
    /// `{"input_tokens": 7}`
    Count,
}

impl Awaited {
    pub(in crate::provider) const fn at(endpoint: Endpoint) -> Self {
        if matches!(endpoint, Endpoint::CountTokens) { Self::Count } else { Self::Message }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// Text, or a block that callers do not receive: tools that run at the provider, and future kinds.
    Other,
    Thought,
    Call(Arguments),
    /// [`ANSWER_TOOL`]: the caller receives its input as text.
    Shaped(Arguments),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Arguments {
    Missing,
    Given,
}

impl Reading {
    pub(in crate::provider) fn new(awaited: Awaited) -> Self {
        Self {
            awaited,
            usage: Usage { estimated: true, ..Usage::default() },
            open: Open::Other,
            calls: 0,
            thoughts: 0,
            shaped: false,
            finish: None,
        }
    }
}

impl Reader for Reading {
    fn event(&mut self, event: Event<'_>, pieces: &mut Pieces<'_>) -> Result<Flow, UpstreamFault> {
        let event = match event {
            Event::Json { data, .. } => data,
            Event::Exception { data, .. } => return Err(in_answer(data)),
            // Some hosts end every stream with this event.
            Event::Done => return self.end(pieces).map(|()| Flow::Ended),
        };
        let [kind, delta, block, message, usage] = event.pick(["type", "delta", "content_block", "message", "usage"]);
        let delta = delta.unwrap_or(Raw::NULL);
        match &*kind.and_then(Raw::string).unwrap_or_default() {
            "message_start" => self.start(message.unwrap_or(Raw::NULL), pieces),
            "content_block_start" => self.open(block.unwrap_or(Raw::NULL), pieces),
            "content_block_delta" => {
                self.delta(delta, pieces);
                return Ok(Flow::More);
            }
            "content_block_stop" => self.close(pieces),
            "message_delta" => {
                if let Some(usage) = usage {
                    self.count(usage);
                    self.usage.estimated = false;
                    pieces(Piece::Usage(self.usage));
                }
                self.finish(delta, pieces);
            }
            "message_stop" => {
                if self.finish.is_none() {
                    return Err(malformed("The provider's stream ended without a stop reason."));
                }
                return Ok(Flow::Ended);
            }
            "error" => return Err(in_answer(event)),
            // Every event of this API has a type.
            "" if self.finish.is_none() => return Err(stray(event)),
            // Pings, and future kinds, which the API allows readers to skip.
            _ => {}
        }
        Ok(Flow::Alive)
    }

    fn whole(&mut self, message: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        if self.awaited == Awaited::Count {
            let count = message.get("input_tokens").and_then(Raw::integer);
            return count.map(drop).ok_or_else(|| malformed("The provider's answer has no count."));
        }
        match &*text(message, "type") {
            "message" => {}
            "error" => return Err(in_answer(message)),
            _ => return Err(malformed("The provider's answer is not a message.")),
        }
        self.usage.estimated = message.get("usage").is_none();
        self.start(message, pieces);
        for block in message.get("content").unwrap_or(Raw::NULL).items() {
            self.open(block, pieces);
            self.close(pieces);
        }
        self.finish(message, pieces);
        if self.finish.is_none() {
            return Err(malformed("The provider's answer has no stop reason."));
        }
        Ok(())
    }

    fn awaits_end(&self) -> bool {
        self.finish.is_some()
    }

    /// After the stop reason, only the event that repeats it is missing.
    fn end(&mut self, _: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        if self.finish.is_some() { Ok(()) } else { Err(cut()) }
    }

    fn last_event(&self) -> &'static str {
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
    }
}

impl Reading {
    fn start(&mut self, message: Raw<'_>, pieces: &mut Pieces<'_>) {
        if let Some(usage) = message.get("usage") {
            self.count(usage);
            // At a stream's start, the output count is a placeholder; in a whole answer it is final.
            if message.get("stop_reason").is_none_or(Raw::is_null) {
                self.usage.output = 0;
            }
            pieces(Piece::Usage(self.usage));
        }
        pieces(Piece::Start { id: str(message, "id"), model: str(message, "model") });
    }

    /// A content block begins. In a whole answer it is also complete.
    fn open(&mut self, block: Raw<'_>, pieces: &mut Pieces<'_>) {
        self.open = Open::Other;
        match &*text(block, "type") {
            "text" => Self::say(str(block, "text"), pieces),
            "thinking" => {
                self.open = Open::Thought;
                self.thoughts += 1;
                self.think(str(block, "thinking"), pieces);
                self.sign(str(block, "signature"), pieces);
            }
            "redacted_thinking" => {
                self.open = Open::Thought;
                self.thoughts += 1;
                let block_index = self.thoughts - 1;
                pieces(Piece::Redacted { block: block_index, data: str(block, "data") });
            }
            "tool_use" => {
                let name = text(block, "name");
                if name == ANSWER_TOOL {
                    self.open = Open::Shaped(Arguments::Missing);
                    self.shaped = true;
                } else {
                    self.open = Open::Call(Arguments::Missing);
                    self.calls += 1;
                    pieces(Piece::Call { index: self.calls - 1, id: str(block, "id"), name: str(block, "name") });
                }
                // A stream begins with an empty object and sends the real one in fragments.
                let input = block.get("input").filter(|input| input.members().next().is_some());
                self.input(input.map_or(Str::EMPTY, |input| Str::Plain(input.text())), pieces);
            }
            _ => {}
        }
    }

    fn delta<'a>(&mut self, delta: Raw<'a>, pieces: &mut Pieces<'_>) {
        let [kind, text, thinking, json] = delta.pick(["type", "text", "thinking", "partial_json"]);
        let given = |text: Option<Raw<'a>>| text.and_then(Raw::str).unwrap_or(Str::EMPTY);
        match &*kind.and_then(Raw::string).unwrap_or_default() {
            "text_delta" => Self::say(given(text), pieces),
            "thinking_delta" => self.think(given(thinking), pieces),
            "signature_delta" => self.sign(str(delta, "signature"), pieces),
            "input_json_delta" => self.input(given(json), pieces),
            "citations_delta" => cite(delta.get("citation").unwrap_or(Raw::NULL), pieces),
            // Future kinds.
            _ => {}
        }
    }

    fn close(&mut self, pieces: &mut Pieces<'_>) {
        match self.open {
            // A call without arguments. Callers parse arguments, so they must be JSON.
            Open::Call(Arguments::Missing) | Open::Shaped(Arguments::Missing) => self.input("{}".into(), pieces),
            _ => {}
        }
        self.open = Open::Other;
    }

    fn say(text: Str<'_>, pieces: &mut Pieces<'_>) {
        if !text.is_empty() {
            pieces(Piece::Text(text));
        }
    }

    fn think(&self, text: Str<'_>, pieces: &mut Pieces<'_>) {
        if !text.is_empty() {
            pieces(Piece::Reasoning { block: self.thoughts.saturating_sub(1), text });
        }
    }

    fn sign(&self, signature: Str<'_>, pieces: &mut Pieces<'_>) {
        if !signature.is_empty() {
            pieces(Piece::Signature { block: self.thoughts.saturating_sub(1), signature });
        }
    }

    fn input(&mut self, json: Str<'_>, pieces: &mut Pieces<'_>) {
        if json.is_empty() {
            return;
        }
        match self.open {
            Open::Call(_) => {
                self.open = Open::Call(Arguments::Given);
                pieces(Piece::Arguments { index: self.calls.saturating_sub(1), json });
            }
            Open::Shaped(_) => {
                self.open = Open::Shaped(Arguments::Given);
                pieces(Piece::Text(json));
            }
            Open::Other | Open::Thought => {}
        }
    }

    fn finish(&mut self, delta: Raw<'_>, pieces: &mut Pieces<'_>) {
        let Some(reason) = delta.get("stop_reason").and_then(Raw::string) else { return };
        if self.finish.is_some() {
            return;
        }
        let finish = match &*reason {
            "max_tokens" => Finish::Length,
            "model_context_window_exceeded" => Finish::ContextWindow,
            "tool_use" if self.calls > 0 || !self.shaped => Finish::ToolCalls,
            "refusal" => Finish::ContentFilter,
            // `end_turn`, `stop_sequence`; `pause_turn`, after which the caller may continue; future reasons.
            _ => Finish::Stop,
        };
        self.finish = Some(finish);
        if let Some(sequence) = delta.get("stop_sequence").and_then(Raw::str) {
            pieces(Piece::StopSequence(sequence));
        }
        pieces(Piece::Finish(finish));
    }

    /// Reads a usage object. Absent counts stay as they were. This API's input counts exclude each other.
    fn count(&mut self, usage: Raw<'_>) {
        let uncached = self.usage.input - (self.usage.cached_read + self.usage.cache_write).min(self.usage.input);
        let (mut input, mut read, mut write) = (uncached, self.usage.cached_read, self.usage.cache_write);
        for (name, value) in usage.members() {
            if name == "output_tokens_details" {
                let thinking = value.get("thinking_tokens").and_then(Raw::integer);
                self.usage.reasoning = thinking.unwrap_or(self.usage.reasoning);
            }
            if name == "cache_creation" {
                let for_an_hour = value.get("ephemeral_1h_input_tokens").and_then(Raw::integer);
                self.usage.cache_write_1h = for_an_hour.unwrap_or(self.usage.cache_write_1h);
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

/// The source of a piece of text.
///
/// <https://platform.claude.com/docs/en/build-with-claude/citations>
fn cite(citation: Raw<'_>, pieces: &mut Pieces<'_>) {
    let given = |name| citation.get(name).and_then(Raw::str);
    let citation = Citation {
        url: given("url"),
        title: given("document_title").or_else(|| given("title")),
        cited: given("cited_text"),
        document: citation.get("document_index").and_then(Raw::integer),
        // The positions are those in the document, not in the answer.
        start: None,
        end: None,
    };
    if citation != Citation::default() {
        pieces(Piece::Citation(citation));
    }
}

fn text<'a>(value: Raw<'a>, name: &str) -> Cow<'a, str> {
    value.get(name).and_then(Raw::string).unwrap_or_default()
}

fn str<'a>(value: Raw<'a>, name: &str) -> Str<'a> {
    value.get(name).and_then(Raw::str).unwrap_or(Str::EMPTY)
}
