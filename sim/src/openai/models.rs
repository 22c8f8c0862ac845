//! `GET /v1/models` and `GET /v1/models/{id}`.

use bytes::Bytes;

use crate::{
    Options,
    dialect::{known, quote},
    model::Model,
    route::Call,
    service::Decision,
};

/// Answers with one model, or with all that the simulator lists.
pub(crate) fn models(call: &Call<'_>) -> Decision {
    let options = call.options();
    call.tell(call.dialect.admit(call).and_then(|()| match &call.model {
        None => Ok(list(options)),
        Some(name) => known(options, name, &Model::read(name)).map(|()| Bytes::from(entry(name))),
    }))
}

fn list(options: &Options) -> Bytes {
    let models: Vec<String> = options.models.iter().map(|name| entry(name)).collect();
    Bytes::from(format!(r#"{{"object":"list","data":[{}]}}"#, models.join(",")))
}

fn entry(name: &str) -> String {
    let owner = if name.starts_with("claude") { "anthropic" } else { "openai" };
    format!(r#"{{"id":{},"object":"model","created":1715367049,"owned_by":"{owner}"}}"#, quote(name))
}
