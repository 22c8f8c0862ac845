//! Everything in one bootstrap.

use serde_json::{Value, json};

use super::Resources;

impl Resources {
    /// Everything in one bootstrap, with no file to watch. `envoy --mode validate` checks every field of it.
    pub fn in_one(&self) -> Value {
        let mut all = self.bootstrap.clone();
        let clusters = all.pointer("/static_resources/clusters").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut own: Vec<Value> = self.clusters.values().cloned().collect();
        own.iter_mut().for_each(inline_secrets);
        let clusters: Vec<Value> = clusters.into_iter().chain(own).collect();
        let listeners = self.listeners.values().map(|listener| inline(listener, &self.routes.value(), &self.edge));
        if let Some(all) = all.as_object_mut() {
            all.remove("dynamic_resources");
            let resources = json!({
                "clusters": clusters,
                "listeners": listeners.collect::<Vec<_>>(),
                "secrets": self.secrets.values().collect::<Vec<_>>(),
            });
            all.insert("static_resources".to_owned(), resources);
        }
        all
    }
}

/// `listener` with its routes and its edge role inside instead of in files.
fn inline(listener: &Value, routes: &Value, edge: &Value) -> Value {
    let mut listener = listener.clone();
    let manager = listener.pointer_mut("/filter_chains/0/filters/0/typed_config").and_then(Value::as_object_mut);
    if let Some(manager) = manager {
        if manager.remove("rds").is_some() {
            manager.insert("route_config".to_owned(), routes.clone());
        }
        for filter in manager.get_mut("http_filters").and_then(Value::as_array_mut).into_iter().flatten() {
            if filter.get("config_discovery").is_some() {
                *filter = edge.clone();
            }
        }
    }
    listener
}

/// Lets Envoy look up the secrets of `value` in the bootstrap.
fn inline_secrets(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("sds_config");
            map.values_mut().for_each(inline_secrets);
        }
        Value::Array(items) => items.iter_mut().for_each(inline_secrets),
        _ => {}
    }
}
