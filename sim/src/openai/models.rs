//! `GET /v1/models` and `GET /v1/models/{id}`.

use bytes::Bytes;

use crate::{
    Options, UnknownModels,
    dialect::{Failure, quote},
    model::Model,
};

/// The models the simulator lists.
pub(crate) fn list(options: &Options) -> Bytes {
    let models: Vec<String> = options.models.iter().map(|name| entry(name)).collect();
    Bytes::from(format!(r#"{{"object":"list","data":[{}]}}"#, models.join(",")))
}

/// One model.
pub(crate) fn one(options: &Options, name: &str) -> Result<Bytes, Failure> {
    known(options, name, &Model::read(name))?;
    Ok(Bytes::from(entry(name)))
}

/// Refuses a model that is not listed, where the options say so.
pub(crate) fn known(options: &Options, name: &str, model: &Model) -> Result<(), Failure> {
    let listed = || options.models.contains(&model.base);
    if options.unknown_models == UnknownModels::Answer || model.is_special() || listed() {
        Ok(())
    } else {
        Err(Failure::NoModel(name.to_owned()))
    }
}

fn entry(name: &str) -> String {
    let owner = if name.starts_with("claude") { "anthropic" } else { "openai" };
    format!(r#"{{"id":{},"object":"model","created":1715367049,"owned_by":"{owner}"}}"#, quote(name))
}
