//! `POST /model/{id}/invoke` for models that embed: Titan's shape where there is an `inputText`, Cohere's where there are
//! `texts`.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html>

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

/// More texts than this in one request to Cohere are refused.
const MOST_TEXTS: usize = 96;

/// Answers an invocation.
pub(crate) fn invoke(call: &Call<'_>) -> Decision {
    said::plain(call, |body, model| {
        if body.get("texts").is_some() || model.base.contains("cohere.") {
            return cohere(body, model, &call.id);
        }
        titan(body, model)
    })
}

fn titan(body: &Value, model: &Model) -> Result<(Bytes, Usage), Failure> {
    let old = model.base.contains("titan-embed-text-v1");
    let known: &[&str] = if old { &["inputText"] } else { &["inputText", "dimensions", "normalize", "embeddingTypes"] };
    keys(body, known, &["inputText"])?;
    let said = text(body, "inputText");
    if said.is_empty() {
        return malformed("expected minLength: 1, actual: 0");
    }
    let dimensions = match body.get("dimensions").map(Value::as_u64) {
        None => {
            if old {
                1536
            } else {
                1024
            }
        }
        Some(Some(256)) => 256,
        Some(Some(512)) => 512,
        Some(Some(1024)) => 1024,
        Some(_) => return malformed("#/dimensions: is not a valid enum value"),
    };
    let values = serde_json::to_string(&vector(said, dimensions)).unwrap_or_default();
    let count = model.input(tokens(said));
    let told = model.told(format!(r#","inputTextTokenCount":{count}"#));
    let by_type = if old { String::new() } else { format!(r#","embeddingsByType":{{"float":{values}}}"#) };
    Ok((Bytes::from(format!(r#"{{"embedding":{values}{by_type}{told}}}"#)), Usage::read(count)))
}

fn cohere(body: &Value, model: &Model, id: &str) -> Result<(Bytes, Usage), Failure> {
    let known =
        ["texts", "images", "inputs", "input_type", "truncate", "embedding_types", "output_dimension", "max_tokens"];
    keys(body, &known, &["texts", "input_type"])?;
    let texts = strings(body, "texts");
    if texts.is_empty() || texts.len() > MOST_TEXTS {
        return malformed(&format!("#/texts: expected 1 to {MOST_TEXTS} items, actual: {}", texts.len()));
    }
    let kinds = ["search_document", "search_query", "classification", "clustering"];
    if !kinds.contains(&text(body, "input_type")) {
        return malformed("#/input_type: is not a valid enum value");
    }
    let dimensions = match body.get("output_dimension").and_then(Value::as_u64) {
        Some(wanted @ (256 | 512 | 1024 | 1536)) => usize::try_from(wanted).unwrap_or_default(),
        Some(_) => return malformed("#/output_dimension: is not a valid enum value"),
        None if model.base.contains("v4") => 1536,
        None => 1024,
    };
    let vectors: Vec<String> =
        texts.iter().map(|said| serde_json::to_string(&vector(said, dimensions)).unwrap_or_default()).collect();
    let (vectors, id) = (vectors.join(","), uuid(id));
    let said: Vec<String> = texts.iter().map(|said| quote(said)).collect();
    let (embeddings, kind) = if list(body, "embedding_types").is_empty() {
        (format!("[{vectors}]"), "embeddings_floats")
    } else {
        (format!(r#"{{"float":[{vectors}]}}"#), "embeddings_by_type")
    };
    let read = model.input(texts.iter().map(|said| tokens(said)).sum());
    let body =
        format!(r#"{{"embeddings":{embeddings},"id":"{id}","response_type":"{kind}","texts":[{}]}}"#, said.join(","));
    Ok((Bytes::from(body), Usage::read(read)))
}

/// Refuses a key that the model does not take, or one that it lacks.
fn keys(body: &Value, known: &[&str], required: &[&str]) -> Result<(), Failure> {
    let fields = body.as_object();
    if let Some(unknown) = fields.and_then(|fields| fields.keys().find(|key| !known.contains(&key.as_str()))) {
        return malformed(&format!("#: extraneous key [{unknown}] is not permitted"));
    }
    match required.iter().find(|key| body.get(**key).is_none()) {
        Some(missing) => malformed(&format!("#: required key [{missing}] not found")),
        None => Ok(()),
    }
}

fn malformed<T>(what: &str) -> Result<T, Failure> {
    let message = format!("Malformed input request: {what}, please reformat your input and try again.");
    Err(Failure::invalid(message, None, None))
}
