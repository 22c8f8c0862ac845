//! How many requests to one cluster may be under way.

use serde_json::{Value, json};

/// At most `most` requests under way. Envoy's defaults would allow three retries at once: with a dead target and a hundred
/// callers, 97 would see its error.
///
/// Connections are not limited: a request that waits for one waits without a limit in time, since a try's limit begins
/// when it has its connection. One beyond `most` is refused at once, and Envoy never takes that to the next target.
pub(super) fn breakers(most: u32) -> Value {
    json!({
        "thresholds": [{
            "max_connections": 1_000_000,
            "max_pending_requests": most,
            "max_requests": most,
            "max_retries": most,
        }],
    })
}
