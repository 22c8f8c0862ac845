//! A string that can be copied from one JSON document to another without unescaping it.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::raw::unescape;
use super::write;

/// A string: plain text, or as written between the quotes in a JSON document.
#[derive(Clone, Copy, Debug)]
pub enum Str<'a> {
    /// Text.
    Plain(&'a str),
    /// With JSON's escapes.
    Escaped(&'a str),
}

impl<'a> Str<'a> {
    /// The empty string.
    pub const EMPTY: Str<'static> = Str::Plain("");

    /// The string as it is held here, with or without escapes. Its length is about that of the text.
    pub const fn written(self) -> &'a str {
        match self {
            Self::Plain(text) | Self::Escaped(text) => text,
        }
    }

    /// Whether it has no characters.
    pub const fn is_empty(self) -> bool {
        self.written().is_empty()
    }

    /// How many bytes the text has; a lone surrogate counts as half a pair.
    pub fn bytes(self) -> usize {
        let Self::Escaped(text) = self else { return self.written().len() };
        let (mut bytes, mut rest) = (text.len(), text.as_bytes());
        while let Some(escape) = memchr::memchr(b'\\', rest).and_then(|at| rest.get(at + 1..)) {
            let written = if escape.first() == Some(&b'u') { 6 } else { 2 };
            let code = escape.get(1..5).filter(|_| written == 6).and_then(|code| str::from_utf8(code).ok());
            let held = match code.and_then(|code| u32::from_str_radix(code, 16).ok()) {
                Some(0x80..0x800 | 0xd800..0xe000) => 2,
                Some(0x800..) => 3,
                Some(0..0x80) | None => 1,
            };
            bytes -= (written - held).min(bytes);
            rest = escape.get(1..).unwrap_or_default();
        }
        bytes
    }

    /// Whether every character of the text is ASCII.
    pub fn is_ascii(self) -> bool {
        let escapes = match self {
            Self::Plain(_) => "",
            Self::Escaped(text) => text,
        };
        let mut rest = escapes.as_bytes();
        while let Some(escape) = memchr::memchr(b'\\', rest).and_then(|at| rest.get(at + 1..)) {
            if let [b'u', code @ ..] = escape
                && !matches!(code, [b'0', b'0', b'0'..=b'7', ..])
            {
                return false;
            }
            rest = escape.get(1..).unwrap_or_default();
        }
        self.written().is_ascii()
    }

    /// The text; a lone surrogate becomes U+FFFD.
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Plain(text) => Cow::Borrowed(text),
            Self::Escaped(text) => unescape(text),
        }
    }

    /// Appends it as a JSON string, with its quotes.
    pub fn write(self, out: &mut Vec<u8>) {
        out.push(b'"');
        self.write_inside(out);
        out.push(b'"');
    }

    /// Appends it as it must be written inside a JSON string.
    pub fn write_inside(self, out: &mut Vec<u8>) {
        match self {
            Self::Plain(text) => write::escaped(out, text),
            Self::Escaped(text) => out.extend_from_slice(text.as_bytes()),
        }
    }
}

impl PartialEq for Str<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Str<'_> {}

impl<'a> From<&'a str> for Str<'a> {
    fn from(text: &'a str) -> Self {
        Self::Plain(text)
    }
}

/// A string collected from pieces. It is kept as it is written inside a JSON string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected(Vec<u8>);

impl Collected {
    /// Appends `more`.
    pub fn push(&mut self, more: Str<'_>) {
        more.write_inside(&mut self.0);
    }

    /// Whether nothing was collected.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The collected string.
    pub fn get(&self) -> Str<'_> {
        Str::Escaped(core::str::from_utf8(&self.0).unwrap_or_default())
    }

    /// The collected string, as text.
    pub fn text(&self) -> String {
        self.get().text().into_owned()
    }
}

impl From<Str<'_>> for Collected {
    fn from(text: Str<'_>) -> Self {
        let mut collected = Self::default();
        collected.push(text);
        collected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ascii_if_its_text_is() {
        for text in ["", "a", "é", "a\\n", "\\u0041", "a\\u007f\\u0080", "\\\\u00e9", "\\u00E9", "\\ud83d\\ude00", "\\"]
        {
            assert_eq!(Str::Escaped(text).is_ascii(), unescape(text).is_ascii(), "{text}");
            assert_eq!(Str::Plain(text).is_ascii(), text.is_ascii(), "{text}");
        }
    }

    #[test]
    fn its_bytes_are_those_of_its_text() {
        for text in ["", "a", "é", "a\\n\\\"", "\\u0041", "\\u00e9", "\\u4f60b", "\\ud83d\\ude00!", "\\\\u00e9"] {
            assert_eq!(Str::Escaped(text).bytes(), unescape(text).len(), "{text}");
            assert_eq!(Str::Plain(text).bytes(), text.len(), "{text}");
        }
    }

    #[test]
    fn it_is_one_string_in_both_forms() {
        let (plain, escaped) = (Str::Plain("a\n\"é"), Str::Escaped("a\\n\\\"\\u00e9"));
        assert_eq!(plain, escaped);
        let mut out = Vec::new();
        escaped.write(&mut out);
        assert_eq!(out, b"\"a\\n\\\"\\u00e9\"");
        let mut collected = Collected::from(plain);
        collected.push(escaped);
        assert_eq!(collected.text(), "a\n\"éa\n\"é");
    }
}
