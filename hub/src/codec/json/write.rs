//! Appending JSON to bytes.

use alloc::vec::Vec;

use super::check::plain_end;
use super::str::Str;

/// Appends `text` as a JSON string, with its quotes.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escaped(out, text);
    out.push(b'"');
}

/// Appends `text` escaped, as it is written inside a JSON string.
pub fn escaped(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    let mut from = 0;
    loop {
        let to = plain_end(bytes, from);
        out.extend_from_slice(bytes.get(from..to).unwrap_or_default());
        let Some(byte) = bytes.get(to) else { return };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.extend([byte >> 4, byte & 15].iter().filter_map(|digit| HEX.get(usize::from(*digit))));
            }
        }
        from = to + 1;
    }
}

/// Appends a whole number.
pub fn number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// An object being appended.
pub struct Object<'o> {
    out: &'o mut Vec<u8>,
    comma: bool,
}

/// Appends an object; `write` appends its members.
pub fn object(out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    let mut object = Object { out, comma: false };
    write(&mut object);
    out.push(b'}');
}

/// Appends an array of `items`, each written by `write`.
pub fn array<T>(out: &mut Vec<u8>, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

impl Object<'_> {
    /// Begins a member called `name`; the caller appends its value to the returned bytes.
    pub fn member(&mut self, name: &str) -> &mut Vec<u8> {
        if core::mem::replace(&mut self.comma, true) {
            self.out.push(b',');
        }
        string(self.out, name);
        self.out.push(b':');
        self.out
    }

    /// A string.
    pub fn string(&mut self, name: &str, value: &str) {
        string(self.member(name), value);
    }

    /// A string that may already have escapes.
    pub fn str(&mut self, name: &str, value: Str<'_>) {
        value.write(self.member(name));
    }

    /// A whole number.
    pub fn number(&mut self, name: &str, value: u64) {
        number(self.member(name), value);
    }

    /// A value that is already JSON.
    pub fn raw(&mut self, name: &str, value: &str) {
        self.member(name).extend_from_slice(value.as_bytes());
    }

    /// Members that are already JSON, with commas between them.
    pub fn members(&mut self, members: &str) {
        if !members.is_empty() {
            if core::mem::replace(&mut self.comma, true) {
                self.out.push(b',');
            }
            self.out.extend_from_slice(members.as_bytes());
        }
    }

    /// An object.
    pub fn object(&mut self, name: &str, write: impl FnOnce(&mut Object<'_>)) {
        object(self.member(name), write);
    }

    /// An array.
    pub fn array<T>(&mut self, name: &str, items: impl IntoIterator<Item = T>, write: impl FnMut(&mut Vec<u8>, T)) {
        array(self.member(name), items, write);
    }
}
