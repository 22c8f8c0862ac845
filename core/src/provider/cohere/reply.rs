//! Reads a chat's answer, whole or streamed, as pieces.
//!
//! <https://docs.cohere.com/docs/streaming>

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::buffer::{cut, malformed};
use weir_hub::codec::json::write::{array, object};
use weir_hub::codec::json::{Raw, Str};
use weir_hub::fault::UpstreamFault;
use weir_hub::piece::{Citation, Finish, Piece};
use weir_hub::reply::{Event, Flow, Pieces, Reader};
use weir_hub::usage::Usage;

use super::fault::ended;
use crate::provider::answer_tool::ANSWER_TOOL;
use crate::provider::openai::stray;

/// How far an answer has been read.
#[derive(Default)]
pub(super) struct Reading {
    thought: Thought,
    /// How many blocks of reasoning have begun.
    thoughts: u32,
    /// The calls that have begun, by the provider's number; the latest with each number.
    calls: BTreeMap<u64, Call>,
    /// How many of them call the caller's tools.
    tools: u32,
}

/// The kind of reasoning that is being read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Thought {
    #[default]
    None,
    /// What the model plans to do with its tools (`tool_plan`).
    Plan,
    /// A part of the message; there may be several.
    Part,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Call {
    to: To,
    /// Whether it has had any arguments.
    given: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    /// A tool of the caller's; its number among the answer's calls.
    Tool(u32),
    /// [`ANSWER_TOOL`]: the caller receives its arguments as text.
    Answer,
}

impl Reading {
    pub(super) fn new() -> Self {
        Self::default()
    }
}

impl Reader for Reading {
    fn event(&mut self, event: Event<'_>, pieces: &mut Pieces<'_>) -> Result<Flow, UpstreamFault> {
        let event = match event {
            Event::Json { data, .. } => data,
            Event::Exception { name, data } => return Err(ended(name, Some(&text(data, "message")))),
            // Some hosts end every stream with this event; the answer's own last event has not come.
            Event::Done => return Err(cut()),
        };
        let [kind, index, delta, shares, id] = event.pick(["type", "index", "delta", "logprobs", "id"]);
        let delta = delta.unwrap_or(Raw::NULL);
        let message = delta.get("message").unwrap_or(Raw::NULL);
        let part = |name| message.get(name).unwrap_or(Raw::NULL);
        let index = index.and_then(Raw::integer).unwrap_or(0);
        match &*kind.and_then(Raw::string).unwrap_or_default() {
            "message-start" => {
                pieces(Piece::Start { id: id.and_then(Raw::str).unwrap_or(Str::EMPTY), model: Str::EMPTY });
            }
            "content-start" => {
                self.thought = Thought::None;
                self.content(part("content"), pieces);
            }
            "content-delta" => {
                self.content(part("content"), pieces);
                logprobs(shares, pieces);
                return Ok(Flow::More);
            }
            "content-end" => self.thought = Thought::None,
            "tool-plan-delta" => {
                self.plan(str(message, "tool_plan"), pieces);
                return Ok(Flow::More);
            }
            "tool-call-start" => self.call(index, part("tool_calls"), pieces),
            "tool-call-delta" => {
                let function = part("tool_calls").get("function").unwrap_or(Raw::NULL);
                self.arguments(index, str(function, "arguments"), pieces);
                return Ok(Flow::More);
            }
            "tool-call-end" => self.close(index, pieces),
            "citation-start" => cite(part("citations"), pieces),
            "message-end" => {
                count(delta.get("usage"), pieces);
                self.finish(delta, pieces)?;
                return Ok(Flow::Ended);
            }
            // An error object in place of an event: every event of this API has a type.
            "" => return Err(stray(event)),
            // Ends of citations, debugging events, and future kinds.
            _ => {}
        }
        Ok(Flow::Alive)
    }

    fn kept(&self) -> usize {
        self.calls.len() * 32
    }

    fn whole(&mut self, answer: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        let Some(message) = answer.get("message").filter(|message| message.members().next().is_some()) else {
            let said = answer.get("message").and_then(Raw::string);
            let fault = said.map(|said| ended("", Some(&said)));
            return Err(fault.unwrap_or_else(|| malformed("The provider's answer has no message.")));
        };
        let items = |name| message.get(name).unwrap_or(Raw::NULL).items();
        pieces(Piece::Start { id: str(answer, "id"), model: Str::EMPTY });
        self.plan(str(message, "tool_plan"), pieces);
        for part in items("content") {
            self.thought = Thought::None;
            self.content(part, pieces);
        }
        for item in answer.get("logprobs").unwrap_or(Raw::NULL).items() {
            logprobs(Some(item), pieces);
        }
        for citation in items("citations") {
            cite(citation, pieces);
        }
        for (index, call) in items("tool_calls").enumerate() {
            self.call(index as u64, call, pieces);
            self.close(index as u64, pieces);
        }
        count(answer.get("usage"), pieces);
        self.finish(answer, pieces)
    }
}

impl Reading {
    /// A part of the message, or more of it.
    fn content(&mut self, content: Raw<'_>, pieces: &mut Pieces<'_>) {
        let [said, thought] =
            content.pick(["text", "thinking"]).map(|text| text.and_then(Raw::str).unwrap_or(Str::EMPTY));
        if !said.is_empty() {
            pieces(Piece::Text(said));
        }
        self.think(Thought::Part, thought, pieces);
    }

    fn plan(&mut self, plan: Str<'_>, pieces: &mut Pieces<'_>) {
        self.think(Thought::Plan, plan, pieces);
    }

    fn think(&mut self, thought: Thought, text: Str<'_>, pieces: &mut Pieces<'_>) {
        if text.is_empty() {
            return;
        }
        if self.thought != thought {
            self.thought = thought;
            self.thoughts += 1;
        }
        pieces(Piece::Reasoning { block: self.thoughts.saturating_sub(1), text });
    }

    /// A call begins. In a whole answer it is also complete.
    fn call(&mut self, index: u64, call: Raw<'_>, pieces: &mut Pieces<'_>) {
        let function = call.get("function").unwrap_or(Raw::NULL);
        let to = if text(function, "name") == ANSWER_TOOL {
            To::Answer
        } else {
            let index = self.tools;
            self.tools += 1;
            pieces(Piece::Call { index, id: str(call, "id"), name: str(function, "name") });
            To::Tool(index)
        };
        self.calls.insert(index, Call { to, given: false });
        self.arguments(index, str(function, "arguments"), pieces);
    }

    fn arguments(&mut self, index: u64, json: Str<'_>, pieces: &mut Pieces<'_>) {
        let Some(call) = self.calls.get_mut(&index).filter(|_| !json.is_empty()) else { return };
        call.given = true;
        match call.to {
            To::Tool(index) => pieces(Piece::Arguments { index, json }),
            To::Answer => pieces(Piece::Text(json)),
        }
    }

    fn close(&mut self, index: u64, pieces: &mut Pieces<'_>) {
        // A call without arguments. Callers parse arguments, so they must be JSON.
        if self.calls.get(&index).is_some_and(|call| !call.given) {
            self.arguments(index, "{}".into(), pieces);
        }
    }

    fn finish(&self, end: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        let reason = text(end, "finish_reason");
        let calls = self.tools > 0;
        let finish = match &*reason {
            "" => return Err(malformed("The provider's answer has no finish reason.")),
            // Names from the API's first version, which some hosts still use.
            "MAX_TOKENS" | "ERROR_LIMIT" => Finish::Length,
            "ERROR_TOXIC" => Finish::ContentFilter,
            "ERROR" | "TIMEOUT" | "USER_CANCEL" => return Err(ended(&reason, Some(&text(end, "error")))),
            "TOOL_CALL" | "COMPLETE" if calls => Finish::ToolCalls,
            // `COMPLETE`, `STOP_SEQUENCE`, and future reasons.
            _ => Finish::Stop,
        };
        // The API does not say which one it was.
        if reason == "STOP_SEQUENCE" {
            pieces(Piece::StopSequence(Str::EMPTY));
        }
        pieces(Piece::Finish(finish));
        Ok(())
    }
}

/// Reads a usage object. It counts the tokens that the model saw. The billed tokens do not include those that Cohere
/// adds around the request. Cached tokens are included.
fn count(usage: Option<Raw<'_>>, pieces: &mut Pieces<'_>) {
    let Some(usage) = usage else { return };
    let count = |of: &str, name: &str| usage.get(of)?.get(name).and_then(whole);
    let tokens = |name| count("tokens", name).or_else(|| count("billed_units", name));
    let (Some(input), Some(output)) = (tokens("input_tokens"), tokens("output_tokens")) else { return };
    let cached_read = usage.get("cached_tokens").and_then(whole).unwrap_or(0);
    pieces(Piece::Usage(Usage { input, output, cached_read, ..Usage::default() }));
}

/// A count; the API's own schema allows any number.
fn whole(number: Raw<'_>) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and counts are small")]
    number.integer().or_else(|| number.number().map(|number| number as u64))
}

/// The sources of a piece of text: one piece for each. This API gives the whole document as the source's text, which
/// the caller already has.
///
/// <https://docs.cohere.com/docs/rag-citations>
fn cite(citation: Raw<'_>, pieces: &mut Pieces<'_>) {
    // Plans and reasoning are cited, too; positions in them are not positions in the text.
    if citation.get("type").and_then(Raw::string).is_some_and(|kind| kind != "TEXT_CONTENT") {
        return;
    }
    let place = |name| citation.get(name).and_then(whole);
    for source in citation.get("sources").unwrap_or(Raw::NULL).items() {
        let document = source.get("document").unwrap_or(Raw::NULL);
        let given = |name| document.get(name).and_then(Raw::str);
        let id = source.get("id");
        // Documents without a name are named by their number.
        let number = id.and_then(Raw::string).and_then(|id| id.strip_prefix("doc:")?.parse().ok());
        pieces(Piece::Citation(Citation {
            url: given("url"),
            title: given("title").or_else(|| id.and_then(Raw::str)),
            cited: None,
            document: number,
            start: place("start"),
            end: place("end"),
        }));
    }
}

/// Log probabilities of a piece of text, in OpenAI's format. One piece is one token, or a few that are text only
/// together; then it gets the probability of all of them.
fn logprobs(item: Option<Raw<'_>>, pieces: &mut Pieces<'_>) {
    let Some(item) = item else { return };
    let mut known = item.get("logprobs").unwrap_or(Raw::NULL).items().filter_map(Raw::number).peekable();
    let Some(token) = item.get("text").and_then(Raw::str).filter(|_| known.peek().is_some()) else { return };
    let sum: f64 = known.sum();
    let mut out = Vec::new();
    array(&mut out, [token], |out, token| {
        object(out, |item| {
            item.str("token", token);
            item.raw("logprob", &number(sum));
            item.array("bytes", token.text().bytes(), |out, byte| out.extend_from_slice(format!("{byte}").as_bytes()));
            item.raw("top_logprobs", "[]");
        });
    });
    if let Some(items) = core::str::from_utf8(&out).ok().and_then(Raw::parse) {
        pieces(Piece::Logprobs(items));
    }
}

/// A number in JSON, which has no infinity.
fn number(number: f64) -> String {
    if number.is_finite() { format!("{number}") } else { "-9999.0".into() }
}

fn text<'a>(value: Raw<'a>, name: &str) -> Cow<'a, str> {
    value.get(name).and_then(Raw::string).unwrap_or_default()
}

fn str<'a>(value: Raw<'a>, name: &str) -> Str<'a> {
    value.get(name).and_then(Raw::str).unwrap_or(Str::EMPTY)
}
