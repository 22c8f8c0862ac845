//! `POST /v2/embed`. Texts only, as floats or as base64 of them.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde_json::Value;

use crate::{
    answer::{Usage, tokens},
    dialect::{Call, Failure, quote, uuid},
    field::{list, strings, text},
    model::Model,
    openai::vector,
    reply::Decision,
    said,
};

/// More texts than this in one request are refused.
const MOST_TEXTS: usize = 96;

/// Answers an embed request.
pub(crate) fn embed(call: &Call<'_>) -> Decision {
    said::plain(call, |body, model| write(body, model, &call.id))
}

fn write(body: &Value, model: &Model, id: &str) -> Result<(Bytes, Usage), Failure> {
    let texts = texts(body)?;
    let dimensions = dimensions(body, model)?;
    let mut kinds = strings(body, "embedding_types");
    if kinds.is_empty() {
        kinds.push("float".to_owned());
    }
    let vectors: Vec<Vec<f32>> = texts.iter().map(|said| vector(said, dimensions)).collect();
    let mut by_kind = Vec::new();
    for kind in &kinds {
        let written: Vec<String> = match kind.as_str() {
            "float" => vectors.iter().map(|vector| serde_json::to_string(vector).unwrap_or_default()).collect(),
            "base64" => vectors.iter().map(|vector| quote(&base64(vector))).collect(),
            other => return refuse(format!("embedding type '{other}' is not supported by this model.")),
        };
        by_kind.push(format!(r#""{kind}":[{}]"#, written.join(",")));
    }
    let said: Vec<String> = texts.iter().map(|said| quote(said)).collect();
    let billed: u32 = texts.iter().map(|said| tokens(said)).sum();
    let billed = model.input(billed);
    let units = model.told(format!(r#","billed_units":{{"input_tokens":{billed}}}"#));
    let body = format!(
        r#"{{"id":"{}","embeddings":{{{}}},"texts":[{}],"meta":{{"api_version":{{"version":"2"}}{units}}},"response_type":"embeddings_by_type"}}"#,
        uuid(id),
        by_kind.join(","),
        said.join(",")
    );
    Ok((Bytes::from(body), Usage::read(billed)))
}

/// What is to be embedded: `texts`, or `inputs` of text blocks.
fn texts(body: &Value) -> Result<Vec<String>, Failure> {
    let kinds = ["search_document", "search_query", "classification", "clustering"];
    match text(body, "input_type") {
        "" => return refuse("valid input_type must be provided with the provided model"),
        kind if !kinds.contains(&kind) => return refuse(format!("'{kind}' is not a valid input_type.")),
        _ => {}
    }
    let block = |input: &Value| list(input, "content").iter().map(|block| text(block, "text")).collect::<String>();
    let inputs = list(body, "inputs").iter().map(block);
    let texts: Vec<String> = strings(body, "texts").into_iter().chain(inputs).collect();
    if texts.is_empty() {
        return refuse("at least one text, image or input must be provided.");
    }
    if texts.len() > MOST_TEXTS {
        return refuse(format!("total number of texts must be at most {MOST_TEXTS} - received {}", texts.len()));
    }
    Ok(texts)
}

fn dimensions(body: &Value, model: &Model) -> Result<usize, Failure> {
    let usual = if model.base.contains("v4") { 1536 } else { 1024 };
    let Some(wanted) = body.get("output_dimension").filter(|wanted| !wanted.is_null()) else { return Ok(usual) };
    match wanted.as_u64() {
        Some(256) => Ok(256),
        Some(512) => Ok(512),
        Some(1024) => Ok(1024),
        Some(1536) => Ok(1536),
        _ => refuse("output_dimension must be one of 256, 512, 1024, 1536."),
    }
}

fn base64(vector: &[f32]) -> String {
    BASE64_STANDARD.encode(vector.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::invalid(message, None, None))
}
