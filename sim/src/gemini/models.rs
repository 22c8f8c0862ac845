//! `GET /v1beta/models` and `GET /v1beta/models/{model}`.

use bytes::Bytes;

use crate::{
    dialect::{known, quote},
    model::Model,
    route::Call,
    service::Decision,
};

/// Answers with one model, or with all that the simulator lists.
pub(crate) fn models(call: &Call<'_>) -> Decision {
    let options = call.options();
    call.tell(call.dialect.admit(call).and_then(|()| match &call.model {
        None => {
            let models: Vec<String> = options.models.iter().map(|name| entry(name)).collect();
            Ok(Bytes::from(format!(r#"{{"models":[{}]}}"#, models.join(","))))
        }
        Some(name) => known(options, name, &Model::read(name)).map(|()| Bytes::from(entry(name))),
    }))
}

fn entry(name: &str) -> String {
    let methods = if name.contains("embedding") { r#""embedContent""# } else { r#""generateContent","countTokens""# };
    let (path, name) = (quote(&format!("models/{name}")), quote(name));
    format!(
        r#"{{"name":{path},"version":"001","displayName":{name},"description":"A simulated model","inputTokenLimit":1048576,"outputTokenLimit":65536,"supportedGenerationMethods":[{methods}],"temperature":1,"topP":0.95,"topK":64,"maxTemperature":2,"thinking":true}}"#
    )
}
