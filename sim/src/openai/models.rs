//! `GET /v1/models` and `GET /v1/models/{id}`.

use crate::{
    dialect::{Call, quote},
    listed,
    reply::Decision,
};

/// Answers with one model, or with all that the simulator lists.
pub(crate) fn models(call: &Call<'_>) -> Decision {
    listed::models(call, entry, |_, entries| format!(r#"{{"object":"list","data":[{entries}]}}"#))
}

fn entry(name: &str) -> String {
    let owner = if name.starts_with("claude") { "anthropic" } else { "openai" };
    format!(r#"{{"id":{},"object":"model","created":1715367049,"owned_by":"{owner}"}}"#, quote(name))
}
