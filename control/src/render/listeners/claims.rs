//! Hands on what a caller's token says, from where `jwt_authn` puts it to where the filter can read it in both shells.

use serde_json::{Value, json};
use weir_core::config::Jwt;
use weir_core::edge::{CLAIM, USER};

/// The filter, which runs before the edge.
pub(super) fn filter(jwt: &Jwt) -> Value {
    let claims = [(CLAIM, Some(&jwt.team)), (USER, jwt.user.as_ref())];
    let states: Vec<Value> =
        claims.into_iter().filter_map(|(name, path)| Some(state(name, &jwt.payload, path?))).collect();
    json!({
        "name": "weir-claims",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
            "on_request_headers": states,
        },
    })
}

fn state(name: &str, payload: &str, path: &[String]) -> Value {
    let claim = format!("%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:{payload}:{})%", path.join(":"));
    json!({
        "object_key": name,
        "factory_key": "envoy.string",
        "format_string": { "text_format_source": { "inline_string": claim }, "omit_empty_values": true },
        "skip_if_empty": true,
    })
}
