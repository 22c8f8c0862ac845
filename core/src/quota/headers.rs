//! The rate-limit headers of an answer, in the words of the caller's API.
//!
//! Sources: <https://platform.openai.com/docs/guides/rate-limits> and <https://docs.anthropic.com/en/api/rate-limits>.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use weir_hub::endpoint::Family;

use super::account::Standing;
use super::limit::{Kind, Limit, Meter};
use crate::time::{Instant, rfc3339};

/// The headers that tell of a provider's limits. Where a limit of Weir's applies, they are removed.
pub const OF_PROVIDERS: [&str; 6] = [
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
];

/// The header that names the soft limits that a request is over.
pub const OVER: &str = "x-weir-over-limit";

/// The names of the headers of one kind of limit: of the limit itself, of what is left, and of when all of it is free.
type Names = [&'static str; 3];

/// The headers of the tightest limit of each kind.
pub fn headers<'l>(
    limits: impl Iterator<Item = (&'l Limit, Standing)>,
    family: Family,
    now: Instant,
) -> Vec<(&'static str, String)> {
    let mut tightest: Vec<(Names, Standing)> = Vec::new();
    for (limit, standing) in limits {
        let Some(names) = names(limit, family) else { continue };
        match tightest.iter_mut().find(|(known, _)| *known == names) {
            Some((_, known)) if known.left() <= standing.left() => {}
            Some((_, known)) => *known = standing,
            None => tightest.push((names, standing)),
        }
    }
    let mut headers = Vec::with_capacity(tightest.len() * 3);
    for ([limit, remaining, reset], standing) in tightest {
        headers.push((limit, standing.amount.to_string()));
        headers.push((remaining, standing.left().to_string()));
        if let Some(at) = standing.reset {
            let wait = at.saturating_sub(now.as_millis());
            let reset_at = if family == Family::Anthropic { rfc3339(at / 1000) } else { duration(wait) };
            headers.push((reset, reset_at));
        }
    }
    headers
}

fn names(limit: &Limit, family: Family) -> Option<Names> {
    // How many may be under way is told by neither API, and cost has no header.
    if matches!(limit.kind, Kind::Concurrency { .. }) {
        return None;
    }
    let anthropic = family == Family::Anthropic;
    Some(match limit.meter {
        Meter::Cost => return None,
        Meter::Requests if anthropic => [
            "anthropic-ratelimit-requests-limit",
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
        ],
        Meter::InputTokens if anthropic => [
            "anthropic-ratelimit-input-tokens-limit",
            "anthropic-ratelimit-input-tokens-remaining",
            "anthropic-ratelimit-input-tokens-reset",
        ],
        Meter::OutputTokens if anthropic => [
            "anthropic-ratelimit-output-tokens-limit",
            "anthropic-ratelimit-output-tokens-remaining",
            "anthropic-ratelimit-output-tokens-reset",
        ],
        Meter::Tokens if anthropic => [
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-tokens-reset",
        ],
        Meter::Requests => {
            ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"]
        }
        Meter::Tokens | Meter::InputTokens | Meter::OutputTokens => {
            ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"]
        }
    })
}

/// A time as OpenAI writes it: `6m0s`, `1.5s`, `20ms`.
fn duration(millis: u64) -> String {
    let (hours, minutes, secs) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
    match millis {
        0..1000 => format!("{millis}ms"),
        1000..60_000 if !millis.is_multiple_of(1000) => {
            let text = format!("{secs}.{:03}", millis % 1000);
            format!("{}s", text.trim_end_matches('0'))
        }
        1000..60_000 => format!("{secs}s"),
        60_000..3_600_000 => format!("{minutes}m{secs}s"),
        _ => format!("{hours}h{minutes}m{secs}s"),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use core::time::Duration;

    use super::super::limit::{Alone, VALUES};
    use super::*;

    #[test]
    fn the_tightest_limit_of_each_kind_is_told_in_the_callers_words() {
        let limit = |meter| Limit {
            name: "q".into(),
            was: None,
            subjects: vec![],
            meter,
            kind: Kind::Rate { amount: 1, period: 1, burst: 1 },
            soft: false,
            alone: Alone::Open,
            values: VALUES,
        };
        let standing = |amount, settled| Standing { amount, settled, held: 1, reset: Some(1_000_090_500) };
        let (requests, tokens, cost) = (limit(Meter::Requests), limit(Meter::Tokens), limit(Meter::Cost));
        let all = [
            (&tokens, standing(100, 9)),
            (&requests, standing(7, 0)),
            (&tokens, standing(90, 30)),
            (&cost, standing(1, 0)),
        ];
        let now = Instant::default().after(Duration::from_secs(1_000_000));
        let told = |family| headers(all.into_iter(), family, now);
        assert_eq!(
            told(Family::OpenAi),
            [
                ("x-ratelimit-limit-tokens", "90".to_string()),
                ("x-ratelimit-remaining-tokens", "59".to_string()),
                ("x-ratelimit-reset-tokens", "1m30s".to_string()),
                ("x-ratelimit-limit-requests", "7".to_string()),
                ("x-ratelimit-remaining-requests", "6".to_string()),
                ("x-ratelimit-reset-requests", "1m30s".to_string()),
            ]
        );
        let anthropic = told(Family::Anthropic);
        assert_eq!(anthropic[2], ("anthropic-ratelimit-tokens-reset", "1970-01-12T13:48:10Z".to_string()));
    }

    #[test]
    fn times_are_written_as_openai_writes_them() {
        let written = [0, 20, 1000, 1500, 90_000, 360_000, 7_261_000].map(duration);
        assert_eq!(written, ["0ms", "20ms", "1s", "1.5s", "1m30s", "6m0s", "2h1m1s"]);
    }
}
