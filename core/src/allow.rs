//! What of a caller's request goes up to a provider. (What comes back needs no list: an answer's headers are written anew.)

/// Whether a caller's request header goes on towards a provider.
///
/// Never the caller's key, cookies, forwarding headers or any `x-envoy-*`; Envoy adds what it needs after the edge
/// role, and each provider's chain removes that again.
pub fn goes_up(name: &str) -> bool {
    name.starts_with(':') || REQUEST.contains(&name)
}

/// Request headers that go up, besides the pseudo headers.
pub const REQUEST: [&str; 6] =
    ["accept", "content-length", "content-type", "traceparent", "tracestate", "x-request-id"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_names_a_caller_goes_up() {
        for name in ["authorization", "cookie", "x-api-key", "x-forwarded-for", "x-envoy-max-retries", "user-agent"] {
            assert!(!goes_up(name), "{name}");
        }
    }
}
