//! Which headers of a caller's request go to a provider, and which headers of a provider's answer come back.

pub(crate) mod rate_limit;

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::provider;
use crate::time::Instant;

/// Whether a request header goes to a provider, if it is not one of that provider's own.
///
/// Never the caller's key, cookies, forwarding headers or any `x-envoy-*`. The edge role applies this to the caller's
/// headers. Each try applies it to the headers that it finds, because Envoy may have added some, and an earlier try may
/// have left some.
pub fn goes_up(name: &str) -> bool {
    name.starts_with(':') || REQUEST.contains(&name)
}

/// Whether a caller's request header goes to the provider with the caller's value.
pub fn passes(name: &str) -> bool {
    goes_up(name) && !WRITTEN.iter().any(|(written, _)| *written == name)
}

/// Request headers that go to a provider, besides the pseudo headers.
pub const REQUEST: [&str; 8] = [
    "accept",
    "accept-encoding",
    "content-length",
    "content-type",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-request-id",
];

/// Headers that go to every provider with Weir's own values.
pub const WRITTEN: [(&str, &str); 2] =
    [("accept-encoding", "identity"), ("user-agent", concat!("weir/", env!("CARGO_PKG_VERSION")))];

/// The headers that may carry an earlier try's key when a later one begins. They are removed by name, before any header
/// is read, so that no key gets into the filter's memory.
pub fn keys() -> impl Iterator<Item = &'static str> {
    let credentials = provider::ALL.iter().filter_map(|provider| provider.credential()).map(|header| header.name);
    // The signer for AWS writes these.
    credentials.chain(["authorization", "x-amz-security-token"])
}

/// The headers of a provider's answer that come back to the caller, each once: the provider's id of the request, and
/// its rate limits under OpenAI's names, whichever names the provider uses. The time until a limit is full again is
/// written as OpenAI writes it.
pub fn coming_back<'h>(
    headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    now: Instant,
) -> Vec<(&'static str, Cow<'h, str>)> {
    let mut back: Vec<(usize, &'static str, Cow<'_, str>)> = Vec::with_capacity(10);
    for (name, value) in headers.into_iter().filter(|(name, _)| may_come_back(name)) {
        let Some((rank, (_, ours))) = RESPONSE.iter().enumerate().find(|(_, (theirs, _))| *theirs == name) else {
            continue;
        };
        let value = if RESETS.contains(ours) { rate_limit::until(value, now) } else { Some(Cow::Borrowed(value)) };
        let Some(value) = value else { continue };
        match back.iter_mut().find(|(_, name, _)| name == ours) {
            // If several headers have the same meaning, the one that is listed first wins.
            Some(said) if said.0 > rank => *said = (rank, ours, value),
            Some(_) => {}
            None => back.push((rank, ours, value)),
        }
    }
    back.into_iter().map(|(_, name, value)| (name, value)).collect()
}

/// The names under which those headers come back, each once.
pub fn coming_back_as() -> impl Iterator<Item = &'static str> {
    let seen_before = |at: usize, name: &str| RESPONSE.iter().take(at).any(|(_, ours)| *ours == name);
    let names = RESPONSE.iter().enumerate().filter(move |(at, (_, ours))| !seen_before(*at, ours));
    names.map(|(_, (_, ours))| *ours)
}

/// The headers that say when a limit is full again.
const RESETS: [&str; 2] = ["x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"];

/// A quick check that rules out most other headers by one letter.
fn may_come_back(name: &str) -> bool {
    matches!(name.as_bytes(), [b'a' | b'd' | b'm' | b'r', ..] | [b'x', b'-', b'a' | b'g' | b'r' | b't', ..])
}

/// The provider's name of each response header that comes back, and Weir's name for it. If two have the same name here,
/// the first wins.
const RESPONSE: [(&str, &str); 34] = [
    ("date", "date"),
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
        for name in ["authorization", "cookie", "x-api-key", "x-forwarded-for", "x-envoy-max-retries"] {
            assert!(!goes_up(name), "{name}");
        }
        assert!(!passes("user-agent") && !passes("accept-encoding") && passes("accept"));
        assert!(keys().all(|name| !goes_up(name)));
    }

    #[test]
    fn each_comes_back_once_and_in_one_way() {
        let now = Instant::from_nanos(1_767_323_045_000_000_000);
        let back = |headers: &[(&'static str, &'static str)]| coming_back(headers.iter().copied(), now);
        let told = |name, value: &'static str| (name, Cow::Borrowed(value));
        assert_eq!(back(&[("set-cookie", "a"), ("openai-organization", "b"), ("x-content-type-options", "c")]), []);
        assert!(RESPONSE.iter().all(|(theirs, _)| may_come_back(theirs)));
        assert_eq!(
            back(&[("anthropic-ratelimit-tokens-reset", "2026-01-02T03:04:15Z"), ("request-id", "req_1")]),
            [told("x-ratelimit-reset-tokens", "10s"), told("x-upstream-request-id", "req_1")]
        );
        assert_eq!(
            back(&[("apim-request-id", "1"), ("x-ratelimit-reset-requests", "soon"), ("x-request-id", "2")]),
            [told("x-upstream-request-id", "2")]
        );
        assert_eq!(
            back(&[("x-ratelimit-reset-requests-day", "33011.38"), ("x-ratelimit-reset-requests", "6m0s")]),
            [told("x-ratelimit-reset-requests", "6m0s")]
        );
    }
}
