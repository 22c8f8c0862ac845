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
    fn a_pace_reads_as_it_is_written() {
        let ms = Duration::from_millis;
        assert_eq!("20ms".parse(), Ok(Pace { first: ms(20), gap: ms(20) }));
        assert_eq!("1s/0".parse(), Ok(Pace { first: ms(1000), gap: ms(0) }));
        assert_eq!("200ms/20ms".parse::<Pace>().unwrap().to_string(), "200ms/20ms");
        assert_eq!("soon".parse::<Pace>(), Err(InvalidPace("soon".into())));
    }
}
