//! One way to write each path. In an operator's Envoy, rules before Weir judge the path that the caller wrote, so every other way to
//! write it is refused there. At Weir's own port nobody has judged before, and it is forgiven.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::Write;

use weir_hub::endpoint::Endpoint;

/// Without the slashes that a base URL brings: one at its end before a path that begins with one makes two.
pub(super) fn merged(path: &str) -> Cow<'_, str> {
    let path = path.trim_end_matches('/');
    if !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut merged = String::with_capacity(path.len());
    merged.extend(path.chars().filter({
        let mut before = None;
        move |c| before.replace(*c) != Some('/') || *c != '/'
    }));
    Cow::Owned(merged)
}

/// The way in which `path` is to be written: merged, and with nothing percent-encoded of the model that it names but what cannot
/// stand in a path, by [RFC 3986, 3.3](https://www.rfc-editor.org/rfc/rfc3986#section-3.3).
pub(super) fn plain(path: &str) -> Cow<'_, str> {
    let merged = merged(path);
    let model = Endpoint::at(&merged).and_then(|asked| asked.in_path).map(|(model, _)| (model, encoded(model)));
    match model {
        Some((model, encoded)) if model != encoded => Cow::Owned(merged.replacen(model, &encoded, 1)),
        _ => merged,
    }
}

/// `model` as a part of a path.
fn encoded(model: &str) -> String {
    let decoded = crate::listing::percent_decoded(model);
    let mut out = String::with_capacity(model.len());
    for byte in decoded.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
