//! Reads a Converse answer, whole or streamed, as pieces.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html>

use alloc::borrow::Cow;

use weir_hub::buffer::{cut, malformed};
use weir_hub::codec::json::{Raw, Str};
use weir_hub::fault::UpstreamFault;
use weir_hub::piece::{Citation, Finish, Piece};
use weir_hub::reply::{Event, Flow, Pieces, Reader};
use weir_hub::usage::Usage;

use super::fault::in_stream;
use crate::provider::answer_tool::ANSWER_TOOL;
use crate::provider::openai::stray;

/// How far an answer has been read.
pub(super) struct Reading {
    /// The content block being read, with its number.
    open: (u64, Open),
    /// How many tool calls have begun.
    calls: u32,
    /// How many blocks of reasoning have begun.
    thoughts: u32,
    /// Whether the answer came through [`ANSWER_TOOL`].
    shaped: bool,
    finished: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// Text, or a block that callers do not receive. No event marks the start of text.
    Other,
    Thought,
    Call(Arguments),
    /// [`ANSWER_TOOL`]: the caller receives its input as text.
    Shaped(Arguments),
    /// An image with this type.
    Image(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Arguments {
    Missing,
    Given,
}

impl Reading {
    pub(super) fn new() -> Self {
        Self { open: (0, Open::Other), calls: 0, thoughts: 0, shaped: false, finished: false }
    }
}

impl Reader for Reading {
    fn event(&mut self, event: Event<'_>, pieces: &mut Pieces<'_>) -> Result<Flow, UpstreamFault> {
        let (name, data) = match event {
            Event::Json { name, data } => (name, data),
            Event::Exception { name, data } => return Err(in_stream(name, data)),
            Event::Done => return self.end(pieces).map(|()| Flow::Ended),
        };
        let [index, start, delta, usage] = data.pick(["contentBlockIndex", "start", "delta", "usage"]);
        let index = index.and_then(Raw::integer).unwrap_or(0);
        match name {
            "messageStart" => pieces(Piece::Start { id: Str::EMPTY, model: Str::EMPTY }),
            "contentBlockStart" => self.begin(index, start.unwrap_or(Raw::NULL), pieces),
            "contentBlockDelta" => {
                if self.open.0 != index {
                    self.open = (index, Open::Other);
                }
                self.delta(delta.unwrap_or(Raw::NULL), pieces);
                return Ok(Flow::More);
            }
            "contentBlockStop" => self.close(pieces),
            "messageStop" => self.finish(data, pieces)?,
            "metadata" => {
                count(usage.unwrap_or(Raw::NULL), pieces);
                if !self.finished {
                    return Err(malformed("The provider's stream ended without a stop reason."));
                }
                return Ok(Flow::Ended);
            }
            // Every event of this API has a name.
            "" if !self.finished => return Err(stray(data)),
            // Future kinds.
            _ => {}
        }
        Ok(Flow::Alive)
    }

    fn whole(&mut self, answer: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        let message = answer.get("output").and_then(|output| output.get("message"));
        let message = message.ok_or_else(|| malformed("The provider's answer has no message."))?;
        pieces(Piece::Start { id: Str::EMPTY, model: Str::EMPTY });
        for (index, block) in message.get("content").unwrap_or(Raw::NULL).items().enumerate() {
            self.begin(index as u64, block, pieces);
            self.block(block, pieces);
            self.close(pieces);
        }
        count(answer.get("usage").unwrap_or(Raw::NULL), pieces);
        self.finish(answer, pieces)
    }

    /// After the stop reason there are only token counts.
    fn end(&mut self, _: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        if self.finished { Ok(()) } else { Err(cut()) }
    }
}

impl Reading {
    /// A content block begins that has a start event.
    fn begin(&mut self, index: u64, start: Raw<'_>, pieces: &mut Pieces<'_>) {
        self.open = (index, Open::Other);
        if let Some(call) = start.get("toolUse") {
            if text(call, "name") == ANSWER_TOOL {
                self.open.1 = Open::Shaped(Arguments::Missing);
                self.shaped = true;
            } else {
                self.open.1 = Open::Call(Arguments::Missing);
                self.calls += 1;
                pieces(Piece::Call { index: self.calls - 1, id: str(call, "toolUseId"), name: str(call, "name") });
            }
        } else if let Some(image) = start.get("image") {
            self.open.1 = Open::Image(media_type(&text(image, "format")));
        }
    }

    /// A content block of a whole answer.
    fn block(&mut self, block: Raw<'_>, pieces: &mut Pieces<'_>) {
        let part = |name| block.get(name);
        say(str(block, "text"), pieces);
        if let Some(call) = part("toolUse") {
            let input = call.get("input").unwrap_or(Raw::NULL);
            self.input(Str::Plain(if input.is_null() { "" } else { input.text() }), pieces);
        } else if let Some(reasoning) = part("reasoningContent") {
            self.think(reasoning.get("reasoningText").unwrap_or(reasoning), pieces);
        } else if let Some(image) = part("image") {
            self.image(image, pieces);
        } else if let Some(cited) = part("citationsContent") {
            for text in cited.get("content").unwrap_or(Raw::NULL).items() {
                say(str(text, "text"), pieces);
            }
            for citation in cited.get("citations").unwrap_or(Raw::NULL).items() {
                cite(citation, pieces);
            }
        }
    }

    /// More of a content block.
    fn delta(&mut self, delta: Raw<'_>, pieces: &mut Pieces<'_>) {
        let [text, call, reasoning, citation, image] =
            delta.pick(["text", "toolUse", "reasoningContent", "citation", "image"]);
        say(text.and_then(Raw::str).unwrap_or(Str::EMPTY), pieces);
        if let Some(call) = call {
            self.input(str(call, "input"), pieces);
        } else if let Some(reasoning) = reasoning {
            self.think(reasoning, pieces);
        } else if let Some(citation) = citation {
            cite(citation, pieces);
        } else if let Some(image) = image {
            self.image(image, pieces);
        }
    }

    fn close(&mut self, pieces: &mut Pieces<'_>) {
        // A call without arguments. Callers parse arguments, so they must be JSON.
        if matches!(self.open.1, Open::Call(Arguments::Missing) | Open::Shaped(Arguments::Missing)) {
            self.input("{}".into(), pieces);
        }
        self.open.1 = Open::Other;
    }

    /// Reasoning: its text, its proof, or what only the provider can read. No event marks its start.
    fn think(&mut self, reasoning: Raw<'_>, pieces: &mut Pieces<'_>) {
        if self.open.1 != Open::Thought {
            self.open.1 = Open::Thought;
            self.thoughts += 1;
        }
        let block = self.thoughts.saturating_sub(1);
        let given = |name| reasoning.get(name).and_then(Raw::str).filter(|text| !text.is_empty());
        if let Some(text) = given("text") {
            pieces(Piece::Reasoning { block, text });
        }
        if let Some(signature) = given("signature") {
            pieces(Piece::Signature { block, signature });
        }
        if let Some(data) = given("redactedContent") {
            pieces(Piece::Redacted { block, data });
        }
    }

    fn input(&mut self, json: Str<'_>, pieces: &mut Pieces<'_>) {
        if json.is_empty() {
            return;
        }
        match self.open.1 {
            Open::Call(_) => {
                self.open.1 = Open::Call(Arguments::Given);
                pieces(Piece::Arguments { index: self.calls.saturating_sub(1), json });
            }
            Open::Shaped(_) => {
                self.open.1 = Open::Shaped(Arguments::Given);
                pieces(Piece::Text(json));
            }
            Open::Other | Open::Thought | Open::Image(_) => {}
        }
    }

    fn image(&self, image: Raw<'_>, pieces: &mut Pieces<'_>) {
        let Open::Image(media_type) = self.open.1 else { return };
        if let Some(data) = image.get("source").and_then(|source| source.get("bytes")).and_then(Raw::str) {
            pieces(Piece::Image { media_type: media_type.into(), data });
        }
    }

    fn finish(&mut self, end: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        if self.finished {
            return Ok(());
        }
        let finish = match &*text(end, "stopReason") {
            "" => return Err(malformed("The provider's answer has no stop reason.")),
            "max_tokens" => Finish::Length,
            "model_context_window_exceeded" => Finish::ContextWindow,
            "tool_use" if self.calls > 0 || !self.shaped => Finish::ToolCalls,
            "guardrail_intervened" | "content_filtered" => Finish::ContentFilter,
            "malformed_model_output" | "malformed_tool_use" => {
                return Err(malformed("The model's answer was not what the provider could read."));
            }
            // `end_turn`, `stop_sequence`; future reasons.
            _ => Finish::Stop,
        };
        self.finished = true;
        let told = end.get("additionalModelResponseFields").and_then(|told| told.get("stop_sequence"));
        let met = text(end, "stopReason") == "stop_sequence";
        // Only Claude says which stop sequence it was.
        if let Some(sequence) = told.and_then(Raw::str).or(met.then_some(Str::EMPTY)) {
            pieces(Piece::StopSequence(sequence));
        }
        pieces(Piece::Finish(finish));
        Ok(())
    }
}

fn say(text: Str<'_>, pieces: &mut Pieces<'_>) {
    if !text.is_empty() {
        pieces(Piece::Text(text));
    }
}

/// Reads a usage object. `inputTokens` does not include input that was read from the cache or written to it.
///
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>
fn count(usage: Raw<'_>, pieces: &mut Pieces<'_>) {
    let count = |name| usage.get(name).and_then(Raw::integer);
    let (Some(uncached), Some(output)) = (count("inputTokens"), count("outputTokens")) else { return };
    let cached_read = count("cacheReadInputTokens").unwrap_or(0);
    let cache_write = count("cacheWriteInputTokens").unwrap_or(0);
    let input = uncached.saturating_add(cached_read).saturating_add(cache_write);
    pieces(Piece::Usage(Usage { input, output, cached_read, cache_write, ..Usage::default() }));
}

/// The source of a piece of text.
///
/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Citation.html>
fn cite(citation: Raw<'_>, pieces: &mut Pieces<'_>) {
    let location = citation.get("location").unwrap_or(Raw::NULL);
    // The only member's name is the kind of location.
    let place = location.members().next().map_or(Raw::NULL, |(_, place)| place);
    let cited = citation.get("sourceContent").and_then(|content| content.items().next());
    let citation = Citation {
        url: place.get("url").and_then(Raw::str),
        title: citation.get("title").and_then(Raw::str),
        cited: cited.and_then(|content| content.get("text")?.str()),
        document: place.get("documentIndex").and_then(Raw::integer),
        // The positions are those in the document, not in the answer.
        start: None,
        end: None,
    };
    if citation != Citation::default() {
        pieces(Piece::Citation(citation));
    }
}

fn media_type(format: &str) -> &'static str {
    match format {
        "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        _ => "image/png",
    }
}

fn text<'a>(value: Raw<'a>, name: &str) -> Cow<'a, str> {
    value.get(name).and_then(Raw::string).unwrap_or_default()
}

fn str<'a>(value: Raw<'a>, name: &str) -> Str<'a> {
    value.get(name).and_then(Raw::str).unwrap_or(Str::EMPTY)
}
