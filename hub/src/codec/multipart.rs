//! `multipart/form-data` bodies, scanned slice by slice: finds where each field's value is, without holding the
//! uploaded files.
//!
//! [`Scanner`] reads the body in order and finds its [`Part`]s. It keeps only the short texts that were asked for. The
//! format: [RFC 7578](https://www.rfc-editor.org/rfc/rfc7578) on top of [RFC 2046,
//! 5.1](https://www.rfc-editor.org/rfc/rfc2046#section-5.1).
//!
//! A body that two readers could read as two different forms is refused: a bare line feed before a boundary, a field
//! name with escapes, text before the first boundary, another charset. This reading decides what a key may use, so the
//! provider's must be the same. The request's own `content-type` is also written anew ([`Boundary::content_type`]).

mod header;

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;

pub use header::Boundary;

use crate::codec::flaw::BadBody;
use header::{Headers, Reading};

/// No endpoint has more fields, even with lists.
pub const MAX_PARTS: usize = 64;

/// The most bytes of headers that one part may have.
pub const MAX_HEADERS: usize = 8 << 10;

/// The most bytes of a text that is kept.
pub const MAX_TEXT: usize = 1 << 10;

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// The file's name, if the field is a file.
    pub filename: Option<String>,
    /// The part's own `Content-Type`.
    pub content_type: Option<String>,
    /// Where its value is in the body.
    pub value: Range<u64>,
    /// The value, if this field's value is kept.
    pub text: Option<String>,
}

/// Finds the parts of one body.
#[derive(Clone, Debug)]
pub struct Scanner {
    /// A line feed, two hyphens, the boundary. A value ends at a carriage return with this after it.
    line: Vec<u8>,
    /// Names of the fields whose values are kept; each may occur once.
    keep: &'static [&'static str],
    state: State,
    parts: Vec<Part>,
    /// How much of the body has been read.
    at: u64,
    /// The first error; every later call returns it.
    fault: Option<BadBody>,
}

#[derive(Clone, Debug)]
enum State {
    /// Before the first boundary; the number of bytes of `line`, and of a carriage return before it, that have come.
    Start(usize),
    /// After a boundary, on the same line.
    Boundary(Tail),
    Headers(Headers),
    Value(Value),
    /// After the closing boundary.
    End,
}

/// What has come after a boundary.
#[derive(Clone, Copy, Debug)]
enum Tail {
    Nothing,
    /// One hyphen; a second one makes it the closing boundary.
    Hyphen,
    /// Spaces and tabs, which have no meaning.
    Padding,
    /// A carriage return.
    Return,
}

#[derive(Clone, Debug)]
struct Value {
    /// The part so far: its value is still empty.
    part: Part,
    /// The beginning of the value and of the boundary after it, if the value is kept.
    text: Option<Vec<u8>>,
    /// Whether only ASCII is the same in its charset and in UTF-8.
    ascii: bool,
    /// How many bytes of the scanner's `line` have matched.
    matched: usize,
    /// The byte before those; if none have matched, the last byte.
    before: Before,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Return,
    Other,
}

impl Scanner {
    /// A scanner of a body with this boundary. It keeps the values of the fields in `keep`.
    pub fn new(boundary: &Boundary, keep: &'static [&'static str]) -> Self {
        let line = [b"\n--", boundary.as_str().as_bytes()].concat();
        Self { line, keep, state: State::Start(0), parts: Vec::new(), at: 0, fault: None }
    }

    /// Reads the next bytes of the body. After the first error, nothing more is read.
    pub fn read(&mut self, slice: &[u8]) -> Result<(), BadBody> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let mut rest = slice;
        while !rest.is_empty() {
            match self.step(rest) {
                Ok(after) => {
                    self.at += (rest.len() - after.len()) as u64;
                    rest = after;
                }
                Err(fault) => {
                    (self.state, self.parts) = (State::End, Vec::new());
                    self.fault = Some(fault.clone());
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    /// The body ended: returns its parts, in order. An error unless the closing boundary has come.
    pub fn end(self) -> Result<Vec<Part>, BadBody> {
        match (self.fault, self.state) {
            (Some(fault), _) => Err(fault),
            (None, State::End) => Ok(self.parts),
            (None, _) => Err(body("its closing boundary is missing")),
        }
    }

    /// Reads until the state changes or the slice ends; returns the rest.
    fn step<'a>(&mut self, slice: &'a [u8]) -> Result<&'a [u8], BadBody> {
        match mem::replace(&mut self.state, State::End) {
            State::Start(matched) => self.start(slice, matched),
            State::Boundary(tail) => self.boundary(slice, tail),
            State::Headers(headers) => self.headers(slice, headers),
            State::Value(value) => self.value(slice, value),
            State::End if slice.iter().all(u8::is_ascii_whitespace) => Ok(&[]),
            State::End => Err(body("bytes follow its closing boundary")),
        }
    }

    /// The body must start with its boundary, or with a line break and its boundary.
    fn start<'a>(&mut self, slice: &'a [u8], mut matched: usize) -> Result<&'a [u8], BadBody> {
        let mut rest = slice;
        while let Some((byte, after)) = rest.split_first() {
            if matched == 0 && *byte == b'-' {
                matched = 2;
            }
            let expected = matched.checked_sub(1).map_or(Some(&b'\r'), |at| self.line.get(at));
            if expected != Some(byte) {
                return Err(body("it does not start with its boundary"));
            }
            (rest, matched) = (after, matched + 1);
            if matched > self.line.len() {
                self.state = State::Boundary(Tail::Nothing);
                return Ok(rest);
            }
        }
        self.state = State::Start(matched);
        Ok(rest)
    }

    fn boundary<'a>(&mut self, slice: &'a [u8], mut tail: Tail) -> Result<&'a [u8], BadBody> {
        let mut rest = slice;
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            tail = match (tail, byte) {
                (Tail::Nothing, b'-') => Tail::Hyphen,
                (Tail::Nothing | Tail::Padding, b' ' | b'\t') => Tail::Padding,
                (Tail::Nothing | Tail::Padding, b'\r') => Tail::Return,
                (Tail::Hyphen, b'-') => {
                    self.state = State::End;
                    return Ok(rest);
                }
                (Tail::Return, b'\n') if self.parts.len() < MAX_PARTS => {
                    self.state = State::Headers(Headers::default());
                    return Ok(rest);
                }
                (Tail::Return, b'\n') => return Err(body("it has too many parts")),
                _ => return Err(body("a boundary is followed by other bytes on its line")),
            };
        }
        self.state = State::Boundary(tail);
        Ok(rest)
    }

    fn headers<'a>(&mut self, slice: &'a [u8], mut headers: Headers) -> Result<&'a [u8], BadBody> {
        let (line, rest) = match memchr::memchr(b'\n', slice) {
            Some(at) => slice.split_at_checked(at + 1).unwrap_or((slice, &[])),
            None => (slice, &[][..]),
        };
        let Some(mut part) = headers.read(line)? else {
            self.state = State::Headers(headers);
            return Ok(rest);
        };
        let base = part.name.split_once('[').map_or(&*part.name, |(base, _)| base);
        let kept = self.keep.contains(&base);
        if kept && base != part.name {
            return Err(invalid(&part.name, "it must be one text, not a list"));
        }
        if kept && part.filename.is_some() {
            return Err(invalid(&part.name, "it must be text, not a file"));
        }
        let reading = Reading::of(part.content_type.as_deref());
        if kept && reading == Reading::Unknown {
            return Err(invalid(&part.name, "its Content-Type must be text/plain in UTF-8, or be left out"));
        }
        if kept && self.parts.iter().any(|other| other.name == part.name) {
            return Err(invalid(&part.name, "it is given twice"));
        }
        let start = self.at + line.len() as u64;
        part.value = start..start;
        // The line break before the value belongs to the headers. If a boundary follows it directly, no line break is
        // left to end the value.
        let (matched, before) = (1, Before::Return);
        let ascii = reading == Reading::Ascii;
        self.state = State::Value(Value { part, text: kept.then(Vec::new), ascii, matched, before });
        Ok(rest)
    }

    fn value<'a>(&mut self, slice: &'a [u8], mut value: Value) -> Result<&'a [u8], BadBody> {
        let mut rest = slice;
        // A boundary has no line feed in it, so after a failed match the next one can only begin at a line feed.
        let found = loop {
            if value.matched == 0 {
                let Some(at) = memchr::memchr(b'\n', rest) else {
                    if let Some(last) = rest.last() {
                        value.before = Before::of(*last);
                    }
                    rest = &[];
                    break false;
                };
                if let Some(before) = at.checked_sub(1).and_then(|at| rest.get(at)) {
                    value.before = Before::of(*before);
                }
                value.matched = 1;
                rest = rest.get(at + 1..).unwrap_or_default();
            }
            let wanted = self.line.get(value.matched..).unwrap_or_default();
            let more = wanted.iter().zip(rest).take_while(|(wanted, byte)| wanted == byte).count();
            value.matched += more;
            rest = rest.get(more..).unwrap_or_default();
            if more == wanted.len() {
                break true;
            }
            if rest.is_empty() {
                break false;
            }
            (value.matched, value.before) = (0, Before::Other);
        };
        let read = slice.get(..slice.len() - rest.len()).unwrap_or(slice);
        if let Some(text) = &mut value.text {
            // Room for the longest text and the boundary after it, and one byte more to notice a text that is too long.
            let most = MAX_TEXT + 1 + self.line.len() + 1;
            text.extend_from_slice(read.get(..most - text.len()).unwrap_or(read));
            if text.len() == most {
                return Err(invalid(&value.part.name, "it is too long"));
            }
        }
        if found {
            let end = self.at + read.len() as u64 - self.line.len() as u64;
            self.parts.push(value.finish(end)?);
            self.state = State::Boundary(Tail::Nothing);
        } else {
            self.state = State::Value(value);
        }
        Ok(rest)
    }
}

impl Before {
    fn of(byte: u8) -> Self {
        if byte == b'\r' { Self::Return } else { Self::Other }
    }
}

impl Value {
    /// Completes the part. A line feed at `feed` follows its value, and a boundary follows the line feed.
    fn finish(self, feed: u64) -> Result<Part, BadBody> {
        let Self { mut part, text, ascii, before, .. } = self;
        let end = feed.saturating_sub(1);
        if before != Before::Return || end < part.value.start {
            return Err(body("a boundary does not follow a line break (CR LF)"));
        }
        part.value.end = end;
        if let Some(mut text) = text {
            let length = usize::try_from(end - part.value.start).unwrap_or(usize::MAX);
            if length > MAX_TEXT {
                return Err(invalid(&part.name, "it is too long"));
            }
            text.truncate(length);
            if ascii && !text.is_ascii() {
                return Err(invalid(&part.name, "its charset must be UTF-8"));
            }
            part.text = Some(String::from_utf8(text).map_err(|_| invalid(&part.name, "it is not UTF-8"))?);
        }
        Ok(part)
    }
}

/// `body` with the bytes at `range`, which a scan has found, replaced. `with` must not contain the boundary.
pub fn replace(body: &[u8], range: &Range<u64>, with: &[u8]) -> Vec<u8> {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
    let (start, end) = (place(range.start), place(range.end));
    [body.get(..start).unwrap_or_default(), with, body.get(end..).unwrap_or_default()].concat()
}

fn body(problem: &str) -> BadBody {
    invalid("body", problem)
}

fn invalid(field: &str, problem: &str) -> BadBody {
    BadBody::field(field, problem)
}

#[cfg(test)]
mod tests;
