//! `application/vnd.amazon.eventstream`, AWS's binary frames, read from chunks that are cut anywhere.
//!
//! [`Reader`] finds the messages and checks both of their checksums. A [`Message`] has headers and a payload. The
//! format: <https://smithy.io/2.0/aws/amazon-eventstream.html>

use alloc::vec::Vec;
use core::mem;

use super::flaw::Unreadable;

/// Much more than one piece of any known model's answer. (The format allows 24 MB, which is too much to hold.)
pub const MAX_MESSAGE: usize = 4 << 20;

/// Length of the message, length of its headers, checksum of both.
const PRELUDE: usize = 12;

/// The checksum of everything before it.
const TRAILER: usize = 4;

/// Finds the messages of one stream.
#[derive(Clone, Debug)]
pub struct Reader<E> {
    /// The beginning of a message that is not complete.
    held: Vec<u8>,
    cap: usize,
    /// The first error; every later call returns it.
    fault: Option<E>,
}

impl<E: From<Unreadable> + Clone> Reader<E> {
    /// A reader that refuses messages of more than `cap` bytes.
    pub fn new(cap: usize) -> Self {
        Self { held: Vec::new(), cap, fault: None }
    }

    /// Whether the beginning of a message is held.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Reads the next bytes and calls `on` for every message that is now complete, in order.
    ///
    /// A message that lies within one chunk is not copied. After the first error, also an error of `on`, nothing more
    /// is read.
    pub fn read(&mut self, chunk: &[u8], on: impl FnMut(Message<'_>) -> Result<(), E>) -> Result<(), E> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let outcome = self.messages(chunk, on);
        if let Err(fault) = &outcome {
            self.held = Vec::new();
            self.fault = Some(fault.clone());
        }
        outcome
    }

    /// The stream ended. Gives an error if a message is incomplete.
    pub fn end(&mut self) -> Result<(), E> {
        match &self.fault {
            Some(fault) => Err(fault.clone()),
            None if self.holds() => Err(Unreadable::Cut("The provider's event stream ended within a message.").into()),
            None => Ok(()),
        }
    }

    fn messages(&mut self, chunk: &[u8], mut on: impl FnMut(Message<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut rest = chunk;
        while self.holds() {
            // First the bytes with the length, then that many: it copies no more of the chunk than the message needs.
            let length = length(&self.held, self.cap)?;
            let missing = length.unwrap_or(PRELUDE).saturating_sub(self.held.len());
            let Some((more, after)) = rest.split_at_checked(missing) else { break };
            self.held.extend_from_slice(more);
            rest = after;
            if length.is_some() {
                let mut held = mem::take(&mut self.held);
                on(Message::parse(&held)?)?;
                held.clear();
                self.held = held;
                break;
            }
        }
        if !self.holds() {
            while let Some(length) = length(rest, self.cap)?
                && let Some((message, after)) = rest.split_at_checked(length)
            {
                on(Message::parse(message)?)?;
                rest = after;
            }
        }
        self.held.extend_from_slice(rest);
        Ok(())
    }
}

/// The length of the message at the start of `bytes`; `None` if there are not enough bytes yet.
///
/// The length has its own checksum, so a broken one is found before anything waits for its end.
fn length(bytes: &[u8], cap: usize) -> Result<Option<usize>, Unreadable> {
    let Some((lengths, rest)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
    let Some(crc) = rest.first_chunk::<4>() else { return Ok(None) };
    if crc32fast::hash(lengths) != u32::from_be_bytes(*crc) {
        return Err(broken("the checksum of a message's lengths is wrong"));
    }
    let (total, headers) = (number(lengths)?, number(lengths.get(4..).unwrap_or_default())?);
    if total.checked_sub(PRELUDE + TRAILER).is_none_or(|data| data < headers) {
        return Err(short());
    }
    if total > cap {
        return Err(broken("a message is too long"));
    }
    Ok(Some(total))
}

fn number(bytes: &[u8]) -> Result<usize, Unreadable> {
    let number = bytes.first_chunk().and_then(|bytes| usize::try_from(u32::from_be_bytes(*bytes)).ok());
    number.ok_or_else(short)
}

fn short() -> Unreadable {
    broken("a message is shorter than its parts")
}

fn broken(problem: &str) -> Unreadable {
    Unreadable::Broken(alloc::format!("The provider's event stream is broken: {problem}."))
}

/// One complete message with a valid checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Well formed: [`parse`](Self::parse) has read them once.
    headers: &'a [u8],
    /// The payload; the header `:content-type` names its format.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a message whose lengths are known to fit.
    fn parse(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let (data, crc) = bytes.split_last_chunk::<TRAILER>().ok_or_else(short)?;
        if crc32fast::hash(data) != u32::from_be_bytes(*crc) {
            return Err(broken("the checksum of a message is wrong"));
        }
        let headers = number(data.get(4..).unwrap_or_default())?;
        let data = data.get(PRELUDE..).unwrap_or_default();
        let (headers, payload) = data.split_at_checked(headers).ok_or_else(short)?;
        let mut rest = headers;
        while !rest.is_empty() {
            (_, rest) = Header::read(rest).ok_or_else(|| broken("the headers of a message are"))?;
        }
        Ok(Self { headers, payload })
    }

    /// The text of the header with this name, which includes its colon. `None` if there is no such header, or if its
    /// value is not text.
    ///
    /// AWS writes `:message-type` (`event`, `exception` or `error`), then `:event-type` and `:content-type`,
    /// `:exception-type`, or `:error-code` and `:error-message`.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.headers;
        loop {
            let (header, after) = Header::read(rest)?;
            if header.name == name.as_bytes() {
                return header.text;
            }
            rest = after;
        }
    }
}

struct Header<'a> {
    name: &'a [u8],
    /// `None` for a value of another type.
    text: Option<&'a str>,
}

impl<'a> Header<'a> {
    /// The header at the start of `bytes`, and what follows it; `None` if it is broken.
    fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        const TEXT: u8 = 7;
        let (length, rest) = bytes.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length)).filter(|(name, _)| !name.is_empty())?;
        let (kind, rest) = rest.split_first()?;
        let (length, rest) = match *kind {
            // True and false are types without a value.
            0 | 1 => (0, rest),
            2 => (1, rest),
            3 => (2, rest),
            4 => (4, rest),
            // An integer, or milliseconds.
            5 | 8 => (8, rest),
            // Bytes, or text.
            6 | TEXT => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            // A UUID.
            9 => (16, rest),
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        let text = if *kind == TEXT { Some(str::from_utf8(value).ok()?) } else { None };
        Some((Self { name, text }, rest))
    }
}

/// Appends a message with these headers, whose values are all text.
///
/// Whatever does not fit into the format's length fields (names of 255 bytes, texts of 64 KB) is cut off. Weir writes
/// nothing that long.
pub fn message(out: &mut Vec<u8>, headers: &[(&str, &str)], payload: &[u8]) {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        let name = name.as_bytes();
        let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        bytes.push(length);
        bytes.extend_from_slice(name.get(..length.into()).unwrap_or(name));
        bytes.push(7);
        let value = value.as_bytes();
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(value.get(..length.into()).unwrap_or(value));
    }
    frame(out, &bytes, payload);
}

fn frame(out: &mut Vec<u8>, headers: &[u8], payload: &[u8]) {
    let start = out.len();
    let total = PRELUDE + headers.len() + payload.len() + TRAILER;
    for length in [total, headers.len()] {
        out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
    let checksum = |out: &mut Vec<u8>| {
        let crc = crc32fast::hash(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&crc.to_be_bytes());
    };
    checksum(out);
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    checksum(out);
}

#[cfg(test)]
mod tests;
