//! One line of JSON for each request.

use std::path::Path;

use serde_json::{Value, json};
use weir_core::config::{AccessLog, Gateway};
use weir_core::record::ACCESS_LOG_FORMAT;

use crate::render::node::{Door, Node};

/// The listener's access logs. In an operator's own Envoy one of them is always a file, which [the ledger](crate::ledger) can follow,
/// wherever the operator's own logs go.
pub(super) fn access_logs(gateway: &Gateway, node: &Node) -> Vec<Value> {
    match &gateway.telemetry().access_log {
        Some(AccessLog::Stdout) if node.door == Door::Port => vec![stdout()],
        Some(AccessLog::Stdout) => vec![stdout(), file(&node.access_log)],
        Some(AccessLog::File(named)) => vec![file(Path::new(named))],
        None => vec![file(&node.access_log)],
    }
}

fn stdout() -> Value {
    json!({
        "name": "envoy.access_loggers.stdout",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": format(),
        },
    })
}

fn file(path: &Path) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path,
            "log_format": format(),
        },
    })
}

fn format() -> Value {
    json!({ "text_format_source": { "inline_string": ACCESS_LOG_FORMAT } })
}
