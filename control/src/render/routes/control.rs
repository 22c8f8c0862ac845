//! The route of what callers ask control.

use serde_json::{Value, json};
use weir_core::usage::{MARK, MARKED};

use crate::render::names::CONTROL;

/// To control, for requests that the edge has marked.
pub(super) fn control() -> Value {
    json!({
        "name": "control",
        "match": {
            "prefix": "/",
            "filter_state": [{ "key": MARK, "string_match": { "exact": MARKED } }],
        },
        "route": {
            "cluster": CONTROL,
            "timeout": "15s",
            // Control may just have started again.
            "retry_policy": { "retry_on": "reset,connect-failure,refused-stream", "num_retries": 1 },
        },
    })
}
