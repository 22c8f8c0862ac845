//! `GET /v1/models`: the models that a key may use.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::config::{Key, Model, Routing};
use crate::fault::Reject;

/// The list under `/v1/models`, or the one model under `/v1/models/{id}`.
pub fn answer(routing: &Routing, key: &Key, path: &str) -> Result<Answer, Reject> {
    let id = path.strip_prefix("/v1/models").and_then(|rest| rest.strip_prefix('/')).filter(|id| !id.is_empty());
    let body = match id {
        None => {
            let usable = routing.models.iter().filter(|(name, _)| key.may_use(name));
            json!({"object": "list", "data": usable.map(|(name, model)| entry(name, model)).collect::<Vec<_>>()})
        }
        Some(id) => {
            let id = percent_decoded(id);
            let found = routing.models.get(&id).filter(|_| key.may_use(&id));
            entry(&id, found.ok_or_else(|| Reject::UnknownModel { model: id.clone() })?)
        }
    };
    Ok(Answer::json(body.to_string().into_bytes()))
}

/// One model in OpenAI's shape. Weir does not know when a model was made, so `created` is 0.
fn entry(name: &str, model: &Model) -> Value {
    json!({"id": name, "object": "model", "created": 0, "owned_by": model.owned_by})
}

/// Names such as `org/model` come with their slash escaped from some clients.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|hex| core::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).to_string()
}
