//! Changes a body's top-level members; every other byte stays the same.

use alloc::vec::Vec;

use super::{Scan, write};

/// A change of one top-level member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Sets this value, which is JSON; adds the member at the end if there is none.
    Set(&'a [u8]),
    /// Removes the member.
    Remove,
}

/// `body` with `edits` made. There may be one edit for each name.
pub fn patch(body: &[u8], scan: &Scan, edits: &[(&str, Edit<'_>)]) -> Vec<u8> {
    let added: usize = edits
        .iter()
        .map(|(name, edit)| if let Edit::Set(value) = edit { 6 * name.len() + value.len() + 4 } else { 0 })
        .sum();
    let mut out = Vec::with_capacity(body.len() + added);
    let between = |out: &mut Vec<u8>, from: usize, to: usize| {
        out.extend_from_slice(body.get(from..to).unwrap_or_default());
    };
    between(&mut out, 0, scan.open);
    // The start of the bytes that belong to the next member: after the brace or a comma.
    let mut from = scan.open;
    // Whether a member was written, and the space after it.
    let mut written = None;
    for member in &scan.members {
        let delimiter = next_delimiter(body, member.value.end);
        let edit = edits.iter().find(|(name, _)| member.is_named(body, name)).map(|(_, edit)| edit);
        if edit != Some(&Edit::Remove) {
            if let Some((from, to)) = written {
                between(&mut out, from, to);
                out.push(b',');
            }
            written = Some((member.value.end, delimiter));
            if let Some(Edit::Set(value)) = edit {
                between(&mut out, from, member.value.start);
                out.extend_from_slice(value);
            } else {
                between(&mut out, from, member.value.end);
            }
        }
        from = delimiter + 1;
    }
    for (name, edit) in edits {
        if let Edit::Set(value) = edit
            && !scan.members.iter().any(|member| member.is_named(body, name))
        {
            if written.is_some() {
                out.push(b',');
            }
            written = written.or(Some((0, 0)));
            write::string(&mut out, name);
            out.push(b':');
            out.extend_from_slice(value);
        }
    }
    let (space, to) = written.unwrap_or_default();
    between(&mut out, space, to);
    // From the closing brace on. An object without members may have space before the brace.
    let close = if scan.members.is_empty() { next_delimiter(body, scan.open) } else { from.saturating_sub(1) };
    between(&mut out, close, body.len());
    out
}

/// The offset of the comma or brace after the space at `at`.
fn next_delimiter(body: &[u8], at: usize) -> usize {
    let rest = body.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}
