//! Relays OpenAI's newer answers, whose stream events have a type, and one type is the last: Responses, and the streams
//! of transcriptions, speech and images.
//!
//! <https://platform.openai.com/docs/api-reference/responses-streaming>,
//! <https://platform.openai.com/docs/api-reference/audio/transcript-text-delta-event>,
//! <https://platform.openai.com/docs/api-reference/images-streaming>

use alloc::format;
use alloc::string::String;

use weir_hub::buffer::{cut, cut_whole, malformed};
use weir_hub::codec::json::{Kind, Raw, Str};
use weir_hub::fault::{UpstreamFault, Whose};
use weir_hub::piece::{Finish, Piece};
use weir_hub::reply::{Event, Flow, Pieces, Reader};
use weir_hub::usage::Usage;

use super::event::Members;
use super::fault::{in_answer, stray};
use crate::provider::redact;

/// Watches an answer. Of its content, it reports only that there is some.
#[derive(Default)]
pub(super) struct Reading {
    usage: Usage,
    complete: bool,
    /// The number of the next event.
    next: u64,
    /// The event with which the response failed.
    failed: Option<String>,
}

impl Reader for Reading {
    fn event(&mut self, event: Event<'_>, pieces: &mut Pieces<'_>) -> Result<Flow, UpstreamFault> {
        let (name, data) = match event {
            Event::Json { name, data } => (name, data),
            Event::Exception { data, .. } => return Err(in_answer(data)),
            // Some hosts end every stream with this event.
            Event::Done => return self.end(pieces).map(|()| Flow::Ended),
        };
        let [kind, number] = data.pick(["type", "sequence_number"]);
        let kind = kind.and_then(Raw::string).unwrap_or_default();
        if !matches!(&*kind, "error" | "response.failed") {
            self.next = number.and_then(Raw::integer).unwrap_or(self.next).saturating_add(1);
        }
        match &*kind {
            "error" => return Err(in_answer(data)),
            "response.failed" => {
                let response = data.get("response").unwrap_or(data);
                let fault = in_answer(response);
                // Clients read in it what to do next. A fault of the operator's account or key does not concern them.
                let error = response.get("error").unwrap_or(Raw::NULL);
                let on_one_line = !data.text().contains(['\n', '\r']);
                if fault.kind.whose() != Whose::Ours && on_one_line && redact::may_be_shown(error) {
                    self.failed = Some(format!("event: response.failed\ndata: {}\n\n", data.text()));
                }
                return Err(fault);
            }
            "response.created" => start(data.get("response").unwrap_or(Raw::NULL), pieces),
            "response.completed" | "response.incomplete" => {
                let response = data.get("response").unwrap_or(Raw::NULL);
                match status(response) {
                    Status::Whole => self.finish(response, pieces),
                    Status::Failed => return Err(in_answer(response)),
                    Status::Awaited | Status::Other => return Err(cut()),
                }
                return Ok(Flow::Ended);
            }
            "transcript.text.done" | "speech.audio.done" => {
                self.finish(data, pieces);
                return Ok(Flow::Ended);
            }
            // There may be several.
            "image_generation.completed" | "image_edit.completed" => self.finish(data, pieces),
            "response.output_item.added" if is_call(data) => begin(Str::EMPTY, pieces),
            kind if matches!(kind.rsplit('.').next(), Some("delta" | "partial_image")) => {
                let text = data.get("delta").and_then(Raw::str);
                // An empty delta has no content.
                if text.is_none_or(|text| !text.is_empty()) {
                    begin(text.unwrap_or(Str::EMPTY), pieces);
                }
                return Ok(Flow::More);
            }
            _ if name == "error" || data.get("error").is_some_and(|error| !error.is_null()) => {
                return Err(in_answer(data));
            }
            // Every event here has at least a type or a name.
            "" if name.is_empty() => return Err(stray(data)),
            // Frames around content, the work of tools, and future types.
            _ => {}
        }
        Ok(Flow::Alive)
    }

    fn own_failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    fn next_number(&self) -> u64 {
        self.next
    }

    fn whole(&mut self, response: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        let status = status(response);
        if status == Status::Failed || Members::read(response).is_error() {
            return Err(in_answer(response));
        }
        // A response that is made in the background has no output yet.
        let background = response.get("background").and_then(Raw::boolean) == Some(true);
        let awaited = status == Status::Awaited && background;
        if !awaited && status != Status::Whole {
            return Err(cut_whole());
        }
        if !awaited && response.get("output").is_none_or(|output| output.kind() != Kind::Array) {
            return Err(malformed("The provider's answer has no output."));
        }
        start(response, pieces);
        self.finish(response, pieces);
        Ok(())
    }

    fn end(&mut self, _: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        if self.complete { Ok(()) } else { Err(cut()) }
    }
}

impl Reading {
    fn finish(&mut self, answer: Raw<'_>, pieces: &mut Pieces<'_>) {
        self.complete = true;
        if let Some(usage) = Members::read(answer).usage() {
            // Each image has its own usage.
            self.usage = Usage {
                input: self.usage.input.saturating_add(usage.input),
                output: self.usage.output.saturating_add(usage.output),
                ..usage
            };
            pieces(Piece::Usage(self.usage));
        }
        pieces(Piece::Finish(Finish::Stop));
    }
}

/// How far a response has come, by its own status.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    /// It has ended, whatever the reason, which the caller reads, too. Transcriptions and some hosts have no status.
    Whole,
    Failed,
    Awaited,
    /// Cancelled, and future ones.
    Other,
}

fn status(response: Raw<'_>) -> Status {
    match &*response.get("status").and_then(Raw::string).unwrap_or_default() {
        "" | "completed" | "incomplete" => Status::Whole,
        "failed" => Status::Failed,
        "queued" | "in_progress" => Status::Awaited,
        _ => Status::Other,
    }
}

fn start(response: Raw<'_>, pieces: &mut Pieces<'_>) {
    let given = |name| response.get(name).and_then(Raw::str).unwrap_or(Str::EMPTY);
    pieces(Piece::Start { id: given("id"), model: given("model") });
}

/// There is some content; `text` may be all of it that can be counted.
fn begin(text: Str<'_>, pieces: &mut Pieces<'_>) {
    pieces(Piece::Text(text));
}

/// Whether the item that an event adds is a tool call, wherever the tool runs. A message or reasoning begins with its
/// text.
fn is_call(event: Raw<'_>) -> bool {
    let kind = event.get("item").and_then(|item| item.get("type")).and_then(Raw::string);
    kind.is_some_and(|kind| !matches!(&*kind, "message" | "reasoning"))
}
