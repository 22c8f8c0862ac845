//! Web pages that call from a browser. Envoy's own filter answers the browser's first question (`OPTIONS`), and adds to every answer
//! whether the page may read it.
//!
//! The filter is before the edge role, because a browser sends no key with its first question. Which origins may call is a setting of
//! the route on which requests start. So it is the same at every door, and a change of it changes only routes.
//!
//! <https://fetch.spec.whatwg.org/#http-cors-protocol>

use serde_json::{Value, json};
use weir_core::allow;

/// The filter's name, by which routes have settings for it.
const NAME: &str = "envoy.filters.http.cors";

/// Headers that SDKs send, and `*`, which allows every header but `authorization`.
const SENT: [&str; 9] = [
    "authorization",
    "content-type",
    "x-api-key",
    "x-goog-api-key",
    "api-key",
    "anthropic-version",
    "anthropic-beta",
    "x-request-id",
    "*",
];

/// The headers of an answer that a page may read, besides those that come from providers.
const READ: [&str; 7] = [
    "x-request-id",
    "request-id",
    "retry-after",
    "x-should-retry",
    "x-weir-provider",
    "x-weir-dropped",
    "x-weir-emulated",
];

/// The filter.
pub(super) fn filter() -> Value {
    json!({
        "name": NAME,
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors" },
    })
}

/// `route` for pages of these origins.
pub(super) fn allow(origins: &[String], mut route: Value) -> Value {
    if origins.is_empty() {
        return route;
    }
    let exact: Vec<Value> = origins.iter().map(|origin| json!({ "exact": origin })).collect();
    let read: Vec<&str> = READ.into_iter().chain(allow::coming_back_as()).collect();
    let policy = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": exact,
        "allow_methods": "GET, HEAD, POST",
        "allow_headers": SENT.join(", "),
        "expose_headers": read.join(", "),
        // Two hours: Chromium remembers it no longer.
        "max_age": "7200",
    });
    if let Some(fields) = route.as_object_mut() {
        fields.insert("typed_per_filter_config".to_owned(), json!({ NAME: policy }));
    }
    route
}
