//! Tells when the arguments of a tool call, which come in fragments, are complete.

use core::str::Bytes;

use crate::codec::json::Str;

/// The current depth inside a JSON object that comes in fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Nesting {
    depth: usize,
    at: At,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Before the opening brace.
    #[default]
    Start,
    Inside,
    String,
    /// After a backslash in a string.
    Escape,
    /// After the closing brace.
    End,
}

impl Nesting {
    /// Reads the next fragment.
    pub(super) fn read(&mut self, fragment: Str<'_>) {
        match fragment {
            Str::Plain(text) => text.bytes().for_each(|byte| self.step(byte)),
            // Unescaped byte by byte: only ASCII characters affect the nesting.
            Str::Escaped(text) => {
                let mut bytes = text.bytes();
                while let Some(byte) = bytes.next() {
                    self.step(if byte == b'\\' { unescaped(&mut bytes) } else { byte });
                }
            }
        }
    }

    /// Whether the object is complete.
    pub(super) fn is_closed(self) -> bool {
        self.at == At::End
    }

    fn step(&mut self, byte: u8) {
        self.at = match (self.at, byte) {
            (At::Start, b'{') | (At::Inside, b'{' | b'[') => {
                self.depth += 1;
                At::Inside
            }
            (At::Inside, b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 { At::End } else { At::Inside }
            }
            (At::Inside, b'"') | (At::Escape, _) => At::String,
            (At::String, b'"') => At::Inside,
            (At::String, b'\\') => At::Escape,
            (at, _) => at,
        };
    }
}

/// The byte that an escape stands for; reads what is after the backslash.
fn unescaped(bytes: &mut Bytes<'_>) -> u8 {
    match bytes.next() {
        Some(b'u') => {
            let digits = bytes.take(4).filter_map(|digit| char::from(digit).to_digit(16));
            u8::try_from(digits.fold(0, |code, digit| code * 16 + digit)).unwrap_or(b'x')
        }
        Some(byte @ (b'"' | b'\\' | b'/')) => byte,
        _ => b' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json::Collected;

    #[test]
    fn an_object_is_closed_by_its_last_brace() {
        let text = r#" {"a":{"b":["}]","\"}\\",{}]},"é":"}"}"#;
        let escaped = Collected::from(Str::Plain(text));
        let escaped = escaped.get().written().replace('[', "\\u005b");
        for text in [Str::Plain(text), Str::Escaped(&escaped)] {
            let mut nesting = Nesting::default();
            nesting.read(text);
            assert!(nesting.is_closed(), "{text:?}");
        }
        for (end, _) in text.char_indices() {
            let mut nesting = Nesting::default();
            nesting.read(Str::Plain(&text[..end]));
            assert!(!nesting.is_closed(), "{}", &text[..end]);
            nesting.read(Collected::from(Str::Plain(&text[end..])).get());
            assert!(nesting.is_closed(), "{end}");
        }
    }
}
