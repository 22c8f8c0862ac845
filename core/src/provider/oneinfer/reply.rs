//! Reads an answer, whole or streamed, as pieces.
//!
//! A whole answer is in the member `data` of an envelope, which can also report errors. For an event, the pages show
//! only `delta`, a string. It is assumed that the other members of `data` also come in events, under the same names,
//! and that a stream is complete after a finish reason or `[DONE]`.
//!
//! <https://oneinfer.ai/docs/guides/chat-streaming>,
//! <https://oneinfer.ai/docs/api/chat-completions>, Response Fields,
//! <https://oneinfer.ai/docs/api/audio-generation> (the envelope)

use weir_hub::buffer::{cut, malformed};
use weir_hub::codec::json::{Kind, Raw, Str};
use weir_hub::fault::UpstreamFault;
use weir_hub::piece::{Finish, Piece};
use weir_hub::reply::{Event, Flow, Pieces, Reader};
use weir_hub::usage::Usage;

use super::fault::{failed, in_answer};
use crate::provider::openai::stray;

/// How far an answer has been read.
#[expect(clippy::struct_excessive_bools, reason = "what has been told; each comes by itself")]
#[derive(Default)]
pub(super) struct Reading {
    started: bool,
    /// Whether there was text.
    said: bool,
    finished: bool,
    counted: bool,
}

/// The content of an event or of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Text,
    /// Names, usage, or the finish reason.
    Frame,
    /// Nothing known.
    Other,
}

impl Reading {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Reads an event, or a whole answer, whose text is in `member`.
    fn read(&mut self, answer: Raw<'_>, member: &str, pieces: &mut Pieces<'_>) -> Result<Part, UpstreamFault> {
        let names = ["id", "model", member, "finish_reason", "usage"];
        let [error, details, data, bare @ ..] =
            answer.pick(["error", "api_details", "data", "id", "model", member, "finish_reason", "usage"]);
        if (error.is_some() || details.is_some())
            && let Some(fault) = in_answer(answer)
        {
            return Err(fault);
        }
        let data = data.filter(|data| data.kind() == Kind::Object);
        let [id, model, text, reason, usage] = data.map_or(bare, |data| data.pick(names));
        if !self.started && (id.is_some() || text.is_some() || reason.is_some()) {
            self.started = true;
            let [id, model] = [id, model].map(|name| name.and_then(Raw::str).unwrap_or(Str::EMPTY));
            pieces(Piece::Start { id, model });
        }
        if let Some(said) = text.and_then(Raw::str).filter(|said| !said.is_empty() && !self.finished) {
            self.said = true;
            pieces(Piece::Text(said));
        }
        self.count(usage, pieces);
        if let Some(reason) = reason.and_then(Raw::string).filter(|reason| !reason.is_empty()) {
            self.finish(&reason, pieces);
        }
        Ok(match text {
            Some(_) => Part::Text,
            None if [id, model, reason, usage].iter().any(Option::is_some) => Part::Frame,
            None => Part::Other,
        })
    }

    fn count(&mut self, usage: Option<Raw<'_>>, pieces: &mut Pieces<'_>) {
        let count = |name| usage.and_then(|usage| usage.get(name)?.integer());
        if let (Some(input), Some(output)) = (count("prompt_tokens"), count("completion_tokens")) {
            self.counted = true;
            pieces(Piece::Usage(Usage { input, output, ..Usage::default() }));
        }
    }

    fn finish(&mut self, reason: &str, pieces: &mut Pieces<'_>) {
        if self.finished {
            return;
        }
        self.finished = true;
        pieces(Piece::Finish(match reason {
            // The page names `stop` and `length`. Anthropic's and Google's names for `length` may have been passed on.
            "length" | "max_tokens" | "MAX_TOKENS" => Finish::Length,
            "content_filter" => Finish::ContentFilter,
            _ => Finish::Stop,
        }));
    }
}

impl Reader for Reading {
    fn event(&mut self, event: Event<'_>, pieces: &mut Pieces<'_>) -> Result<Flow, UpstreamFault> {
        match event {
            Event::Json { name: "error", data } | Event::Exception { data, .. } => Err(failed(data)),
            Event::Json { name, data } => {
                let part = self.read(data, "delta", pieces)?;
                // Usage may come after the finish reason.
                match part {
                    _ if self.finished && self.counted => Ok(Flow::Ended),
                    // An event with a name of its own is neither part of the answer nor an error.
                    Part::Other if !name.is_empty() => Ok(Flow::Alive),
                    // After the finish reason, only the end is missing.
                    Part::Other if !self.finished => Err(stray(data)),
                    _ => Ok(Flow::More),
                }
            }
            Event::Done if !self.said => Err(malformed("The provider's stream has no answer.")),
            // No page shows a finish reason in an event, so this event alone may mark the end.
            Event::Done => {
                self.finish("stop", pieces);
                Ok(Flow::Ended)
            }
        }
    }

    fn whole(&mut self, answer: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        if self.read(answer, "text", pieces)? != Part::Text {
            return Err(malformed("The provider's answer has no text."));
        }
        self.finish("stop", pieces);
        Ok(())
    }

    fn end(&mut self, _: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        if self.finished { Ok(()) } else { Err(cut()) }
    }
}
