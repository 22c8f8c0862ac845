//! What the streams and whole answers of OpenAI's chat completions have in common.

use alloc::vec::Vec;

use crate::codec::json::Str;
use crate::codec::json::write::number;
use crate::piece::{Citation, Finish};
use crate::usage::Usage;

/// One item of `reasoning_details`.
pub(super) enum Detail<'a> {
    Text { text: Str<'a>, signature: Option<Str<'a>> },
    Encrypted(Str<'a>),
}

/// One item of `reasoning_details`; see how it is read.
pub(super) fn detail(detail: &Detail<'_>, block: u32, out: &mut Vec<u8>) {
    let member = |out: &mut Vec<u8>, name: &[u8], value: Str<'_>| {
        out.extend_from_slice(name);
        value.write(out);
    };
    match *detail {
        Detail::Text { text, signature } => {
            out.extend_from_slice(b"{\"type\":\"reasoning.text\"");
            if !text.is_empty() {
                member(out, b",\"text\":", text);
            }
            if let Some(signature) = signature {
                member(out, b",\"signature\":", signature);
            }
        }
        Detail::Encrypted(data) => member(out, b"{\"type\":\"reasoning.encrypted\",\"data\":", data),
    }
    out.extend_from_slice(b",\"index\":");
    number(out, block.into());
    out.push(b'}');
}

/// One item of `annotations`. OpenAI has no such item for a source that is not a web page; it is written in the same
/// format.
pub(super) fn annotation(citation: &Citation<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"url_citation\",\"url_citation\":{\"url\":");
    citation.url.unwrap_or(Str::EMPTY).write(out);
    out.extend_from_slice(b",\"title\":");
    citation.title.unwrap_or(Str::EMPTY).write(out);
    out.extend_from_slice(b",\"start_index\":");
    number(out, citation.start.unwrap_or(0));
    out.extend_from_slice(b",\"end_index\":");
    number(out, citation.end.unwrap_or(0));
    if let Some(document) = citation.document {
        out.extend_from_slice(b",\"document_index\":");
        number(out, document);
    }
    if let Some(cited) = citation.cited {
        out.extend_from_slice(b",\"cited_text\":");
        cited.write(out);
    }
    out.extend_from_slice(b"}}");
}

/// One item of `images`, in the format of hosts whose chat models make images.
pub(super) fn image(media_type: Str<'_>, data: Str<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:");
    media_type.write_inside(out);
    out.extend_from_slice(b";base64,");
    data.write_inside(out);
    out.extend_from_slice(b"\"}}");
}

pub(super) fn finish_reason(finish: Option<Finish>) -> &'static [u8] {
    match finish {
        None => b"null",
        Some(Finish::Stop) => b"\"stop\"",
        Some(Finish::Length | Finish::ContextWindow) => b"\"length\"",
        Some(Finish::ToolCalls) => b"\"tool_calls\"",
        Some(Finish::ContentFilter) => b"\"content_filter\"",
    }
}

/// `usage`.
pub(crate) fn write_usage(usage: &Usage, out: &mut Vec<u8>) {
    let member = |out: &mut Vec<u8>, name: &[u8], value| {
        out.extend_from_slice(name);
        number(out, value);
    };
    member(out, b"{\"prompt_tokens\":", usage.input);
    member(out, b",\"completion_tokens\":", usage.output);
    member(out, b",\"total_tokens\":", usage.input.saturating_add(usage.output));
    member(out, b",\"prompt_tokens_details\":{\"cached_tokens\":", usage.cached_read);
    if usage.cache_write > 0 {
        member(out, b",\"cache_write_tokens\":", usage.cache_write);
    }
    if usage.audio_input > 0 {
        member(out, b",\"audio_tokens\":", usage.audio_input);
    }
    out.extend_from_slice(b"},\"completion_tokens_details\":{");
    // Most providers do not give these counts; an absent count is unknown, not zero.
    let mut comma: &[u8] = b"";
    for (name, count) in [(&b"\"reasoning_tokens\":"[..], usage.reasoning), (b"\"audio_tokens\":", usage.audio_output)]
    {
        if count > 0 {
            out.extend_from_slice(comma);
            member(out, name, count);
            comma = b",";
        }
    }
    out.extend_from_slice(b"}}");
}
