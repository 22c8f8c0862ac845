//! An answer read as pieces from one dialect and written in another.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::openai::parse;
use super::pairs::Pairs;
use super::{Event, Flow, Framing, Passage, Reader, Reply, ReplyStart};
use crate::codec::eventstream::{self, Message};
use crate::codec::json::write::object;
use crate::codec::json::{Raw, Str, check};
use crate::codec::sse::{self, Block};
use crate::dialect::{Dialect, Writer};
use crate::embed::Encoding;
use crate::endpoint::Delivery;
use crate::endpoint::{Endpoint, UsageChunk};
use crate::fault::{FaultKind, UpstreamFault};
use crate::piece::{Answer, Piece};
use crate::usage::Usage;

/// More than any answer has.
const MAX_BODY: usize = 64 << 20;

/// Reads an answer with `reader` and writes it in `dialect`.
pub(crate) fn reply(
    dialect: &'static dyn Dialect,
    framing: Framing,
    reader: Box<dyn Reader>,
    start: &ReplyStart<'_>,
) -> Box<dyn Reply> {
    let progress = Progress::new(start);
    match start.delivery {
        Delivery::Streamed => {
            let told = Told { writer: dialect.stream(start), progress, started: false, pairs: Pairs::default() };
            Box::new(Stream { frames: Frames::new(framing), reader, told })
        }
        Delivery::Whole => Box::new(Whole {
            held: Vec::new(),
            reader,
            dialect,
            answer: Answer::default(),
            start: Kept::from(start),
            progress,
        }),
    }
}

/// How far an answer has come, as its pieces tell.
pub(super) struct Progress {
    phase: Phase,
    usage: Usage,
    model: String,
    id: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No token yet.
    Waiting,
    Begun,
    Done,
}

impl Progress {
    pub(super) fn new(start: &ReplyStart<'_>) -> Self {
        let usage = Usage { estimated: true, ..Usage::default() };
        Self { phase: Phase::Waiting, usage, model: start.model.to_string(), id: start.id.to_string() }
    }

    /// Notes what `piece` tells. An answer that its provider did not name is named.
    pub(super) fn note<'p>(&'p mut self, piece: Piece<'p>) -> Piece<'p> {
        let content = match piece {
            Piece::Start { id, model } => {
                if !model.is_empty() {
                    self.model = model.text().into_owned();
                }
                let id = if id.is_empty() { Str::Plain(&self.id) } else { id };
                return Piece::Start { id, model: Str::Plain(&self.model) };
            }
            Piece::Usage(usage) => {
                self.usage = usage;
                return piece;
            }
            Piece::Choice(_) | Piece::StopSequence(_) => return piece,
            Piece::Text(text)
            | Piece::Refusal(text)
            | Piece::Reasoning { text, .. }
            | Piece::Arguments { json: text, .. } => text.written().len(),
            Piece::Signature { .. }
            | Piece::Redacted { .. }
            | Piece::Call { .. }
            | Piece::Citation(_)
            | Piece::Image { .. }
            | Piece::Logprobs(_)
            | Piece::Finish(_) => 0,
        };
        // What the provider has not counted yet is guessed at four bytes a token.
        if self.usage.estimated {
            self.usage.output += (content as u64).div_ceil(4);
        }
        if self.phase == Phase::Waiting {
            self.phase = Phase::Begun;
        }
        piece
    }

    pub(super) fn done(&mut self) {
        self.phase = Phase::Done;
    }

    pub(super) fn has_begun(&self) -> bool {
        self.phase != Phase::Waiting
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    pub(super) fn model(&self) -> Option<&str> {
        Some(self.model.as_str()).filter(|model| !model.is_empty())
    }
}

/// Finds the events in the bytes of a stream, by its framing.
pub(super) enum Frames {
    Sse(sse::Reader),
    EventStream(eventstream::Reader),
}

impl Frames {
    pub(super) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Sse => Self::Sse(sse::Reader::new(sse::MAX_EVENT)),
            Framing::EventStream => Self::EventStream(eventstream::Reader::new(eventstream::MAX_MESSAGE)),
        }
    }

    /// Calls `on` for each event that is now complete.
    pub(super) fn read(
        &mut self,
        chunk: &[u8],
        mut on: impl FnMut(Event<'_>) -> Result<(), UpstreamFault>,
    ) -> Result<(), UpstreamFault> {
        match self {
            Self::Sse(reader) => reader.read(chunk, |block| match event(&block)? {
                Some(event) => on(event),
                None => Ok(()),
            }),
            Self::EventStream(reader) => reader.read(chunk, |message| message_event(&message, &mut on)),
        }
    }

    /// Calls `on` for an event that the end of the stream completes: its blank line may lack.
    pub(super) fn end(&mut self, on: impl FnOnce(Event<'_>) -> Result<(), UpstreamFault>) -> Result<(), UpstreamFault> {
        match self {
            // What is no JSON was cut off; that the stream is not complete will be told by what it lacks.
            Self::Sse(reader) => reader.end(|block| match event(&block) {
                Ok(Some(event)) => on(event),
                _ => Ok(()),
            }),
            Self::EventStream(reader) => reader.end(),
        }
    }
}

/// The event that a block is, if it is one.
pub(super) fn event<'b>(block: &'b Block<'_>) -> Result<Option<Event<'b>>, UpstreamFault> {
    let data = match block.data.as_deref() {
        None | Some(b"") => return Ok(None),
        Some(b"[DONE]") => return Ok(Some(Event::Done)),
        Some(data) => data,
    };
    let data = core::str::from_utf8(data).ok().and_then(|text| check(text).ok());
    let data = data.ok_or_else(|| malformed("The provider sent an event that is not JSON."))?;
    Ok(Some(Event::Json { name: core::str::from_utf8(block.name).unwrap_or_default(), data }))
}

/// Calls `on` for the event that a message is.
fn message_event(
    message: &Message<'_>,
    on: &mut impl FnMut(Event<'_>) -> Result<(), UpstreamFault>,
) -> Result<(), UpstreamFault> {
    let header = |name| message.text(name).unwrap_or_default();
    if header(":message-type") == "error" {
        let mut said = Vec::new();
        object(&mut said, |said| said.string("message", header(":error-message")));
        let data = core::str::from_utf8(&said).ok().and_then(Raw::parse).unwrap_or(Raw::NULL);
        return on(Event::Exception { name: header(":error-code"), data });
    }
    let data = match message.payload {
        b"" => Some(Raw::NULL),
        payload => core::str::from_utf8(payload).ok().and_then(Raw::parse),
    };
    let data = data.ok_or_else(|| malformed("The provider sent an event that is not JSON."))?;
    if header(":message-type") == "exception" {
        return on(Event::Exception { name: header(":exception-type"), data });
    }
    on(Event::Json { name: header(":event-type"), data })
}

struct Stream {
    frames: Frames,
    reader: Box<dyn Reader>,
    told: Told,
}

/// What the caller is told, and how far that has come.
struct Told {
    writer: Box<dyn Writer>,
    progress: Progress,
    started: bool,
    pairs: Pairs,
}

impl Told {
    /// Tells the next piece. An answer whose start is missing, or comes again, starts once all the same.
    fn piece(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Start { .. } if self.started => return,
            Piece::Start { .. } => self.started = true,
            Piece::Usage(_) => {}
            _ => self.start(out),
        }
        let Self { writer, progress, pairs, .. } = self;
        pairs.put(progress.note(piece), |piece| writer.piece(piece, out));
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if !self.started {
            self.piece(Piece::Start { id: Str::EMPTY, model: Str::EMPTY }, out);
        }
    }

    fn event(&mut self, event: Event<'_>, reader: &mut dyn Reader, out: &mut Vec<u8>) -> Result<(), UpstreamFault> {
        if self.progress.is_done() {
            return Ok(());
        }
        if reader.event(event, &mut |piece| self.piece(piece, out))? == Flow::Ended {
            self.end(out);
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        let Self { writer, progress, pairs, .. } = self;
        progress.done();
        pairs.end(|piece| writer.piece(piece, out));
        writer.end(&progress.usage, out);
    }
}

impl Reply for Stream {
    fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let Self { frames, reader, told } = self;
        frames.read(chunk, |event| told.event(event, &mut **reader, out))?;
        Ok(Passage::Rewritten)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let Self { frames, reader, told } = self;
        frames.end(|event| told.event(event, &mut **reader, out))?;
        if !told.progress.is_done() {
            reader.end(&mut |piece| told.piece(piece, out))?;
            told.end(out);
        }
        Ok(Passage::Rewritten)
    }

    fn begun(&self) -> bool {
        self.told.progress.has_begun()
    }

    fn done(&self) -> bool {
        self.told.progress.is_done()
    }

    fn usage(&self) -> Usage {
        self.told.progress.usage
    }

    fn model(&self) -> Option<&str> {
        self.told.progress.model()
    }
}

struct Whole {
    held: Vec<u8>,
    reader: Box<dyn Reader>,
    dialect: &'static dyn Dialect,
    answer: Answer,
    start: Kept,
    progress: Progress,
}

/// A [`ReplyStart`], kept until the end.
struct Kept {
    endpoint: Endpoint,
    delivery: Delivery,
    usage: UsageChunk,
    encoding: Encoding,
    created: u64,
    model: String,
    id: String,
    echo: String,
}

impl From<&ReplyStart<'_>> for Kept {
    fn from(start: &ReplyStart<'_>) -> Self {
        let ReplyStart { endpoint, delivery, usage, encoding, model, id, created, echo, content_type: _ } = *start;
        Self { endpoint, delivery, usage, encoding, created, model: model.into(), id: id.into(), echo: echo.into() }
    }
}

impl Kept {
    fn get(&self) -> ReplyStart<'_> {
        let Self { endpoint, delivery, usage, encoding, created, ref model, ref id, ref echo } = *self;
        ReplyStart { endpoint, delivery, usage, encoding, model, id, created, echo, content_type: "" }
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
        let Self { held, reader, dialect, answer, start, progress } = self;
        let held = core::mem::take(held);
        reader.whole(parse(&held)?, &mut |piece| answer.add(progress.note(piece)))?;
        progress.done();
        dialect.whole(answer, &progress.usage, &start.get(), out);
        Ok(Passage::Rewritten)
    }

    fn begun(&self) -> bool {
        self.progress.is_done()
    }

    fn done(&self) -> bool {
        self.progress.is_done()
    }

    fn usage(&self) -> Usage {
        self.progress.usage
    }

    fn model(&self) -> Option<&str> {
        self.progress.model()
    }
}

/// A fault of an answer that is not what was promised.
pub(super) fn malformed(message: &str) -> UpstreamFault {
    UpstreamFault::new(FaultKind::Malformed, message)
}
