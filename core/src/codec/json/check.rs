//! The checker: walks over JSON once, strictly, without recursion and without building anything.

use core::ops::Range;

/// How deep a document may be; as `serde_json` has it, so that what passes here can be read there.
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

/// Checks that `text` is one JSON value and nothing else, and gives it without the space around it.
///
/// Escapes may name lone surrogates here: some upstreams cut an emoji between two chunks, and their clients cope.
pub fn check(text: &str) -> Result<super::Raw<'_>, Flaw> {
    let mut checker = Checker::new(text.as_bytes(), Surrogates::Any);
    checker.space();
    let start = checker.at();
    checker.value(0)?;
    let end = checker.at();
    checker.end()?;
    text.get(start..end).map(super::Raw::new).ok_or(Flaw { offset: start, problem: "invalid UTF-8" })
}

/// Which `\u` escapes pass.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Surrogates {
    /// Only pairs that make a character.
    Paired,
    /// Any four hex digits.
    Any,
}

/// A position in a document. `bytes` are valid UTF-8, which the checker does not look at.
pub(super) struct Checker<'a> {
    bytes: &'a [u8],
    at: usize,
    surrogates: Surrogates,
}

impl<'a> Checker<'a> {
    pub(super) fn new(bytes: &'a [u8], surrogates: Surrogates) -> Self {
        Self { bytes, at: 0, surrogates }
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(super) fn step(&mut self) {
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
        let problem = if self.at >= self.bytes.len() { "unexpected end" } else { problem };
        Err(Flaw { offset: self.at.min(self.bytes.len()), problem })
    }

    /// Nothing but space may follow.
    pub(super) fn end(&mut self) -> Result<(), Flaw> {
        self.space();
        if self.at < self.bytes.len() { self.flaw("unexpected character after the end") } else { Ok(()) }
    }

    /// A member's key and its colon: the key between its quotes, and whether it has escapes.
    pub(super) fn key(&mut self) -> Result<(Range<usize>, bool), Flaw> {
        if self.peek() != Some(b'"') {
            return self.flaw("expected a member name in double quotes");
        }
        let start = self.at + 1;
        let escaped = self.string()?;
        let key = start..self.at - 1;
        self.space();
        if self.peek() != Some(b':') {
            return self.flaw("expected ':'");
        }
        self.step();
        Ok((key, escaped))
    }

    /// After a member: whether the object ends here, instead of going on after a comma.
    pub(super) fn ends_object(&mut self) -> Result<bool, Flaw> {
        match self.peek() {
            Some(b',') => {
                self.step();
                Ok(false)
            }
            Some(b'}') => {
                self.step();
                Ok(true)
            }
            _ => self.flaw("expected ',' or '}'"),
        }
    }

    /// One value, `outer` levels deep. Which levels are objects is kept in the bits of one integer: no recursion.
    pub(super) fn value(&mut self, outer: u32) -> Result<(), Flaw> {
        let mut objects: u128 = 0;
        let mut depth: u32 = 0;
        'value: loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(open @ (b'{' | b'[')) => {
                    if outer + depth >= MAX_DEPTH {
                        return self.flaw("too deeply nested");
                    }
                    self.step();
                    self.space();
                    let is_object = open == b'{';
                    if self.peek() == Some(if is_object { b'}' } else { b']' }) {
                        self.step();
                    } else {
                        objects = objects << 1 | u128::from(is_object);
                        depth += 1;
                        if is_object {
                            self.key()?;
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
                            self.key()?;
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

    /// A string, from its opening quote to after its closing one; whether it has escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, Flaw> {
        self.at = plain_end(self.bytes, self.at + 1);
        if self.peek() == Some(b'"') {
            self.step();
            return Ok(false);
        }
        self.escaped()
    }

    /// A string from its first escape on.
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
            self.at = plain_end(self.bytes, self.at);
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
                if unit < 0xdc00 && self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(b"\\u")) {
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

/// The offset, from `at` on, of the first quote, backslash or control character; the end if there is none.
///
/// Eight bytes at a time, each less what it is to be found below or equal to: the lowest byte that borrows is exact, in each
/// of the two rows and so in their union. Turning the second bit over puts the quote right above the control characters.
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
