//! Reads a part's headers, and the request's `content-type`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{MAX_HEADERS, Part, body, invalid};
use crate::codec::flaw::BadBody;

/// The boundary between a form's parts: 1 to 70 characters that need no escaping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary(String);

impl Boundary {
    /// Reads a request's `content-type`.
    pub fn parse(content_type: &str) -> Result<Self, BadBody> {
        let (kind, mut rest) = head(content_type);
        if !kind.eq_ignore_ascii_case("multipart/form-data") {
            return Err(body("its content type must be multipart/form-data"));
        }
        let mut boundary = None;
        while !rest.is_empty() {
            let (name, value) = parameter(&mut rest).ok_or_else(|| body("its content type cannot be read"))?;
            if name.eq_ignore_ascii_case("boundary") {
                if boundary.replace(value).is_some() {
                    return Err(body("its content type has two boundaries"));
                }
            } else if !(name.eq_ignore_ascii_case("charset") && is_plain(value)) {
                // A name in another charset, or `boundary*`, makes the same bytes a different form.
                return Err(body("its content type may have a boundary, and no charset but UTF-8"));
            }
        }
        let boundary = boundary.ok_or_else(|| body("its content type has no boundary"))?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
        if !(1..=70).contains(&boundary.len()) || !boundary.bytes().all(allowed) || boundary.ends_with(' ') {
            return Err(body("its boundary must be 1 to 70 letters, digits or '()+_,-./:=?"));
        }
        Ok(Self(boundary.to_string()))
    }

    /// Without the hyphens that are before it in the body.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A `content-type` with this boundary and nothing else, so that every reader reads the same form.
    pub fn content_type(&self) -> String {
        // RFC 2045, 5.1: a value that is not a token needs quotes.
        let quote = if self.0.bytes().all(|byte| !b"(),/:=? ".contains(&byte)) { "" } else { "\"" };
        ["multipart/form-data; boundary=", quote, &self.0, quote].concat()
    }
}

/// Whether texts in this charset are also UTF-8.
fn is_plain(charset: &str) -> bool {
    ["utf-8", "utf8", "us-ascii"].iter().any(|plain| charset.eq_ignore_ascii_case(plain))
}

/// How every reader reads the value of a field with a given `content_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// As UTF-8.
    Utf8,
    /// As UTF-8, if the value is ASCII.
    Ascii,
    /// Readers differ: as a file, as a form, or in another charset.
    Unknown,
}

impl Reading {
    pub(super) fn of(content_type: Option<&str>) -> Self {
        let Some(content_type) = content_type else { return Self::Utf8 };
        let (kind, mut rest) = head(content_type);
        let mut reading = if kind.eq_ignore_ascii_case("text/plain") { Self::Utf8 } else { Self::Unknown };
        while !rest.is_empty() {
            reading = match parameter(&mut rest) {
                Some((name, charset)) if name.eq_ignore_ascii_case("charset") && reading == Self::Utf8 => {
                    // Clients in Java send the second one if no type was set.
                    if is_plain(charset) {
                        Self::Utf8
                    } else if charset.eq_ignore_ascii_case("iso-8859-1") {
                        Self::Ascii
                    } else {
                        Self::Unknown
                    }
                }
                _ => return Self::Unknown,
            };
        }
        reading
    }
}

fn starts_with(text: &str, beginning: &str) -> bool {
    text.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
}

/// The headers of one part, so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Headers {
    /// The beginning of a line.
    held: Vec<u8>,
    /// Length of the lines before it.
    length: usize,
    field: Option<Field>,
    content_type: Option<String>,
}

/// The parameters of `Content-Disposition`.
#[derive(Clone, Debug)]
struct Field {
    name: String,
    filename: Option<String>,
}

impl Headers {
    /// Reads a line, or a piece of one without a line feed. Returns the part, still without a value, once the headers
    /// are complete.
    pub(super) fn read(&mut self, piece: &[u8]) -> Result<Option<Part>, BadBody> {
        if self.length + self.held.len() + piece.len() > MAX_HEADERS {
            return Err(body("the headers of a part are too long"));
        }
        self.held.extend_from_slice(piece);
        if !self.held.ends_with(b"\n") {
            return Ok(None);
        }
        self.length += self.held.len();
        let line = self.held.strip_suffix(b"\r\n").and_then(|line| str::from_utf8(line).ok());
        let line = line.filter(|line| !line.contains(['\r', '\0'])).ok_or_else(unreadable)?;
        if line.is_empty() {
            let Field { name, filename } =
                self.field.take().ok_or_else(|| body("a part has no Content-Disposition with a name"))?;
            let content_type = self.content_type.take();
            if content_type.as_deref().is_some_and(|kind| starts_with(kind, "multipart/")) {
                return Err(body("a part is a form itself"));
            }
            return Ok(Some(Part { name, filename, content_type, value: 0..0, text: None }));
        }
        // A line that starts with a space would continue the line before; only old mail programs send that.
        let (name, value) = line.split_once(':').ok_or_else(unreadable)?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(unreadable());
        }
        let value = value.trim_matches([' ', '\t']);
        if name.eq_ignore_ascii_case("content-disposition") {
            if self.field.replace(Field::parse(value)?).is_some() {
                return Err(body("a part has two Content-Dispositions"));
            }
        } else if name.eq_ignore_ascii_case("content-type") {
            if self.content_type.replace(value.to_string()).is_some() {
                return Err(body("a part has two Content-Types"));
            }
        } else if name.eq_ignore_ascii_case("content-transfer-encoding") {
            // Some clients still say that the part is not encoded, as RFC 7578, 4.7 allows.
            if !["7bit", "8bit", "binary"].iter().any(|plain| value.eq_ignore_ascii_case(plain)) {
                return Err(body("a part has a Content-Transfer-Encoding; values must be sent as they are"));
            }
        }
        self.held.clear();
        Ok(None)
    }
}

impl Field {
    fn parse(value: &str) -> Result<Self, BadBody> {
        let (kind, mut rest) = head(value);
        if !kind.eq_ignore_ascii_case("form-data") {
            return Err(body("a part's Content-Disposition is not form-data"));
        }
        let (mut field, mut file, mut extended) = (None, None, None);
        while !rest.is_empty() {
            let (name, value) = parameter(&mut rest).ok_or_else(unreadable)?;
            let given = if name.eq_ignore_ascii_case("name") {
                field.replace(value)
            } else if name.eq_ignore_ascii_case("filename") {
                file.replace(value)
            } else if name.eq_ignore_ascii_case("filename*") {
                extended.replace(value)
            } else {
                // `name*`, or a name in pieces (`name*0`): some readers join the pieces, others ignore them.
                return Err(body(
                    "a part's Content-Disposition may have name, filename and filename*, each plain and whole",
                ));
            };
            if given.is_some() {
                return Err(body("a part has two names"));
            }
        }
        let field = field.ok_or_else(|| body("a part has no name"))?;
        // Some readers decode a backslash, a percent sign, an encoded word (RFC 2047) or a space, or read letters
        // beyond ASCII in another charset.
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:[]".contains(&byte);
        if field.is_empty() || !field.bytes().all(allowed) {
            return Err(body("a part's name may have letters, digits and _-.:[]"));
        }
        if field.eq_ignore_ascii_case("_charset_") {
            // RFC 7578, 4.6: this field would change how the other fields are read.
            return Err(invalid(field, "leave it out: forms are read as UTF-8"));
        }
        let filename = file.or(extended).map(|name| name.replace("\\\"", "\"").replace("\\\\", "\\"));
        Ok(Self { name: field.to_string(), filename })
    }
}

/// Splits a header value into the part before its parameters, and the parameters.
fn head(value: &str) -> (&str, &str) {
    let value = value.trim_end_matches([' ', '\t', ';']);
    let (head, rest) = value.split_at_checked(value.find(';').unwrap_or(value.len())).unwrap_or((value, ""));
    (head.trim_matches([' ', '\t']), rest)
}

/// Reads the parameter at the start of `rest`, which begins with a semicolon: its name and its value. A quoted value
/// keeps its escapes. `None` if the parameter is broken.
fn parameter<'a>(rest: &mut &'a str) -> Option<(&'a str, &'a str)> {
    let blank = [' ', '\t'];
    let (name, text) = rest.strip_prefix(';')?.trim_start_matches(blank).split_once('=')?;
    let (value, after) = if let Some(quoted) = text.strip_prefix('"') {
        let end = closing(quoted)?;
        (quoted.get(..end)?, quoted.get(end + 1..)?)
    } else {
        let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
        text.split_at_checked(end).filter(|(value, _)| !value.is_empty() && !value.contains('"'))?
    };
    if name.is_empty() || name.contains([';', '"', ' ', '\t']) {
        return None;
    }
    *rest = after.trim_start_matches(blank);
    Some((name, value))
}

/// The offset of the quote that ends `quoted`. Only an escaped quote or backslash could hide it.
fn closing(quoted: &str) -> Option<usize> {
    let mut bytes = quoted.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some(at),
            b'\\' => {
                bytes.next_if(|(_, next)| matches!(next, b'"' | b'\\'));
            }
            _ => {}
        }
    }
    None
}

fn unreadable() -> BadBody {
    body("the headers of a part cannot be read")
}
