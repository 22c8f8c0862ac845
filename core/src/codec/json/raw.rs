//! Walking into a JSON value that was checked before, without building a tree.

use alloc::borrow::Cow;
use alloc::string::String;

use super::check::{Checker, Surrogates};
use super::str::Str;

/// One JSON value as it is written, without space around it; known to be valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

/// What a value is.
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
    pub const NULL: Raw<'static> = Raw("null");

    pub(super) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The value that `text` is, if it is one and nothing else.
    pub fn parse(text: &'a str) -> Option<Self> {
        super::check(text).ok()
    }

    /// A value that [`scan`](super::scan) has passed.
    pub(crate) fn of_checked(bytes: &'a [u8]) -> Option<Self> {
        core::str::from_utf8(bytes).ok().map(Self)
    }

    /// As it is written.
    pub const fn text(self) -> &'a str {
        self.0
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        match self.0.as_bytes().first() {
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
        self.0.strip_prefix('"')?.strip_suffix('"').map(unescape)
    }

    /// The string, as it is written.
    pub fn str(self) -> Option<Str<'a>> {
        self.0.strip_prefix('"')?.strip_suffix('"').map(Str::Escaped)
    }

    /// The boolean.
    pub fn boolean(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// The number, if it is whole, not negative, and written so.
    pub fn integer(self) -> Option<u64> {
        if self.kind() == Kind::Number { self.0.parse().ok() } else { None }
    }

    /// The number.
    pub fn number(self) -> Option<f64> {
        if self.kind() == Kind::Number { self.0.parse().ok() } else { None }
    }

    /// The members of an object, in order; none for any other value.
    pub fn members(self) -> Members<'a> {
        Members(Walk::into(self, b'{'))
    }

    /// The items of an array, in order; none for any other value.
    pub fn items(self) -> Items<'a> {
        Items(Walk::into(self, b'['))
    }

    /// The member called `name`; of several the last, as most readers have it.
    pub fn get(self, name: &str) -> Option<Raw<'a>> {
        self.members().filter(|(key, _)| key == name).last().map(|(_, value)| value)
    }

    /// The members of these names, all found in one pass; of several the last, and `null` is none.
    pub fn pick<const N: usize>(self, names: [&str; N]) -> [Option<Raw<'a>>; N] {
        let mut found = [None; N];
        for (key, value) in self.members() {
            let slot = names.iter().position(|name| *name == key).and_then(|at| found.get_mut(at));
            if let Some(slot) = slot {
                *slot = Some(value).filter(|value| !value.is_null());
            }
        }
        found
    }
}

struct Walk<'a> {
    text: &'a str,
    checker: Checker<'a>,
}

impl<'a> Walk<'a> {
    fn into(value: Raw<'a>, open: u8) -> Option<Self> {
        let mut checker = Checker::new(value.0.as_bytes(), Surrogates::Any);
        if checker.peek() != Some(open) {
            return None;
        }
        checker.step();
        Some(Self { text: value.0, checker })
    }

    /// At the next key or item.
    fn advance(&mut self) {
        self.checker.space();
        if self.checker.peek() == Some(b',') {
            self.checker.step();
            self.checker.space();
        }
    }

    fn value(&mut self) -> Option<Raw<'a>> {
        let start = self.checker.at();
        self.checker.value(0).ok()?;
        self.text.get(start..self.checker.at()).map(Raw)
    }
}

/// See [`Raw::members`].
pub struct Members<'a>(Option<Walk<'a>>);

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Raw<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let walk = self.0.as_mut()?;
        walk.advance();
        let (key, escaped) = walk.checker.key().ok()?;
        let key = walk.text.get(key)?;
        walk.checker.space();
        Some((if escaped { unescape(key) } else { Cow::Borrowed(key) }, walk.value()?))
    }
}

/// See [`Raw::items`].
pub struct Items<'a>(Option<Walk<'a>>);

impl<'a> Iterator for Items<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let walk = self.0.as_mut()?;
        walk.advance();
        if walk.checker.peek() == Some(b']') {
            return None;
        }
        walk.value()
    }
}

/// What stands between a string's quotes, unescaped.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    let Some((plain, _)) = text.split_once('\\') else { return Cow::Borrowed(text) };
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
        let plain = rest.find('\\').unwrap_or(rest.len());
        let (plain, next) = rest.split_at_checked(plain).unwrap_or((rest, ""));
        out.push_str(plain);
        rest = next;
    }
    Cow::Owned(out)
}

/// Reads what follows `\u`, and the second half of a pair; what is left.
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
