//! Translates an answer: reads it as pieces from one dialect and writes it in another.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::buffer::{Buffer, parse_into};
use weir_hub::call::ReplyStart;
use weir_hub::codec::json::{Spans, Str};
use weir_hub::dialect::{Dialect, Writer};
use weir_hub::embed::Encoding;
use weir_hub::endpoint::{Asked, Delivery};
use weir_hub::fault::UpstreamFault;
use weir_hub::frames::{Frames, Framing};
use weir_hub::piece::{Answer, Calls, Piece};
use weir_hub::progress::Progress;
use weir_hub::reply::{Event, Flow, Passage, Reader, Reply};

use super::bound::Bound;
use super::surrogates::Surrogates;
use crate::provider::Renamed;
use crate::provider::tool_names::restored;

/// Reads an answer with `reader` and writes it in `dialect`.
pub(crate) fn reply(
    dialect: &'static dyn Dialect,
    framing: Framing,
    reader: Box<dyn Reader>,
    start: &ReplyStart<'_>,
) -> Box<dyn Reply> {
    let progress = Progress::new(start);
    match start.asked.delivery {
        Delivery::Streamed => {
            let calls = start.calls;
            let translation = Translation {
                writer: dialect.stream(start),
                progress,
                started: false,
                surrogates: Surrogates::default(),
                calls,
                renamed: start.renamed.to_vec(),
                bound: Bound::default(),
            };
            Box::new(Stream { frames: Frames::new(framing), reader, translation })
        }
        Delivery::Whole => Box::new(Whole {
            buffer: Buffer::default(),
            reader,
            dialect,
            answer: Answer::default(),
            start: OwnedStart::from(start),
            progress,
        }),
    }
}

struct Stream {
    frames: Frames,
    reader: Box<dyn Reader>,
    translation: Translation,
}

/// What the caller receives, and how far the answer has come.
struct Translation {
    writer: Box<dyn Writer>,
    progress: Progress,
    started: bool,
    surrogates: Surrogates,
    calls: Calls,
    renamed: Renamed,
    bound: Bound,
}

impl Translation {
    /// Writes the next piece. An answer whose start is missing or repeated still starts exactly once.
    fn piece(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Start { .. } if self.started => return,
            Piece::Start { .. } => self.started = true,
            Piece::Usage(_) => {}
            _ => self.start(out),
        }
        let Self { writer, progress, surrogates, calls, renamed, bound, .. } = self;
        let left_out = calls.leave_out(&piece) || !bound.admits(&piece, writer.keeps(&piece));
        let piece = restored(progress.note(piece), renamed);
        if !left_out {
            surrogates.put(piece, |piece| writer.piece(piece, out));
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
        let Self { writer, progress, surrogates, .. } = self;
        progress.finish();
        surrogates.end(|piece| writer.piece(piece, out));
        writer.end(&progress.usage, out);
    }
}

impl Reply for Stream {
    fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let Self { frames, reader, translation } = self;
        frames.read(chunk, |event| {
            if let Some(event) = event {
                return translation.event(event, &mut **reader, out);
            }
            translation.progress.beat();
            Ok(())
        })?;
        Ok(Passage::Rewritten)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let Self { frames, reader, translation } = self;
        frames.end(|event| translation.event(event, &mut **reader, out))?;
        if !translation.progress.is_done() {
            reader.end(&mut |piece| translation.piece(piece, out))?;
            translation.bound.check(reader.kept())?;
            translation.end(out);
        }
        Ok(Passage::Rewritten)
    }

    fn progress(&self) -> &Progress {
        &self.translation.progress
    }

    fn awaits_end(&self) -> bool {
        !self.done() && self.reader.awaits_end()
    }

    fn next_number(&self) -> u64 {
        self.translation.writer.next_number()
    }
}

struct Whole {
    buffer: Buffer,
    reader: Box<dyn Reader>,
    dialect: &'static dyn Dialect,
    answer: Answer,
    start: OwnedStart,
    progress: Progress,
}

/// An owned [`ReplyStart`].
struct OwnedStart {
    asked: Asked,
    encoding: Encoding,
    created: u64,
    model: String,
    id: String,
    echo: String,
    calls: Calls,
    renamed: Renamed,
}

impl From<&ReplyStart<'_>> for OwnedStart {
    fn from(start: &ReplyStart<'_>) -> Self {
        let ReplyStart { asked, encoding, model, id, created, echo, calls, renamed, .. } = *start;
        let (model, id, echo, renamed) = (model.into(), id.into(), echo.into(), renamed.to_vec());
        Self { asked, encoding, created, model, id, echo, calls, renamed }
    }
}

impl OwnedStart {
    fn get(&self) -> ReplyStart<'_> {
        let Self { asked, encoding, created, ref model, ref id, ref echo, calls, ref renamed } = *self;
        ReplyStart { asked, encoding, model, id, created, echo, content_type: "", calls, renamed, texts: None }
    }
}

impl Reply for Whole {
    fn read(&mut self, chunk: &[u8], _: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        self.buffer.add(chunk)?;
        Ok(Passage::Rewritten)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let Self { buffer, reader, dialect, answer, start, progress } = self;
        let (body, mut spans, mut bound) = (buffer.take(), Spans::default(), Bound::default());
        reader.whole(parse_into(&body, &mut spans)?, &mut |piece| {
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
