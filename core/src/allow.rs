//! What of a caller's request goes up to a provider, and which headers of a provider's answer come back.

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

/// The name under which a provider's response header comes back to the caller, if it does: the provider's name for the
/// request, and its rate limits under OpenAI's names for them, whoever set them.
pub fn comes_back(name: &str) -> Option<&'static str> {
    RESPONSE.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| *ours)
}

/// Response headers that come back: their name, and ours.
const RESPONSE: [(&str, &str); 24] = [
    ("x-request-id", "x-upstream-request-id"),
    ("request-id", "x-upstream-request-id"),
    ("x-amzn-requestid", "x-upstream-request-id"),
    ("apim-request-id", "x-upstream-request-id"),
    ("x-goog-request-id", "x-upstream-request-id"),
    ("mistral-correlation-id", "x-upstream-request-id"),
    ("x-ratelimit-limit-requests", "x-ratelimit-limit-requests"),
    ("x-ratelimit-remaining-requests", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-reset-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-limit-tokens", "x-ratelimit-limit-tokens"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-remaining-tokens"),
    ("x-ratelimit-reset-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-limit", "x-ratelimit-limit-requests"),
    ("anthropic-ratelimit-requests-remaining", "x-ratelimit-remaining-requests"),
    ("anthropic-ratelimit-requests-reset", "x-ratelimit-reset-requests"),
    ("anthropic-ratelimit-tokens-limit", "x-ratelimit-limit-tokens"),
    ("anthropic-ratelimit-tokens-remaining", "x-ratelimit-remaining-tokens"),
    ("anthropic-ratelimit-tokens-reset", "x-ratelimit-reset-tokens"),
    ("x-ratelimit-limit-req-minute", "x-ratelimit-limit-requests"),
    ("x-ratelimit-remaining-req-minute", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-limit-tokens-minute", "x-ratelimit-limit-tokens"),
    ("x-ratelimit-remaining-tokens-minute", "x-ratelimit-remaining-tokens"),
    ("x-ratelimitbysize-limit-minute", "x-ratelimit-limit-tokens"),
    ("x-ratelimitbysize-remaining-minute", "x-ratelimit-remaining-tokens"),
];

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
