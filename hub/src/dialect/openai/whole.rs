//! Writes a whole answer: `chat.completion`.

use alloc::vec::Vec;

use super::write::{Detail, annotation, detail, finish_reason, image, write_usage};
use crate::call::ReplyStart;
use crate::codec::json::write::{number, string};
use crate::codec::json::{Collected, Str};
use crate::piece::{Answer, Block, Choice, Cited};
use crate::usage::Usage;

pub(super) fn write(answer: &Answer, usage: &Usage, start: &ReplyStart<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":");
    string(out, &answer.id);
    out.extend_from_slice(b",\"object\":\"chat.completion\",\"created\":");
    number(out, start.created);
    out.extend_from_slice(b",\"model\":");
    string(out, &answer.model);
    list(b",\"choices\":[", answer.choices.iter().enumerate(), out, |(index, choice), out| {
        out.extend_from_slice(b"{\"index\":");
        number(out, index as u64);
        out.extend_from_slice(b",\"message\":");
        message(choice, out);
        out.extend_from_slice(b",\"logprobs\":");
        if choice.logprobs.is_empty() {
            out.extend_from_slice(b"null");
        } else {
            out.extend_from_slice(b"{\"content\":[");
            out.extend_from_slice(&choice.logprobs);
            out.extend_from_slice(b"],\"refusal\":null}");
        }
        out.extend_from_slice(b",\"finish_reason\":");
        out.extend_from_slice(finish_reason(choice.finish));
        out.push(b'}');
    });
    out.extend_from_slice(b",\"usage\":");
    write_usage(usage, out);
    out.push(b'}');
}

fn message(choice: &Choice, out: &mut Vec<u8>) {
    let blocks = || choice.blocks.iter();
    let has_calls = blocks().any(|block| matches!(block, Block::Call { .. }));
    let text = || blocks().filter_map(|block| if let Block::Text { text, .. } = block { Some(text) } else { None });
    out.extend_from_slice(b"{\"role\":\"assistant\",\"content\":");
    if has_calls && text().all(Collected::is_empty) {
        out.extend_from_slice(b"null");
    } else {
        joined(text(), out);
    }
    out.extend_from_slice(b",\"refusal\":");
    let refusal = || blocks().filter_map(|block| if let Block::Refusal(text) = block { Some(text) } else { None });
    if refusal().next().is_some() {
        joined(refusal(), out);
    } else {
        out.extend_from_slice(b"null");
    }
    let thoughts =
        || blocks().filter_map(|block| if let Block::Reasoning { text, .. } = block { Some(text) } else { None });
    if !thoughts().all(Collected::is_empty) {
        out.extend_from_slice(b",\"reasoning_content\":");
        joined(thoughts(), out);
    }
    let details = blocks().filter_map(|block| match block {
        Block::Reasoning { text, signature, block } => {
            Some((Detail::Text { text: text.get(), signature: signature.as_ref().map(Collected::get) }, *block))
        }
        Block::Redacted { data, block } => Some((Detail::Encrypted(data.get()), *block)),
        _ => None,
    });
    list(b",\"reasoning_details\":[", details, out, |(item, block), out| detail(&item, block, out));
    let citations =
        blocks().flat_map(|block| if let Block::Text { citations, .. } = block { &**citations } else { &[] });
    list(b",\"annotations\":[", citations.map(Cited::get), out, |citation, out| annotation(&citation, out));
    let images = blocks().filter_map(|block| match block {
        Block::Image { media_type, data } => Some((media_type.get(), data.get())),
        _ => None,
    });
    list(b",\"images\":[", images, out, |(media_type, data): (Str<'_>, Str<'_>), out| image(media_type, data, out));
    let calls = blocks().filter_map(|block| match block {
        Block::Call { id, name, arguments } => Some((id.get(), name.get(), arguments.get())),
        _ => None,
    });
    list(b",\"tool_calls\":[", calls, out, |(id, name, arguments), out| {
        out.extend_from_slice(b"{\"id\":");
        id.write(out);
        out.extend_from_slice(b",\"type\":\"function\",\"function\":{\"name\":");
        name.write(out);
        out.extend_from_slice(b",\"arguments\":");
        arguments.write(out);
        out.extend_from_slice(b"}}");
    });
    out.push(b'}');
}

/// Joins several texts into one string.
fn joined<'c>(texts: impl Iterator<Item = &'c Collected>, out: &mut Vec<u8>) {
    out.push(b'"');
    for text in texts {
        text.get().write_inside(out);
    }
    out.push(b'"');
}

/// Appends a member that is an array, unless it is empty.
fn list<T>(open: &[u8], items: impl Iterator<Item = T>, out: &mut Vec<u8>, write: impl Fn(T, &mut Vec<u8>)) {
    let mut any = false;
    for item in items {
        out.extend_from_slice(if any { b"," } else { open });
        any = true;
        write(item, out);
    }
    if any {
        out.push(b']');
    }
}
