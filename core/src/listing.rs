//! `GET /v1/models` and `GET /v1beta/models`: the models that a key may use.

use alloc::string::ToString;
use alloc::vec::Vec;

use serde_json::{Value, json};
use weir_hub::endpoint::Family;
use weir_hub::fault::Reject;

use crate::answer::Answer;
use crate::config::{Model, Routing};
use crate::percent::percent_decoded;

/// Whether `path` lists models, or shows one.
pub fn is_at(path: &str) -> bool {
    let rest = path.strip_prefix("/v1/models").or_else(|| path.strip_prefix("/v1beta/models"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The list at `/v1/models`, or the one model at `/v1/models/{id}`, in the format of the caller's family.
pub fn answer(routing: &Routing, may_use: impl Fn(&str) -> bool, path: &str, family: Family) -> Result<Answer, Reject> {
    let rest = path.strip_prefix("/v1beta/models").or_else(|| path.strip_prefix("/v1/models"));
    let id = rest.and_then(|rest| rest.strip_prefix('/')).filter(|id| !id.is_empty());
    let body = match id {
        None => {
            let usable = routing.models.iter().filter(|(name, _)| may_use(name));
            let entries: Vec<Value> = usable.map(|(name, model)| entry(name, model, family)).collect();
            match family {
                Family::OpenAi => json!({"object": "list", "data": entries}),
                Family::Anthropic => json!({
                    "first_id": entries.first().map(|entry| &entry["id"]),
                    "last_id": entries.last().map(|entry| &entry["id"]),
                    "has_more": false,
                    "data": entries,
                }),
                Family::Gemini => json!({"models": entries}),
            }
        }
        Some(id) => {
            let id = percent_decoded(id);
            let found = routing.models.get(&id).filter(|_| may_use(&id));
            entry(&id, found.ok_or_else(|| Reject::UnknownModel { model: id.clone() })?, family)
        }
    };
    Ok(Answer::json(body.to_string().into_bytes()))
}

/// One model. Weir does not know when a model was made, so that is the start of the epoch.
fn entry(name: &str, model: &Model, family: Family) -> Value {
    match family {
        Family::OpenAi => json!({"id": name, "object": "model", "created": 0, "owned_by": model.owned_by}),
        Family::Anthropic => {
            json!({"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"})
        }
        Family::Gemini => json!({
            "name": alloc::format!("models/{name}"),
            "displayName": name,
            "supportedGenerationMethods": ["generateContent", "streamGenerateContent"],
        }),
    }
}
