//! What of a caller's request goes up to a provider, and which headers of a provider's answer come back.

mod reset;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::time::Instant;

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

/// The headers of a provider's answer that come back to the caller: the provider's name for the request, and its rate limits
/// under OpenAI's names for them, whoever set them; each once. When a limit is full again is told in seconds from `now`.
pub fn coming_back<'h>(
    headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    now: Instant,
) -> Vec<(&'static str, String)> {
    let mut back: Vec<(usize, &'static str, String)> = Vec::new();
    for (name, value) in headers.into_iter().filter(|(name, _)| may_come_back(name)) {
        let Some((rank, (_, ours))) = RESPONSE.iter().enumerate().find(|(_, (theirs, _))| *theirs == name) else {
            continue;
        };
        let value = if ours.contains("-reset-") { reset::seconds(value, now) } else { Some(value.to_string()) };
        let Some(value) = value else { continue };
        match back.iter_mut().find(|(_, name, _)| name == ours) {
            // Of several that say the same, the one that is listed first.
            Some(said) if said.0 > rank => *said = (rank, ours, value),
            Some(_) => {}
            None => back.push((rank, ours, value)),
        }
    }
    back.into_iter().map(|(_, name, value)| (name, value)).collect()
}

/// Tells most of the others apart by one letter.
fn may_come_back(name: &str) -> bool {
    matches!(name.as_bytes(), [b'a' | b'm' | b'r', ..] | [b'x', b'-', b'a' | b'g' | b'r' | b't', ..])
}

/// Response headers that come back: their name, and ours. Of two with one name of ours, the first counts.
const RESPONSE: [(&str, &str); 33] = [
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
    ("x-ratelimit-reset-tokens-minute", "x-ratelimit-reset-tokens"),
    ("x-ratelimitbysize-limit-minute", "x-ratelimit-limit-tokens"),
    ("x-ratelimitbysize-remaining-minute", "x-ratelimit-remaining-tokens"),
    ("x-ratelimit-limit-requests-day", "x-ratelimit-limit-requests"),
    ("x-ratelimit-remaining-requests-day", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-reset-requests-day", "x-ratelimit-reset-requests"),
    ("x-ratelimit-limit", "x-ratelimit-limit-requests"),
    ("x-ratelimit-remaining", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-reset", "x-ratelimit-reset-requests"),
    ("x-tokenlimit-limit", "x-ratelimit-limit-tokens"),
    ("x-tokenlimit-remaining", "x-ratelimit-remaining-tokens"),
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

    #[test]
    fn each_comes_back_once_and_in_one_way() {
        let now = Instant::from_nanos(1_767_323_045_000_000_000);
        let back = |headers: &[(&'static str, &'static str)]| coming_back(headers.iter().copied(), now);
        let told = |name, value: &str| (name, value.to_string());
        assert_eq!(back(&[("set-cookie", "a"), ("openai-organization", "b"), ("x-content-type-options", "c")]), []);
        assert!(RESPONSE.iter().all(|(theirs, _)| may_come_back(theirs)));
        assert_eq!(
            back(&[("anthropic-ratelimit-tokens-reset", "2026-01-02T03:04:15Z"), ("request-id", "req_1")]),
            [told("x-ratelimit-reset-tokens", "10"), told("x-upstream-request-id", "req_1")]
        );
        assert_eq!(
            back(&[("apim-request-id", "1"), ("x-ratelimit-reset-requests", "soon"), ("x-request-id", "2")]),
            [told("x-upstream-request-id", "2")]
        );
        assert_eq!(
            back(&[("x-ratelimit-reset-requests-day", "33011.38"), ("x-ratelimit-reset-requests", "6m0s")]),
            [told("x-ratelimit-reset-requests", "360")]
        );
    }
}
