//! One part of a message.
//!
//! <https://platform.openai.com/docs/api-reference/chat/create>,
//! <https://docs.mistral.ai/api/endpoint/chat>

use alloc::vec::Vec;

use weir_hub::chat::{Content, Detail, Part, Source};
use weir_hub::codec::json::write::{Object, escaped, object};

use super::Parts;
use super::conversation::{is_text, words};

/// Appends a part.
pub(super) fn write(out: &mut Vec<u8>, part: &Part<'_>, parts: Parts, marks: bool) {
    object(out, |to| {
        match (&part.content, parts) {
            (content, _) if is_text(content) => {
                to.string("type", "text");
                to.string("text", &words(content));
            }
            (Content::ImageUrl(url), _) => {
                to.string("type", "image_url");
                to.object("image_url", |image| {
                    image.string("url", url);
                    look(part, image);
                });
            }
            (Content::Image { media_type, data }, _) => {
                to.string("type", "image_url");
                to.object("image_url", |image| {
                    data_url(image.member("url"), media_type, data);
                    look(part, image);
                });
            }
            (Content::Document { source: Source::File { media_type, data }, name }, Parts::OpenAi) => {
                to.string("type", "file");
                to.object("file", |file| {
                    // Required by the API.
                    file.string("filename", name.as_deref().unwrap_or("document.pdf"));
                    data_url(file.member("file_data"), media_type, data);
                });
            }
            (Content::Document { source: Source::File { media_type, data }, name }, Parts::Mistral) => {
                to.string("type", "document_url");
                data_url(to.member("document_url"), media_type, data);
                named(to, name.as_deref());
            }
            (Content::Document { source: Source::Url(url), name }, _) => {
                to.string("type", "document_url");
                to.string("document_url", url);
                named(to, name.as_deref());
            }
            (Content::Audio { format, data }, Parts::OpenAi) => {
                to.string("type", "input_audio");
                to.object("input_audio", |audio| {
                    audio.string("data", data);
                    audio.string("format", format);
                });
            }
            (Content::Audio { data, .. }, Parts::Mistral) => {
                to.string("type", "input_audio");
                to.string("input_audio", data);
            }
            (Content::Reasoning { text, .. }, _) => {
                to.string("type", "thinking");
                to.array("thinking", [text], |out, text| {
                    object(out, |item| {
                        item.string("type", "text");
                        item.string("text", text);
                    });
                });
            }
            (content, _) => {
                to.string("type", "text");
                to.string("text", &words(content));
            }
        }
        if let Some(mark) = part.cache.filter(|_| marks) {
            to.raw("cache_control", mark.text());
        }
    });
}

/// How closely to look at an image, if the API can express it.
fn look(part: &Part<'_>, image: &mut Object<'_>) {
    if let Some(detail) = part.detail {
        image.string("detail", if detail == Detail::Low { "low" } else { "high" });
    }
}

fn named(to: &mut Object<'_>, name: Option<&str>) {
    if let Some(name) = name {
        to.string("document_name", name);
    }
}

fn data_url(out: &mut Vec<u8>, media_type: &str, data: &str) {
    out.extend_from_slice(b"\"data:");
    escaped(out, media_type);
    out.extend_from_slice(b";base64,");
    escaped(out, data);
    out.push(b'"');
}
