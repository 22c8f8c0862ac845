//! The JSON checker: one strict pass, without recursion, that builds nothing.

use alloc::borrow::Cow;
use core::ops::Range;

use super::raw::{Raw, unescape};
use super::spans::{Open, Spans};

/// How deep a document may be: the same limit as `serde_json`, so that it can read every document that is accepted
/// here.
pub const MAX_DEPTH: u32 = 127;

/// The first error of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Byte offset.
    pub offset: usize,
    /// What was expected.
    pub problem: &'static str,
}

impl Flaw {
    /// Line and column (in bytes) of the error in `body`, both from 1.
    pub(super) fn place(&self, body: &[u8]) -> (usize, usize) {
        let before = body.get(..self.offset).unwrap_or(body);
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        let column = 1 + before.len() - memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        (line, column)
    }
}

/// Checks that `text` is one JSON value and nothing else, and returns it without the space around it.
///
/// Escapes may be lone surrogates: some upstreams cut an emoji between two chunks, and their clients accept that.
pub fn check(text: &str) -> Result<Raw<'_>, Flaw> {
    check_by(text, Checker::value)
}

/// Like [`check`], but `read` walks over the value and takes from it what it wants.
pub fn check_by<'a, T>(text: &'a str, read: impl FnOnce(&mut Checker<'a>) -> Result<T, Flaw>) -> Result<T, Flaw> {
    let mut checker = Checker::new(text, Surrogates::Any);
    checker.space();
    let read = read(&mut checker)?;
    checker.end()?;
    Ok(read)
}

/// Like [`check`]; also notes in `spans` where values end, so that reading their parts is quick.
pub fn check_into<'a>(text: &'a str, spans: &'a mut Spans) -> Result<Raw<'a>, Flaw> {
    let mut checker = Checker::noting(text, Surrogates::Any, core::mem::take(spans));
    checker.space();
    let start = checker.at();
    let read = checker.value().and_then(|value| checker.end().map(|()| value));
    *spans = checker.noted();
    read.map(|value| Raw::spanned(value.text(), start, spans))
}

/// Which `\u` escapes are accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Surrogates {
    /// Only pairs that make a character.
    Paired,
    /// Any four hex digits.
    Any,
}

/// A position in a document. Everything before it is valid.
///
/// At the start of a value, one of [`value`](Self::value), [`members`](Self::members) and [`items`](Self::items) walks
/// over it. What they return is only known to be valid once the whole document has been checked.
pub struct Checker<'a> {
    text: &'a str,
    at: usize,
    /// The depth of the value at this position.
    depth: u32,
    surrogates: Surrogates,
    /// Where values end, if somebody wants to know.
    spans: Option<Spans>,
}

/// A member's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Where it is, between its quotes.
    pub(super) place: Range<usize>,
    /// Whether it has escapes, so that its bytes differ from its text.
    pub(super) escaped: bool,
}

impl Name {
    /// Where the member begins.
    pub fn begin(&self) -> usize {
        self.place.start - 1
    }

    /// Its text; `document` is the document that it is from.
    pub fn text<'t>(&self, document: &'t str) -> Cow<'t, str> {
        let name = document.get(self.place.clone()).unwrap_or_default();
        if self.escaped { unescape(name) } else { Cow::Borrowed(name) }
    }
}

impl<'a> Checker<'a> {
    fn new(text: &'a str, surrogates: Surrogates) -> Self {
        Self { text, at: 0, depth: 0, surrogates, spans: None }
    }

    /// A checker that notes where the values that it [walks over](Self::value) end.
    pub(super) fn noting(text: &'a str, surrogates: Surrogates, mut spans: Spans) -> Self {
        spans.begin(text.len());
        Self { spans: Some(spans), ..Self::new(text, surrogates) }
    }

    /// The notes.
    pub(super) fn noted(self) -> Spans {
        self.spans.unwrap_or_default()
    }

    /// The document.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The position in the document.
    #[inline]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The value from `start` to here, which has just been walked over.
    pub fn since(&self, start: usize) -> Raw<'a> {
        self.text.get(start..self.at).map_or(Raw::NULL, Raw::new)
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn step(&mut self) {
        self.at += 1;
    }

    #[inline]
    pub(super) fn space(&mut self) {
        while let Some(byte) = self.peek().filter(|byte| *byte <= b' ') {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                break;
            }
            self.at += 1;
        }
    }

    fn flaw<T>(&self, problem: &'static str) -> Result<T, Flaw> {
        let problem = if self.at >= self.text.len() { "unexpected end" } else { problem };
        Err(Flaw { offset: self.at.min(self.text.len()), problem })
    }

    /// Checks that only space follows.
    pub(super) fn end(&mut self) -> Result<(), Flaw> {
        self.space();
        if self.at < self.text.len() { self.flaw("unexpected character after the end") } else { Ok(()) }
    }

    /// Walks over any value.
    pub fn value(&mut self) -> Result<Raw<'a>, Flaw> {
        let start = self.at;
        self.skip()?;
        Ok(self.since(start))
    }

    /// Walks over any value. If it is an object, calls `on` at each member's value; `on` may walk over that value.
    pub fn members(&mut self, on: impl FnMut(&mut Self, Name) -> Result<(), Flaw>) -> Result<(), Flaw> {
        if !self.opens(b'{', b'}')? {
            return Ok(());
        }
        self.rest_of_members(on)
    }

    /// Like [`members`](Self::members), for an object that begins here. Its bytes before `from` were checked in another
    /// document with the same beginning. `from` is where a member of that document [begins](Name::begin), and not its
    /// first one.
    pub fn members_from(
        &mut self,
        from: usize,
        on: impl FnMut(&mut Self, Name) -> Result<(), Flaw>,
    ) -> Result<(), Flaw> {
        self.depth += 1;
        self.at = from;
        self.space();
        self.rest_of_members(on)
    }

    fn rest_of_members(&mut self, mut on: impl FnMut(&mut Self, Name) -> Result<(), Flaw>) -> Result<(), Flaw> {
        loop {
            let name = self.name()?;
            self.space();
            self.walk(|checker| on(checker, name))?;
            if self.closes(b'}', "expected ',' or '}'")? {
                return Ok(());
            }
        }
    }

    /// Walks over any value. If it is an array, calls `on` at each item; `on` may walk over it.
    pub fn items(&mut self, mut on: impl FnMut(&mut Self) -> Result<(), Flaw>) -> Result<(), Flaw> {
        if !self.opens(b'[', b']')? {
            return Ok(());
        }
        loop {
            self.walk(&mut on)?;
            if self.closes(b']', "expected ',' or ']'")? {
                return Ok(());
            }
        }
    }

    /// Whether a non-empty object or array begins here. Walks over anything else.
    #[inline]
    fn opens(&mut self, open: u8, close: u8) -> Result<bool, Flaw> {
        if self.peek() != Some(open) {
            return self.skip().map(|()| false);
        }
        if self.depth >= MAX_DEPTH {
            return self.flaw("too deeply nested");
        }
        self.step();
        self.space();
        if self.peek() == Some(close) {
            self.step();
            return Ok(false);
        }
        self.depth += 1;
        Ok(true)
    }

    #[inline]
    fn walk(&mut self, on: impl FnOnce(&mut Self) -> Result<(), Flaw>) -> Result<(), Flaw> {
        let start = self.at;
        on(self)?;
        if self.at == start { self.skip() } else { Ok(()) }
    }

    /// Whether the object or array ends here; otherwise it goes on after a comma.
    #[inline]
    fn closes(&mut self, close: u8, problem: &'static str) -> Result<bool, Flaw> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.step();
                self.space();
                Ok(false)
            }
            Some(byte) if byte == close => {
                self.step();
                self.depth -= 1;
                Ok(true)
            }
            _ => self.flaw(problem),
        }
    }

    /// Reads a member's name and its colon.
    fn name(&mut self) -> Result<Name, Flaw> {
        if self.peek() != Some(b'"') {
            return self.flaw("expected a member name in double quotes");
        }
        let start = self.at + 1;
        let escaped = self.string()?;
        let place = start..self.at - 1;
        self.space();
        if self.peek() != Some(b':') {
            return self.flaw("expected ':'");
        }
        self.step();
        Ok(Name { place, escaped })
    }

    /// Walks over one value without recursion: the bits of one integer say which levels are objects.
    fn skip(&mut self) -> Result<(), Flaw> {
        let outer = self.depth;
        let mut objects: u128 = 0;
        let mut depth: u32 = 0;
        let mut open = Open::default();
        'value: loop {
            match self.peek() {
                Some(b'"') => {
                    let start = self.at;
                    self.string()?;
                    if let Some(spans) = &mut self.spans {
                        spans.string(start, self.at);
                    }
                }
                Some(begin @ (b'{' | b'[')) => {
                    if outer + depth >= MAX_DEPTH {
                        return self.flaw("too deeply nested");
                    }
                    let start = self.at;
                    self.step();
                    self.space();
                    let is_object = begin == b'{';
                    if self.peek() == Some(if is_object { b'}' } else { b']' }) {
                        self.step();
                        if let Some(spans) = &mut self.spans {
                            spans.empty();
                        }
                    } else {
                        if let Some(spans) = &mut self.spans {
                            spans.open(start, &mut open);
                        }
                        objects = objects << 1 | u128::from(is_object);
                        depth += 1;
                        if is_object {
                            self.name()?;
                            self.space();
                        }
                        continue 'value;
                    }
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.literal(b"true")?,
                Some(b'f') => self.literal(b"false")?,
                Some(b'n') => self.literal(b"null")?,
                _ => return self.flaw("expected a value"),
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                self.space();
                let in_object = objects & 1 == 1;
                match self.peek() {
                    Some(b',') => {
                        self.step();
                        self.space();
                        if in_object {
                            self.name()?;
                            self.space();
                        }
                        continue 'value;
                    }
                    Some(b'}') if in_object => self.step(),
                    Some(b']') if !in_object => self.step(),
                    _ => return self.flaw(if in_object { "expected ',' or '}'" } else { "expected ',' or ']'" }),
                }
                depth -= 1;
                objects >>= 1;
                if let Some(spans) = &mut self.spans {
                    spans.close(self.at, &mut open);
                }
            }
        }
    }

    fn literal(&mut self, literal: &[u8]) -> Result<(), Flaw> {
        for byte in literal {
            if self.peek() != Some(*byte) {
                return self.flaw("expected a value");
            }
            self.step();
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { self.flaw("expected a digit") } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), Flaw> {
        if self.peek() == Some(b'-') {
            self.step();
        }
        if self.peek() == Some(b'0') {
            self.step();
            if let Some(b'0'..=b'9') = self.peek() {
                return self.flaw("a number cannot start with 0");
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.step();
            if let Some(b'+' | b'-') = self.peek() {
                self.step();
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Walks over a string, from its opening quote to after its closing one. Returns whether it has escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, Flaw> {
        self.at = plain_end(self.text.as_bytes(), self.at + 1);
        if self.peek() == Some(b'"') {
            self.step();
            return Ok(false);
        }
        self.escaped()
    }

    /// Walks over the rest of a string, from its first escape.
    fn escaped(&mut self) -> Result<bool, Flaw> {
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.step();
                    return Ok(true);
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return self.flaw("a control character must be escaped"),
                None => return self.flaw("unexpected end"),
            }
            self.at = plain_end(self.text.as_bytes(), self.at);
        }
    }

    fn escape(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        self.step();
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.step();
                Ok(())
            }
            Some(b'u') => {
                self.step();
                let unit = self.hex()?;
                if self.surrogates == Surrogates::Any || !(0xd800..0xe000).contains(&unit) {
                    return Ok(());
                }
                if unit < 0xdc00 && self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(b"\\u")) {
                    self.at += 2;
                    if (0xdc00..0xe000).contains(&self.hex()?) {
                        return Ok(());
                    }
                }
                Err(Flaw { offset: start, problem: "lone surrogate" })
            }
            _ => self.flaw("unknown escape"),
        }
    }

    fn hex(&mut self) -> Result<u32, Flaw> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return self.flaw("expected four hex digits");
            };
            unit = unit << 4 | digit;
            self.step();
        }
        Ok(unit)
    }
}

/// The offset of the first quote, backslash or control character from `at` on; the end if there is none.
///
/// Reads eight bytes at a time and subtracts from each byte the value that it must not equal or be below. The lowest
/// byte that borrows is exact in each of the two results, and so in their union. Flipping the second bit moves the
/// quote right above the control characters, so one subtraction finds both.
#[inline]
pub(super) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const BACKSLASH: u64 = 0x5c;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*word);
        let controls_and_quote = (word ^ (ONES * 2)).wrapping_sub(ONES * 0x21);
        let backslash = (word ^ (ONES * BACKSLASH)).wrapping_sub(ONES);
        let found = (controls_and_quote | backslash) & !word & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        at += 1;
    }
    at
}
