//! Relays an answer byte for byte, while a reader watches it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::buffer::{Buffer, parse_into};
use crate::call::ReplyStart;
use crate::codec::json::Spans;
use crate::codec::sse;
use crate::endpoint::Delivery;
use crate::fault::UpstreamFault;
use crate::frames::event;
use crate::passthrough::Passthrough;
use crate::progress::Progress;
use crate::reply::{Event, Flow, Passage, Reader, Reply};

/// Relays an answer that `reader` watches.
pub fn reply(reader: Box<dyn Reader>, start: &ReplyStart<'_>) -> Box<dyn Reply> {
    let watch = Watch { reader, progress: Progress::new(start) };
    match start.asked.delivery {
        Delivery::Streamed => {
            Box::new(Stream { frames: sse::Reader::new(sse::MAX_EVENT), spans: Spans::default(), watch })
        }
        Delivery::Whole => Box::new(Whole { buffer: Buffer::default(), watch }),
    }
}

struct Watch {
    reader: Box<dyn Reader>,
    progress: Progress,
}

struct Stream {
    frames: sse::Reader<UpstreamFault>,
    spans: Spans,
    watch: Watch,
}

impl Reply for Stream {
    fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let mut passthrough = Passthrough::new(chunk, self.frames.holds());
        let (Watch { reader, progress }, spans) = (&mut self.watch, &mut self.spans);
        let read = self.frames.read(chunk, |block| {
            // Whatever follows the end of the answer is not for the caller.
            if progress.is_done() {
                passthrough.stop(out);
                return Ok(());
            }
            match event(&block, spans)? {
                Some(event) => watch_event(event, &mut **reader, progress)?,
                None => progress.beat(),
            }
            // Clients would read a comment that stands in place of an event as JSON.
            match block.data.as_deref() {
                Some([b':', ..]) => passthrough.stop(out),
                _ => passthrough.pass(block.raw, out),
            }
            Ok(())
        });
        if read.is_err() {
            passthrough.stop(out);
        }
        read.map(|()| passthrough.end(out))
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let (Watch { reader, progress }, spans) = (&mut self.watch, &mut self.spans);
        // The last event may lack its blank line; it counts if it is otherwise complete.
        self.frames.end(|block| {
            if !progress.is_done()
                && let Ok(Some(event)) = event(&block, spans)
            {
                watch_event(event, &mut **reader, progress)?;
                out.extend_from_slice(block.raw.trim_ascii_end());
                out.extend_from_slice(b"\n\n");
            }
            Ok::<(), UpstreamFault>(())
        })?;
        if !progress.is_done() {
            reader.end(&mut |piece| _ = progress.note(piece))?;
            progress.finish();
            out.extend_from_slice(reader.last_event().as_bytes());
        }
        Ok(Passage::Rewritten)
    }

    fn progress(&self) -> &Progress {
        &self.watch.progress
    }

    fn awaits_end(&self) -> bool {
        let Watch { reader, progress } = &self.watch;
        !progress.is_done() && reader.awaits_end() && !reader.last_event().is_empty()
    }

    fn own_failure(&self) -> Option<&str> {
        self.watch.reader.own_failure()
    }

    fn next_number(&self) -> u64 {
        self.watch.reader.next_number()
    }
}

fn watch_event(event: Event<'_>, reader: &mut dyn Reader, progress: &mut Progress) -> Result<(), UpstreamFault> {
    match reader.event(event, &mut |piece| _ = progress.note(piece))? {
        Flow::More => {}
        Flow::Alive => progress.beat(),
        Flow::Ended => progress.finish(),
    }
    Ok(())
}

struct Whole {
    buffer: Buffer,
    watch: Watch,
}

impl Reply for Whole {
    fn read(&mut self, chunk: &[u8], _: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        self.buffer.add(chunk)?;
        Ok(Passage::AsIs)
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let Watch { reader, progress } = &mut self.watch;
        let body = self.buffer.take();
        let mut spans = Spans::default();
        reader.whole(parse_into(&body, &mut spans)?, &mut |piece| _ = progress.note(piece))?;
        progress.finish();
        Ok(Passage::AsIs)
    }

    fn progress(&self) -> &Progress {
        &self.watch.progress
    }

    fn begun(&self) -> bool {
        self.done()
    }
}
