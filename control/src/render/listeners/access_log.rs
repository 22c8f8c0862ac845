//! One line of JSON for each request.

use serde_json::{Value, json};
use weir_core::config::{AccessLog, Gateway};
use weir_core::record::ACCESS_LOG_FORMAT;

use crate::render::node::Node;

/// The listener's access log.
pub(super) fn access_log(gateway: &Gateway, node: &Node) -> Value {
    let format = json!({ "text_format_source": { "inline_string": ACCESS_LOG_FORMAT } });
    let file = match &gateway.telemetry().access_log {
        Some(AccessLog::Stdout) => {
            return json!({
                "name": "envoy.access_loggers.stdout",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                    "log_format": format,
                },
            });
        }
        Some(AccessLog::File(file)) => file.into(),
        None => node.access_log.clone(),
    };
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": file,
            "log_format": format,
        },
    })
}
