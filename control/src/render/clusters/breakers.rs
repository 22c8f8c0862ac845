//! How many requests to one cluster may be under way.

use serde_json::{Value, json};

/// At most `most` requests under way. Envoy's default allows three retries at once: if a target is dead and a hundred callers ask,
/// 97 of them would see the error.
///
/// Connections are not limited. A request would wait for a connection without a limit in time, because the limit of a try begins
/// with its connection. A request beyond `most` is refused at once, and Envoy does not retry it at the next target.
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
