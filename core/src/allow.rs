//! The allow-lists: what goes up to a provider, and what comes back to a caller. Everything else stays here.

/// Whether a caller's request header goes on towards a provider.
///
/// Never the caller's key, cookies, forwarding headers or any `x-envoy-*`; Envoy adds what it needs after the edge
/// role, and each provider's chain removes that again.
pub fn goes_up(name: &str) -> bool {
    name.starts_with(':') || REQUEST.contains(&name)
}

/// Whether a provider's response header comes back to the caller.
///
/// Never a provider's cookies, its request or organization ids, or the rate limits of the operator's account.
pub fn comes_back(name: &str) -> bool {
    name.starts_with(':') || RESPONSE.contains(&name)
}

/// Request headers that go up, besides the pseudo headers.
pub const REQUEST: [&str; 6] =
    ["accept", "content-length", "content-type", "traceparent", "tracestate", "x-request-id"];

/// Response headers that come back, besides the pseudo headers.
pub const RESPONSE: [&str; 4] = ["cache-control", "content-length", "content-type", "retry-after"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_names_a_caller_goes_up() {
        for name in ["authorization", "cookie", "x-api-key", "x-forwarded-for", "x-envoy-max-retries", "user-agent"] {
            assert!(!goes_up(name), "{name}");
        }
    }

    #[test]
    fn nothing_that_names_the_operators_account_comes_back() {
        for name in ["set-cookie", "openai-organization", "x-ratelimit-limit-requests", "request-id", "server"] {
            assert!(!comes_back(name), "{name}");
        }
    }
}
