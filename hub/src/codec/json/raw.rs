//! Reads parts of a checked JSON value without building a tree.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use super::check::plain_end;
use super::spans::{Inside, Known, Spans};
use super::str::Str;

/// One JSON value as written, without space around it. It is known to be valid.
#[derive(Clone, Copy)]
pub struct Raw<'a> {
    text: &'a str,
    known: Known<'a>,
}

impl PartialEq for Raw<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Raw<'_> {}

impl fmt::Debug for Raw<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_tuple("Raw").field(&self.text).finish()
    }
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// `1.5e3`
    Number,
    /// `true`, `false`
    Boolean,
    /// `null`
    Null,
}

impl<'a> Raw<'a> {
    /// The value `null`.
    pub const NULL: Raw<'static> = Raw::new("null");

    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, known: Known::NOTHING }
    }

    /// The value that begins at `start` in the document of `spans`.
    pub(super) fn spanned(text: &'a str, start: usize, spans: &'a Spans) -> Self {
        Self { text, known: Known::of(start, spans) }
    }

    /// Checks `text`; `None` if it is not exactly one value.
    pub fn parse(text: &'a str) -> Option<Self> {
        super::check(text).ok()
    }

    /// A value that [`scan`](super::scan) has checked.
    pub fn of_checked(bytes: &'a [u8]) -> Option<Self> {
        core::str::from_utf8(bytes).ok().map(Self::new)
    }

    /// The value as written.
    pub const fn text(self) -> &'a str {
        self.text
    }

    /// The value as written, but without line breaks, which an event of a stream cannot have.
    pub fn on_one_line(self) -> Cow<'a, str> {
        if !self.text.bytes().any(|byte| matches!(byte, b'\n' | b'\r')) {
            return Cow::Borrowed(self.text);
        }
        let mut line = String::with_capacity(self.text.len());
        let (mut in_string, mut escaped) = (false, false);
        for character in self.text.chars() {
            if in_string || !character.is_ascii_whitespace() {
                line.push(character);
            }
            // A quote ends a string if no backslash is before it.
            if character == '"' && !escaped {
                in_string = !in_string;
            }
            escaped = in_string && character == '\\' && !escaped;
        }
        Cow::Owned(line)
    }

    /// Its type.
    pub fn kind(self) -> Kind {
        match self.text.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The string, unescaped; a lone surrogate becomes U+FFFD.
    pub fn string(self) -> Option<Cow<'a, str>> {
        self.text.strip_prefix('"')?.strip_suffix('"').map(unescape)
    }

    /// The string, with its escapes.
    pub fn str(self) -> Option<Str<'a>> {
        self.text.strip_prefix('"')?.strip_suffix('"').map(Str::Escaped)
    }

    /// The boolean.
    pub fn boolean(self) -> Option<bool> {
        match self.text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// The number, if it is a whole number that is not negative and is written as one.
    pub fn integer(self) -> Option<u64> {
        if self.kind() == Kind::Number { self.text.parse().ok() } else { None }
    }

    /// The number.
    pub fn number(self) -> Option<f64> {
        if self.kind() == Kind::Number { self.text.parse().ok() } else { None }
    }

    /// The members of an object, in order; none for any other value.
    pub fn members(self) -> Members<'a> {
        Members(Walk::into(self, b'{'))
    }

    /// The items of an array, in order; none for any other value.
    pub fn items(self) -> Items<'a> {
        Items(Walk::into(self, b'['))
    }

    /// The member called `name`; if there are several, the last, as in most readers.
    pub fn get(self, name: &str) -> Option<Raw<'a>> {
        let (mut members, mut found) = (self.members(), None);
        while let Some((key, value)) = members.next_member() {
            if key.is(name) {
                found = Some(value);
            }
        }
        found
    }

    /// The members with these names, all found in one pass. If a name occurs several times, the last counts; `null`
    /// counts as absent.
    pub fn pick<const N: usize>(self, names: [&str; N]) -> [Option<Raw<'a>>; N] {
        let mut found = [None; N];
        let mut members = self.members();
        while let Some((key, value)) = members.next_member() {
            if let Some((_, slot)) = names.iter().zip(&mut found).find(|(name, _)| key.is(name)) {
                *slot = Some(value).filter(|value| !value.is_null());
            }
        }
        found
    }
}

/// A position in an object or array. The bytes are valid, so it only looks for the ends of values.
struct Walk<'a> {
    text: &'a str,
    inside: Inside<'a>,
    at: usize,
}

impl<'a> Walk<'a> {
    fn into(value: Raw<'a>, open: u8) -> Option<Self> {
        let Raw { text, known } = value;
        (text.as_bytes().first() == Some(&open)).then(|| Self { text, inside: known.inside(), at: 1 })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Moves past space and `skipped`; returns the next byte.
    fn advance(&mut self, skipped: u8) -> Option<u8> {
        loop {
            match self.peek()? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte if byte == skipped => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    fn key(&mut self) -> Option<Key<'a>> {
        if self.advance(b',')? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let (end, escaped) = string_end(self.text.as_bytes(), start);
        self.at = end;
        Some(Key { written: self.text.get(start..end.saturating_sub(1))?, escaped })
    }

    fn value(&mut self) -> Option<Raw<'a>> {
        let start = self.at;
        let noted = self.inside.next(start);
        let (end, known) = noted.unwrap_or_else(|| (value_end(self.text.as_bytes(), start), Known::NOTHING));
        self.at = end;
        self.text.get(start..end).map(|text| Raw { text, known })
    }
}

/// A member's name.
struct Key<'a> {
    written: &'a str,
    escaped: bool,
}

impl<'a> Key<'a> {
    fn name(self) -> Cow<'a, str> {
        if self.escaped { unescape(self.written) } else { Cow::Borrowed(self.written) }
    }

    fn is(&self, name: &str) -> bool {
        if self.escaped { unescape(self.written) == name } else { self.written == name }
    }
}

/// See [`Raw::members`].
pub struct Members<'a>(Option<Walk<'a>>);

impl<'a> Members<'a> {
    fn next_member(&mut self) -> Option<(Key<'a>, Raw<'a>)> {
        let walk = self.0.as_mut()?;
        let key = walk.key()?;
        walk.advance(b':')?;
        Some((key, walk.value()?))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Raw<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.next_member().map(|(key, value)| (key.name(), value))
    }
}

/// See [`Raw::items`].
pub struct Items<'a>(Option<Walk<'a>>);

impl<'a> Iterator for Items<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let walk = self.0.as_mut()?;
        if walk.advance(b',')? == b']' {
            return None;
        }
        walk.value()
    }
}

/// The offset after the valid value that starts at `at`.
fn value_end(bytes: &[u8], mut at: usize) -> usize {
    match bytes.get(at) {
        Some(b'"') => return string_end(bytes, at + 1).0,
        Some(b'{' | b'[') => {}
        _ => {
            while !matches!(bytes.get(at), None | Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')) {
                at += 1;
            }
            return at;
        }
    }
    let mut depth = 0_u32;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = string_end(bytes, at).0,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            _ => {}
        }
    }
    at
}

/// The offset after the closing quote of the valid string whose text starts at `at`, and whether it has escapes.
fn string_end(bytes: &[u8], mut at: usize) -> (usize, bool) {
    let mut escaped = false;
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at) {
            Some(b'\\') => {
                escaped = true;
                at += 2;
            }
            Some(_) => return (at + 1, escaped),
            None => return (bytes.len(), escaped),
        }
    }
}

/// The text between a string's quotes, unescaped.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    let Some((plain, _)) = memchr::memchr(b'\\', text.as_bytes()).and_then(|at| text.split_at_checked(at)) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len());
    out.push_str(plain);
    let mut rest = text.get(plain.len()..).unwrap_or_default();
    while let Some(escape) = rest.strip_prefix('\\') {
        let mut after = escape.chars();
        match after.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => after = unicode(after.as_str(), &mut out).chars(),
            Some(other) => out.push(other),
            None => {}
        }
        rest = after.as_str();
        let plain = memchr::memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
        let (plain, next) = rest.split_at_checked(plain).unwrap_or((rest, ""));
        out.push_str(plain);
        rest = next;
    }
    Cow::Owned(out)
}

/// Reads what follows `\u`, and the second half of a surrogate pair; returns the rest.
fn unicode<'a>(text: &'a str, out: &mut String) -> &'a str {
    let unit = |text: &'a str| {
        let (digits, rest) = text.split_at_checked(4)?;
        Some((u16::from_str_radix(digits, 16).ok()?, rest))
    };
    let Some((first, rest)) = unit(text) else { return text };
    let pair = rest
        .strip_prefix("\\u")
        .and_then(unit)
        .filter(|(second, _)| (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(second));
    let (second, rest) = pair.map_or((None, rest), |(second, rest)| (Some(second), rest));
    for character in char::decode_utf16([first].into_iter().chain(second)) {
        out.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    rest
}
