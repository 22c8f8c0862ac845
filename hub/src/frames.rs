//! Finds the events in the bytes of a stream.

use alloc::vec::Vec;

use crate::buffer::malformed;
use crate::codec::eventstream::{self, Message};
use crate::codec::json::write::object;
use crate::codec::json::{Raw, Spans, check_into};
use crate::codec::sse::{self, Block};
use crate::fault::UpstreamFault;
use crate::reply::Event;

/// How an upstream's streams are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// AWS's binary event streams.
    EventStream,
}

/// Finds the events in the bytes of a stream, by its framing.
pub enum Frames {
    /// Server-sent events; the spans are reused for each event's JSON.
    Sse(sse::Reader<UpstreamFault>, Spans),
    /// AWS's messages.
    EventStream(eventstream::Reader<UpstreamFault>),
}

impl Frames {
    /// For a stream with this framing.
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::Sse => Self::Sse(sse::Reader::new(sse::MAX_EVENT), Spans::default()),
            Framing::EventStream => Self::EventStream(eventstream::Reader::new(eventstream::MAX_MESSAGE)),
        }
    }

    /// Calls `on` for each event that is now complete, and with `None` for each block that is no event, such as a
    /// comment.
    pub fn read(
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

    /// Calls `on` for the event that the end of the stream completes: a last event may lack its blank line.
    pub fn end(&mut self, on: impl FnOnce(Event<'_>) -> Result<(), UpstreamFault>) -> Result<(), UpstreamFault> {
        match self {
            // If it is not JSON, it was cut off. The reader reports later what the stream lacks.
            Self::Sse(reader, spans) => reader.end(|block| match event(&block, spans) {
                Ok(Some(event)) => on(event),
                _ => Ok(()),
            }),
            Self::EventStream(reader) => reader.end(),
        }
    }
}

/// The event in a block, if there is one.
pub fn event<'b>(block: &'b Block<'_>, spans: &'b mut Spans) -> Result<Option<Event<'b>>, UpstreamFault> {
    let data = match block.data.as_deref() {
        // The last pattern is a comment that some proxy has turned into data: `data: : keepalive`.
        None | Some(b"" | [b':', ..]) => return Ok(None),
        Some(b"[DONE]") => return Ok(Some(Event::Done)),
        Some(data) => data,
    };
    let data = core::str::from_utf8(data).ok().and_then(|text| check_into(text, spans).ok());
    let data = data.ok_or_else(|| malformed("The provider sent an event that is not JSON."))?;
    Ok(Some(Event::Json { name: core::str::from_utf8(block.name).unwrap_or_default(), data }))
}

/// Calls `on` with the event in a message.
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
