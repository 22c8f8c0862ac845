//! Embeddings in Gemini's dialect: `embedContent` for one text, `batchEmbedContents` for several.
//!
//! The purpose of the vectors (`taskType`, `title`) must be the same for all texts of a batch, because other APIs have
//! one for all.
//!
//! <https://ai.google.dev/api/embeddings>

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::call::Call;
use weir_hub::codec::json::write::{Object, object};
use weir_hub::codec::json::{Kind, Raw};
use weir_hub::dialect::gemini::members;
use weir_hub::embed::{Embed, Vectors};
use weir_hub::endpoint::Endpoint;
use weir_hub::fault::Reject;

/// Reads a request.
pub(super) fn read<'a>(call: &Call<'a>) -> Result<Embed<'a>, Reject> {
    let body = Raw::of_checked(call.body).unwrap_or(Raw::NULL);
    let mut embed = Embed::default();
    if call.asked.endpoint == Endpoint::EmbedContent {
        one(body, "", &mut embed)?;
        return Ok(embed);
    }
    let mut given = false;
    for (name, value) in members(body) {
        match &*name {
            "model" => {}
            "requests" if value.kind() == Kind::Array => {
                for (index, request) in value.items().enumerate() {
                    given = true;
                    let at = format!("requests[{index}].");
                    let mut other = Embed::default();
                    one(request, &at, &mut other)?;
                    if index == 0 {
                        embed = other;
                        continue;
                    }
                    embed.inputs.append(&mut other.inputs);
                    for (field, same) in [
                        ("outputDimensionality", embed.dimensions == other.dimensions),
                        ("taskType", embed.task == other.task),
                        ("title", embed.title == other.title),
                    ] {
                        if !same {
                            return Err(invalid(
                                format!("{at}{field}"),
                                "it must be the same in all requests for this provider",
                            ));
                        }
                    }
                    embed.extra.append(&mut other.extra);
                }
            }
            "requests" => return Err(invalid("requests", "it must be an array")),
            _ => embed.extra.push((name, value)),
        }
    }
    if given { Ok(embed) } else { Err(missing("requests")) }
}

/// Reads one text and its settings.
fn one<'a>(request: Raw<'a>, at: &str, embed: &mut Embed<'a>) -> Result<(), Reject> {
    let mut given = false;
    for (name, value) in members(request) {
        let field = || format!("{at}{name}");
        match &*name {
            "model" => {}
            "content" => {
                given = true;
                embed.inputs.push(text(value, &field())?);
            }
            // A newer place for the settings beside the content.
            "embedContentConfig" => {
                for (name, value) in members(value) {
                    said(embed, name, value, &field())?;
                }
            }
            _ => said(embed, name.clone(), value, &field())?,
        }
    }
    if given { Ok(()) } else { Err(missing(&format!("{at}content"))) }
}

/// Reads one setting of a text.
fn said<'a>(embed: &mut Embed<'a>, name: Cow<'a, str>, value: Raw<'a>, at: &str) -> Result<(), Reject> {
    let words = || value.string().ok_or_else(|| invalid(at, "it must be a string"));
    match &*name {
        "taskType" => embed.task = Some(words()?).filter(|task| task != "TASK_TYPE_UNSPECIFIED"),
        "title" => embed.title = Some(words()?),
        "outputDimensionality" => {
            let count = value.integer().filter(|count| *count > 0);
            embed.dimensions = Some(count.ok_or_else(|| invalid(at, "it must be a whole number of at least 1"))?);
        }
        // Every provider refuses a text that is too long.
        "autoTruncate" if value.boolean() == Some(false) => {}
        _ => embed.extra.push((name, value)),
    }
    Ok(())
}

/// The text of a content. Embeddings have no place for anything but text.
fn text<'a>(content: Raw<'a>, at: &str) -> Result<Cow<'a, str>, Reject> {
    let mut parts = Vec::new();
    for (name, value) in members(content) {
        match &*name {
            "role" => {}
            "parts" => parts.extend(list(value)),
            _ => return Err(invalid(format!("{at}.{name}"), "it cannot be embedded for this provider")),
        }
    }
    let mut texts = Vec::with_capacity(parts.len());
    for (index, part) in parts.into_iter().enumerate() {
        for (name, value) in members(part) {
            let field = format!("{at}.parts[{index}].{name}");
            match (&*name, value.string()) {
                ("text", Some(text)) => texts.push(text),
                ("text", None) => return Err(invalid(field, "it must be a string")),
                _ => return Err(invalid(field, "it cannot be embedded for this provider")),
            }
        }
    }
    let text = match texts.pop() {
        Some(only) if texts.is_empty() => only,
        last => texts.into_iter().chain(last).collect::<String>().into(),
    };
    if text.is_empty() { Err(invalid(at, "it must not be empty")) } else { Ok(text) }
}

/// The items of a list, or a single item without brackets.
fn list(value: Raw<'_>) -> impl Iterator<Item = Raw<'_>> {
    let alone = (value.kind() == Kind::Object).then_some(value);
    alone.into_iter().chain(value.items())
}

fn invalid(field: impl Into<String>, problem: &str) -> Reject {
    Reject::Invalid { field: field.into(), problem: problem.to_owned() }
}

fn missing(field: &str) -> Reject {
    Reject::Missing { field: field.to_owned() }
}

/// Appends the answer.
pub(super) fn write(vectors: &Vectors<'_>, endpoint: Endpoint, out: &mut Vec<u8>) {
    let values = |to: &mut Object<'_>, vector: &Raw<'_>| to.raw("values", vector.text());
    object(out, |body| {
        if endpoint == Endpoint::EmbedContent {
            body.object("embedding", |to| vectors.vectors.iter().take(1).for_each(|vector| values(to, vector)));
        } else {
            body.array("embeddings", &vectors.vectors, |out, vector| object(out, |to| values(to, vector)));
        }
        if !vectors.usage.estimated {
            body.object("usageMetadata", |usage| usage.number("promptTokenCount", vectors.usage.input));
        }
    });
}
