//! Embeddings at an upstream that speaks OpenAI's API, for callers of another API.
//!
//! <https://platform.openai.com/docs/api-reference/embeddings>

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use weir_hub::codec::json::Raw;
use weir_hub::codec::json::write::{object, string};
use weir_hub::embed::{Embed, Vectors};
use weir_hub::usage::Usage;

/// The request for `embed`, as a caller of OpenAI's API would have sent it.
pub(super) fn write(embed: &Embed<'_>, model: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    object(&mut out, |body| {
        body.string("model", model);
        body.array("input", &embed.inputs, |out, text| string(out, text));
        if let Some(dimensions) = embed.dimensions {
            body.number("dimensions", dimensions);
        }
    });
    out
}

/// The vectors of an answer; `None` if it has none.
pub(super) fn read(answer: Raw<'_>) -> Option<Vectors<'_>> {
    let items = answer.get("data")?.items();
    let items = items.map(|item| Some((item.get("index").and_then(Raw::integer), item.get("embedding")?)));
    let mut items = items.collect::<Option<Vec<_>>>()?;
    items.sort_by_key(|(index, _)| *index);
    let said = answer.get("usage").and_then(|usage| usage.get("prompt_tokens")?.integer());
    let usage = Usage { input: said.unwrap_or(0), estimated: said.is_none(), ..Usage::default() };
    let model = answer.get("model").and_then(Raw::string).map_or_else(String::new, |model| model.to_string());
    Some(Vectors { model, vectors: items.into_iter().map(|(_, vector)| vector).collect(), usage })
}
