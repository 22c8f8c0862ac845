//! Small messages of Envoy's API that several resources have in them.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// A duration in the JSON form of protobuf.
pub(super) fn seconds(duration: Duration) -> Value {
    json!(format!("{}.{:03}s", duration.as_secs(), duration.subsec_millis()))
}

/// The address that `text` names. The text has been checked: it is `address:port`.
pub(super) fn address(text: &str) -> Value {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    socket(host.trim_start_matches('[').trim_end_matches(']'), port.parse().unwrap_or_default())
}

/// An address and a port.
pub(super) fn socket(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}

/// One of the watched files as a config source.
pub(super) fn source(folder: &Path, file: &str) -> Value {
    json!({
        "path_config_source": { "path": folder.join(file) },
        "resource_api_version": "V3",
    })
}

/// A filter of access logs and local replies: where the expression is true.
pub(super) fn cel(expression: &str) -> Value {
    json!({
        "extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                "expression": expression,
            },
        },
    })
}
