//! Envoy's router.

use serde_json::{Value, json};

/// The last filter of every chain.
pub(super) fn router() -> Value {
    json!({
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            // Otherwise Envoy sends the host that the caller asked as x-envoy-original-host, after every filter of Weir's.
            "suppress_envoy_headers": true,
        },
    })
}
