//! `GET /v1/models` and `GET /v1/models/{id}` as Anthropic writes them.

use bytes::Bytes;

use crate::{
    Options,
    dialect::{Failure, quote},
    model::Model,
    openai,
};

/// The models the simulator lists.
pub(crate) fn list(options: &Options) -> Bytes {
    let models: Vec<String> = options.models.iter().map(|name| entry(name)).collect();
    let end = |name: Option<&String>| name.map_or("null".to_owned(), |name| quote(name));
    let (first, last) = (end(options.models.first()), end(options.models.last()));
    Bytes::from(format!(r#"{{"data":[{}],"has_more":false,"first_id":{first},"last_id":{last}}}"#, models.join(",")))
}

/// One model.
pub(crate) fn one(options: &Options, name: &str) -> Result<Bytes, Failure> {
    openai::known(options, name, &Model::read(name))?;
    Ok(Bytes::from(entry(name)))
}

fn entry(name: &str) -> String {
    let name = quote(name);
    format!(
        r#"{{"type":"model","id":{name},"display_name":{name},"created_at":"2025-09-29T00:00:00Z","lifecycle":"active","max_input_tokens":200000,"max_tokens":64000}}"#
    )
}
