//! The fields that an operator's connection manager needs, if Weir is in the operator's own chain.

use serde_json::{Value, json};

use super::mark::on_a_route_of_ours;
use crate::render::names::EDGE_FILTER;

/// The fields of `manager`, which is Weir's, that the operator's connection manager needs. The operator decides about all others.
pub(super) fn fields(manager: &Value) -> Value {
    let mut manager = manager.clone();
    if let Some(logs) = manager.get_mut("access_log").and_then(Value::as_array_mut) {
        for log in logs.iter_mut().filter_map(Value::as_object_mut) {
            log.insert("filter".to_owned(), on_a_route_of_ours());
        }
    }
    for filter in manager.get_mut("http_filters").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(filter) = filter.as_object_mut()
            && filter.get("name").and_then(Value::as_str) == Some(EDGE_FILTER)
        {
            // Weir's routes turn it on.
            filter.insert("disabled".to_owned(), json!(true));
        }
    }
    let needed = [
        "http_filters",
        "rds",
        "local_reply_config",
        "access_log",
        "tracing",
        "request_timeout",
        "always_set_request_id_in_response",
        "stream_error_on_invalid_http_message",
    ];
    if let Some(manager) = manager.as_object_mut() {
        manager.retain(|field, _| needed.contains(&field.as_str()));
    }
    manager
}
