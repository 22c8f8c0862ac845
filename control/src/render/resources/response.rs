//! Resources as Envoy reads them from a file.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// A discovery response. Its version is the hash of its content: Envoy reports the version that it has taken.
pub(super) fn response(resources: &Value) -> String {
    pretty(&json!({ "version_info": version(resources), "resources": resources }))
}

/// The version of these resources.
pub(super) fn version(resources: &Value) -> String {
    let digest = Sha256::digest(pretty(resources));
    let short = digest.first_chunk::<8>().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(short))
}

/// `values`, each with its type.
pub(super) fn typed<'a>(kind: &str, values: impl IntoIterator<Item = &'a Value>) -> Value {
    let mark = |value: &Value| {
        let mut typed = Map::new();
        typed.insert("@type".to_owned(), json!(format!("type.googleapis.com/{kind}")));
        typed.extend(value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
        Value::Object(typed)
    };
    values.into_iter().map(mark).collect()
}

/// JSON with sorted keys, whatever order the map type keeps.
pub(super) fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(&sorted(value)).unwrap_or_default();
    text.push('\n');
    text
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: BTreeMap<&String, Value> = map.iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(map.into_iter().map(|(name, value)| (name.clone(), value)).collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
