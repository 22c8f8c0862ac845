//! `GET /v1/models` and `GET /v1/models/{id}` as Anthropic writes them.

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
    let end = |name: Option<&String>| name.map_or("null".to_owned(), |name| quote(name));
    let (first, last) = (end(options.models.first()), end(options.models.last()));
    Bytes::from(format!(r#"{{"data":[{}],"has_more":false,"first_id":{first},"last_id":{last}}}"#, models.join(",")))
}

fn entry(name: &str) -> String {
    let name = quote(name);
    format!(
        r#"{{"type":"model","id":{name},"display_name":{name},"created_at":"2025-09-29T00:00:00Z","lifecycle":"active","max_input_tokens":200000,"max_tokens":64000}}"#
    )
}
