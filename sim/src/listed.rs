//! The models that the simulator lists, one by one or all.

use bytes::Bytes;

use crate::{
    dialect::{Call, known},
    model::Model,
    reply::Decision,
};

/// Answers with one model, or with all that the simulator lists: `entry` writes one, `list` all from their entries.
pub(crate) fn models(
    call: &Call<'_>,
    entry: impl Fn(&str) -> String,
    list: impl FnOnce(&[String], &str) -> String,
) -> Decision {
    let options = call.options();
    call.tell(call.dialect.admit(call).and_then(|()| match &call.model {
        None => {
            let entries: Vec<String> = options.models.iter().map(|name| entry(name)).collect();
            Ok(Bytes::from(list(&options.models, &entries.join(","))))
        }
        Some(name) => known(options, name, &Model::read(name)).map(|()| Bytes::from(entry(name))),
    }))
}
