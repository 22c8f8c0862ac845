//! The plain form of each path. In an operator's Envoy, rules before Weir judge the path as the caller wrote it, so any
//! other spelling is refused there. At Weir's own port nothing has judged the path, so other spellings are accepted.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::Write;

use weir_hub::endpoint::Endpoint;

/// The path without extra slashes. A base URL that ends with a slash makes two of one.
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

/// The plain form of `path`: without double slashes, and with only those characters of a model's name percent-encoded
/// that cannot be in a path, by [RFC 3986, 3.3](https://www.rfc-editor.org/rfc/rfc3986#section-3.3).
pub(super) fn plain(path: &str) -> Cow<'_, str> {
    let merged = merged(path);
    let model = Endpoint::at(&merged).and_then(|asked| asked.in_path).map(|(model, _)| (model, encoded(model)));
    match model {
        Some((model, encoded)) if model != encoded => Cow::Owned(merged.replacen(model, &encoded, 1)),
        _ => merged,
    }
}

/// `model` encoded as a part of a path.
fn encoded(model: &str) -> String {
    let decoded = crate::percent::percent_decoded(model);
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
