//! `GET /v1beta/models` and `GET /v1beta/models/{model}`.

use crate::{
    dialect::{Call, quote},
    listed,
    reply::Decision,
};

/// Answers with one model, or with all that the simulator lists.
pub(crate) fn models(call: &Call<'_>) -> Decision {
    listed::models(call, entry, |_, entries| format!(r#"{{"models":[{entries}]}}"#))
}

fn entry(name: &str) -> String {
    let methods = if name.contains("embedding") { r#""embedContent""# } else { r#""generateContent","countTokens""# };
    let (path, name) = (quote(&format!("models/{name}")), quote(name));
    format!(
        r#"{{"name":{path},"version":"001","displayName":{name},"description":"A simulated model","inputTokenLimit":1048576,"outputTokenLimit":65536,"supportedGenerationMethods":[{methods}],"temperature":1,"topP":0.95,"topK":64,"maxTemperature":2,"thinking":true}}"#
    )
}
