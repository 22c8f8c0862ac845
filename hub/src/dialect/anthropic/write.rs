//! What Anthropic's streams and whole answers have in common.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::json::Str;
use crate::codec::json::write::{Object, object};
use crate::piece::{Citation, Finish};
use crate::usage::Usage;

/// Appends the members at the beginning of a message. The id gets this API's form, whatever provider made it.
pub(super) fn head(message: &mut Object<'_>, id: Str<'_>, model: Str<'_>) {
    let out = message.member("id");
    out.extend_from_slice(if id.written().starts_with("msg_") { b"\"" } else { b"\"msg_" });
    id.write_inside(out);
    out.push(b'"');
    message.string("type", "message");
    message.string("role", "assistant");
    message.str("model", model);
}

/// The reason why an answer ended, and the caller's stop sequence if it is known.
///
/// <https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons>
pub(super) fn stop(to: &mut Object<'_>, finish: Option<Finish>, refused: bool, sequence: Option<Str<'_>>) {
    let reason = match finish {
        Some(Finish::Length) => "max_tokens",
        Some(Finish::ContextWindow) => "model_context_window_exceeded",
        Some(Finish::ToolCalls) => "tool_use",
        Some(Finish::ContentFilter) => "refusal",
        _ if refused => "refusal",
        _ if sequence.is_some() => "stop_sequence",
        Some(Finish::Stop) | None => "end_turn",
    };
    to.string("stop_reason", reason);
    match sequence.filter(|sequence| reason == "stop_sequence" && !sequence.is_empty()) {
        Some(sequence) => to.str("stop_sequence", sequence),
        None => to.raw("stop_sequence", "null"),
    }
}

/// `usage`. This API's input counts exclude each other.
pub(super) fn usage(to: &mut Object<'_>, usage: &Usage) {
    to.object("usage", |to| {
        to.number("input_tokens", usage.input.saturating_sub(usage.cached_read.saturating_add(usage.cache_write)));
        to.number("cache_creation_input_tokens", usage.cache_write);
        to.number("cache_read_input_tokens", usage.cached_read);
        to.number("output_tokens", usage.output);
        if usage.reasoning > 0 {
            to.object("output_tokens_details", |details| details.number("thinking_tokens", usage.reasoning));
        }
    });
}

/// A citation. This API requires a place in the document, but the provider gave none, so the first place is written. A
/// place in the answer's own text has no member here.
///
/// <https://platform.claude.com/docs/en/build-with-claude/citations>
pub(super) fn citation(out: &mut Vec<u8>, citation: &Citation<'_>) {
    let Citation { url, title, cited, document, .. } = *citation;
    object(out, |to| {
        to.string("type", if url.is_some() { "web_search_result_location" } else { "char_location" });
        to.str("cited_text", cited.unwrap_or(Str::EMPTY));
        let mut title = |name| match title {
            Some(title) => to.str(name, title),
            None => to.raw(name, "null"),
        };
        if let Some(url) = url {
            title("title");
            to.str("url", url);
            to.string("encrypted_index", "");
        } else {
            title("document_title");
            to.number("document_index", document.unwrap_or(0));
            to.number("start_char_index", 0);
            to.number("end_char_index", 0);
        }
    });
}

/// The text that stands for an image that the model made. An answer of this API has no image block. If it had a block
/// like those of requests, callers would send it back in the model's turn, where no provider accepts it, and SDKs would
/// read it as text without words.
///
/// <https://github.com/anthropics/anthropic-sdk-python/blob/main/src/anthropic/types/content_block.py>
pub(super) fn image(media_type: Str<'_>) -> String {
    let kind = media_type.text();
    format!(
        "[An image ({kind}): answers of the Messages API have no place for it. /v1/chat/completions and /v1/responses have.]"
    )
}
