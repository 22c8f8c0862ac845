//! Plans that another version of the edge has written.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use weir_core::plan;

/// Has Envoy give each request the plan `text`, after the edge in the listener of `folder` has written its own.
pub(super) fn replace(folder: &Path, text: &str) {
    let routes = fs::read_to_string(folder.join("rds.json")).expect("the routes");
    let (_, class) = routes.split_once("#whole-").expect("a route for whole answers");
    let end = class.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').expect("its end");
    let text = text.replace("{whole}", &format!("whole-{}", &class[..end]));
    let file = folder.join("lds.json");
    let mut listeners: Value = serde_json::from_slice(&fs::read(&file).expect("the listeners")).expect("JSON");
    let filter = json!({
        "name": "a-plan-of-another-version",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
            "on_request_headers": [{
                "object_key": plan::KEY,
                "factory_key": "envoy.string",
                "format_string": { "text_format_source": { "inline_string": text } },
                "shared_with_upstream": "TRANSITIVE",
            }],
        },
    });
    assert!(insert(&mut listeners, &filter), "no edge in {}", file.display());
    fs::write(&file, listeners.to_string()).expect("the listeners");
}

/// Inserts `filter` behind the edge.
fn insert(value: &mut Value, filter: &Value) -> bool {
    match value {
        Value::Array(items) => match items.iter().position(|item| item["name"] == "weir-edge") {
            Some(edge) => {
                items.insert(edge + 1, filter.clone());
                true
            }
            None => items.iter_mut().any(|item| insert(item, filter)),
        },
        Value::Object(members) => members.values_mut().any(|member| insert(member, filter)),
        _ => false,
    }
}
