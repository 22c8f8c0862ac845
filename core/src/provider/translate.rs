//! An answer read as pieces from one dialect and written in another.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::bound::Bound;
use super::held::{Held, malformed, parse_into};
use super::pairs::Pairs;
use super::progress::Progress;
use super::tool_names::restored;
use super::{Event, Flow, Framing, Passage, Reader, Renamed, Reply, ReplyStart};
use crate::codec::eventstream::{self, Message};
use crate::codec::json::write::object;
use crate::codec::json::{Raw, Spans, Str, check_into};
use crate::codec::sse::{self, Block};
use crate::dialect::{Dialect, Writer};
use crate::embed::Encoding;
use crate::endpoint::Delivery;
use crate::endpoint::{Endpoint, UsageChunk};
use crate::fault::UpstreamFault;
use crate::piece::{Answer, Calls, Piece};

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
            let calls = start.calls;
            let told = Told {
                writer: dialect.stream(start),
                progress,
                started: false,
                pairs: Pairs::default(),
                calls,
                renamed: start.renamed.to_vec(),
                bound: Bound::default(),
            };
            Box::new(Stream { frames: Frames::new(framing), reader, told })
        }
        Delivery::Whole => Box::new(Whole {
            held: Held::default(),
            reader,
            dialect,
            answer: Answer::default(),
            start: Kept::from(start),
            progress,
        }),
    }
}

/// Finds the events in the bytes of a stream, by its framing.
pub(super) enum Frames {
    Sse(sse::Reader, Spans),
    EventStream(eventstream::Reader),
}

impl Frames {
    pub(super) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Sse => Self::Sse(sse::Reader::new(sse::MAX_EVENT), Spans::default()),
            Framing::EventStream => Self::EventStream(eventstream::Reader::new(eventstream::MAX_MESSAGE)),
        }
    }

    /// Calls `on` for each event that is now complete, and for each comment, which is none.
    pub(super) fn read(
        &mut self,
        chunk: &[u8],
        mut on: impl FnMut(Option<Event<'_>>) -> Result<(), UpstreamFault>,
    ) -> Result<(), UpstreamFault> {
        match self {
            Self::Sse(reader, spans) => reader.read(chunk, |block| on(event(&block, spans)?)),
            Self::EventStream(reader) => {
                reader.read(chunk, |message| message_event(&message, &mut |event| on(Some(event))))
            }
        }
    }

    /// Calls `on` for an event that the end of the stream completes: its blank line may lack.
    pub(super) fn end(&mut self, on: impl FnOnce(Event<'_>) -> Result<(), UpstreamFault>) -> Result<(), UpstreamFault> {
        match self {
            // What is no JSON was cut off; that the stream is not complete will be told by what it lacks.
            Self::Sse(reader, spans) => reader.end(|block| match event(&block, spans) {
                Ok(Some(event)) => on(event),
                _ => Ok(()),
            }),
            Self::EventStream(reader) => reader.end(),
        }
    }
}

/// The event that a block is, if it is one.
pub(super) fn event<'b>(block: &'b Block<'_>, spans: &'b mut Spans) -> Result<Option<Event<'b>>, UpstreamFault> {
    let data = match block.data.as_deref() {
        // The last is a comment that went through what makes every line data: `data: : keepalive`.
        None | Some(b"" | [b':', ..]) => return Ok(None),
        Some(b"[DONE]") => return Ok(Some(Event::Done)),
        Some(data) => data,
    };
    let data = core::str::from_utf8(data).ok().and_then(|text| check_into(text, spans).ok());
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
    calls: Calls,
    renamed: Renamed,
    bound: Bound,
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
        let Self { writer, progress, pairs, calls, renamed, bound, .. } = self;
        let left_out = calls.leave_out(&piece) || !bound.admits(&piece, writer.keeps(&piece));
        let piece = restored(progress.note(piece), renamed);
        if !left_out {
            pairs.put(piece, |piece| writer.piece(piece, out));
        }
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
        let flow = reader.event(event, &mut |piece| self.piece(piece, out))?;
        self.bound.check(reader.kept())?;
        match flow {
            Flow::More => {}
            Flow::Alive => self.progress.beat(),
            Flow::Ended => self.end(out),
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        let Self { writer, progress, pairs, .. } = self;
        progress.finish();
        pairs.end(|piece| writer.piece(piece, out));
        writer.end(&progress.usage, out);
    }
}

impl Reply for Stream {
    fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let Self { frames, reader, told } = self;
        frames.read(chunk, |event| {
            if let Some(event) = event {
                return told.event(event, &mut **reader, out);
            }
            told.progress.beat();
            Ok(())
        })?;
        Ok(Passage::Rewritten)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let Self { frames, reader, told } = self;
        frames.end(|event| told.event(event, &mut **reader, out))?;
        if !told.progress.is_done() {
            reader.end(&mut |piece| told.piece(piece, out))?;
            told.bound.check(reader.kept())?;
            told.end(out);
        }
        Ok(Passage::Rewritten)
    }

    fn progress(&self) -> &Progress {
        &self.told.progress
    }

    fn awaits_end(&self) -> bool {
        !self.done() && self.reader.awaits_end()
    }

    fn next_number(&self) -> u64 {
        self.told.writer.next_number()
    }
}

struct Whole {
    held: Held,
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
    calls: Calls,
    renamed: Renamed,
}

impl From<&ReplyStart<'_>> for Kept {
    fn from(start: &ReplyStart<'_>) -> Self {
        let ReplyStart { endpoint, delivery, usage, encoding, model, id, created, echo, calls, renamed, .. } = *start;
        Self {
            endpoint,
            delivery,
            usage,
            encoding,
            created,
            model: model.into(),
            id: id.into(),
            echo: echo.into(),
            calls,
            renamed: renamed.to_vec(),
        }
    }
}

impl Kept {
    fn get(&self) -> ReplyStart<'_> {
        let Self { endpoint, delivery, usage, encoding, created, ref model, ref id, ref echo, calls, ref renamed } =
            *self;
        ReplyStart {
            endpoint,
            delivery,
            usage,
            encoding,
            model,
            id,
            created,
            echo,
            content_type: "",
            calls,
            renamed,
            texts: None,
        }
    }
}

impl Reply for Whole {
    fn read(&mut self, chunk: &[u8], _: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        self.held.add(chunk)?;
        Ok(Passage::Rewritten)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let Self { held, reader, dialect, answer, start, progress } = self;
        let (held, mut spans, mut bound) = (held.take(), Spans::default(), Bound::default());
        reader.whole(parse_into(&held, &mut spans)?, &mut |piece| {
            let left_out = start.calls.leave_out(&piece) || !bound.admits(&piece, false);
            let piece = restored(progress.note(piece), &start.renamed);
            if !left_out {
                answer.add(piece);
            }
        })?;
        bound.check(0)?;
        progress.finish();
        dialect.whole(answer, &progress.usage, &start.get(), out);
        Ok(Passage::Rewritten)
    }

    fn progress(&self) -> &Progress {
        &self.progress
    }

    fn begun(&self) -> bool {
        self.done()
    }
}
