//! `POST /mistral/v1/embeddings`.

use bytes::Bytes;
use serde_json::Value;

use crate::{
    answer::{Usage, tokens},
    dialect::{Call, Failure, quote},
    openai::{vector, written},
    reply::Decision,
    said,
};

/// How long vectors are, unless the request says otherwise.
const DIMENSIONS: usize = 1024;

/// Answers an embeddings request.
pub(crate) fn embed(call: &Call<'_>) -> Decision {
    said::plain(call, |body, model| {
        let missing = || Failure::invalid("Field required", Some("input"), Some("missing"));
        let texts: Vec<&str> = match body.get("input") {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
            _ => return Err(missing()),
        };
        if texts.is_empty() {
            return Err(missing());
        }
        let known = ["model", "input", "output_dimension", "output_dtype", "encoding_format", "metadata"];
        if let Some(unknown) =
            body.as_object().and_then(|fields| fields.keys().find(|key| !known.contains(&key.as_str())))
        {
            return Err(Failure::invalid("Extra inputs are not permitted", Some(unknown), Some("extra_forbidden")));
        }
        let wanted =
            body.get("output_dimension").and_then(Value::as_u64).and_then(|wanted| usize::try_from(wanted).ok());
        let dimensions = wanted.unwrap_or(DIMENSIONS);
        if !(1..=3072).contains(&dimensions) {
            let message = "Input should be less than or equal to 3072";
            return Err(Failure::invalid(message, Some("output_dimension"), Some("less_than_equal")));
        }
        let data: Vec<String> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| {
                let vector = written(&vector(text, dimensions), body);
                format!(r#"{{"object":"embedding","embedding":{vector},"index":{index}}}"#)
            })
            .collect();
        let used: u32 = texts.iter().map(|text| tokens(text)).sum();
        let used = model.input(used);
        let usage = format!(r#","usage":{{"prompt_tokens":{used},"total_tokens":{used},"completion_tokens":0}}"#);
        let (id, data, name) = (&call.id, data.join(","), quote(&model.name));
        let usage = model.told(usage);
        let body = format!(r#"{{"id":"{id}","object":"list","data":[{data}],"model":{name}{usage}}}"#);
        Ok((Bytes::from(body), Usage::read(used)))
    })
}
