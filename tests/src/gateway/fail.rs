//! An edge that fails.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Has the edge that is published in `folder` fail at each request for `model`.
pub(super) fn on(folder: &Path, model: &str) {
    let changed =
        fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("its entries").path()).filter(|file| {
            let Some(mut value) = fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) else {
                return false;
            };
            let found = fail(&mut value, model);
            if found {
                fs::write(file, value.to_string()).expect("the configuration");
            }
            found
        });
    assert!(changed.count() > 0, "no edge in {}", folder.display());
}

/// The filter's configuration is a text of JSON within JSON.
fn fail(value: &mut Value, model: &str) -> bool {
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(mut inner) if inner["edge"].is_object() => {
                inner["edge"]["fails_on"] = json!(model);
                *text = inner.to_string();
                true
            }
            _ => false,
        },
        Value::Array(items) => items.iter_mut().any(|item| fail(item, model)),
        Value::Object(members) => members.values_mut().any(|item| fail(item, model)),
        _ => false,
    }
}
