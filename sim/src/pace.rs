//! How fast an answer comes.

use std::{fmt, str::FromStr, time::Duration};

/// The time before the first token and between tokens. The default is as fast as possible.
///
/// Written `20ms` (before each token) or `200ms/20ms` (before the first, before each other one).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    /// The wait before the first token.
    pub first: Duration,
    /// The wait before each further token.
    pub gap: Duration,
}

impl Pace {
    /// How long an answer of `tokens` takes to come whole.
    pub(crate) fn whole(self, tokens: u32) -> Duration {
        self.first.saturating_add(self.gap.saturating_mul(tokens.saturating_sub(1)))
    }

    /// How many of `tokens` have come after `time`.
    pub(crate) fn said(self, time: Duration, tokens: u32) -> u32 {
        let Some(since) = time.checked_sub(self.first) else { return 0 };
        let Some(more) = since.as_nanos().checked_div(self.gap.as_nanos()) else { return tokens };
        u32::try_from(more).unwrap_or(u32::MAX).saturating_add(1).min(tokens)
    }
}

/// A text that is not a pace.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a pace: write the time between tokens, as in 20ms, or first/between, as in 200ms/20ms")]
pub struct InvalidPace(String);

impl FromStr for Pace {
    type Err = InvalidPace;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidPace(text.to_owned());
        let (first, gap) = text.split_once('/').unwrap_or((text, text));
        Ok(Self { first: duration(first).ok_or_else(invalid)?, gap: duration(gap).ok_or_else(invalid)? })
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}", self.first, self.gap)
    }
}

/// Reads `250us`, `20ms`, `2s`, or a bare number of milliseconds.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    match text.get(digits.len()..)? {
        "" | "ms" => Some(Duration::from_millis(number)),
        "us" => Some(Duration::from_micros(number)),
        "s" => Some(Duration::from_secs(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_says_how_many_have_come() {
        let ms = Duration::from_millis;
        let pace = Pace { first: ms(100), gap: ms(20) };
        let check = |time, expect| assert_eq!(pace.said(ms(time), 5), expect, "{time}");
        check(99, 0);
        check(100, 1);
        check(119, 1);
        check(120, 2);
        check(180, 5);
        check(9000, 5);
        assert_eq!(Pace::default().said(ms(0), 5), 5);
    }

    #[test]
    fn a_pace_reads_as_it_is_written() {
        let ms = Duration::from_millis;
        assert_eq!("20ms".parse(), Ok(Pace { first: ms(20), gap: ms(20) }));
        assert_eq!("1s/0".parse(), Ok(Pace { first: ms(1000), gap: ms(0) }));
        assert_eq!("200ms/20ms".parse::<Pace>().unwrap().to_string(), "200ms/20ms");
        assert_eq!("soon".parse::<Pace>(), Err(InvalidPace("soon".into())));
    }
}
