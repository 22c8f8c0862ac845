//! `GET /v1/models` and `GET /v1/models/{id}` as Anthropic writes them.

use crate::{
    dialect::{Call, quote},
    listed,
    reply::Decision,
};

/// Answers with one model, or with all that the simulator lists.
pub(crate) fn models(call: &Call<'_>) -> Decision {
    listed::models(call, entry, |names, entries| {
        let end = |name: Option<&String>| name.map_or("null".to_owned(), |name| quote(name));
        let (first, last) = (end(names.first()), end(names.last()));
        format!(r#"{{"data":[{entries}],"has_more":false,"first_id":{first},"last_id":{last}}}"#)
    })
}

fn entry(name: &str) -> String {
    let name = quote(name);
    format!(
        r#"{{"type":"model","id":{name},"display_name":{name},"created_at":"2025-09-29T00:00:00Z","lifecycle":"active","max_input_tokens":200000,"max_tokens":64000}}"#
    )
}
