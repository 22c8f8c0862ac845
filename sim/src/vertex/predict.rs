//! `:predict` of models that embed texts.
//!
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api>

use bytes::Bytes;
use serde_json::Value;

use crate::{
    answer::{Usage, tokens},
    dialect::{Call, Failure},
    field::{list, text},
    openai::vector,
    reply::Decision,
    said,
};

/// More texts than this in one request are refused.
const MOST_TEXTS: usize = 250;

/// Answers a prediction.
pub(crate) fn predict(call: &Call<'_>) -> Decision {
    said::plain(call, |body, model| {
        let instances = list(body, "instances");
        if instances.is_empty() || instances.len() > MOST_TEXTS {
            return refuse(format!(
                "{} instance(s) is not in the range of 1 to {MOST_TEXTS} per prediction.",
                instances.len()
            ));
        }
        let whole = if model.base.contains("gemini-embedding") { 3072 } else { 768 };
        let dimensions = match body.pointer("/parameters/outputDimensionality").map(Value::as_u64) {
            None => whole,
            Some(wanted) => match wanted.and_then(|wanted| usize::try_from(wanted).ok()) {
                Some(wanted) if (1..=whole).contains(&wanted) => wanted,
                _ => return refuse(format!("The outputDimensionality must be in the range [1, {whole}].")),
            },
        };
        let mut predictions = Vec::with_capacity(instances.len());
        let mut characters = 0;
        let mut used = 0;
        for instance in instances {
            let said = text(instance, "content");
            if said.is_empty() {
                return refuse("The text content is empty.".to_owned());
            }
            characters += said.chars().filter(|c| !c.is_whitespace()).count();
            let count = model.input(tokens(said));
            used += count;
            let told = model.told(format!(r#","token_count":{count}"#));
            let values = serde_json::to_string(&vector(said, dimensions)).unwrap_or_default();
            predictions
                .push(format!(r#"{{"embeddings":{{"values":{values},"statistics":{{"truncated":false{told}}}}}}}"#));
        }
        let body = format!(
            r#"{{"predictions":[{}],"metadata":{{"billableCharacterCount":{characters}}}}}"#,
            predictions.join(",")
        );
        Ok((Bytes::from(body), Usage::read(used)))
    })
}

fn refuse<T>(message: String) -> Result<T, Failure> {
    Err(Failure::invalid(message, None, None))
}
