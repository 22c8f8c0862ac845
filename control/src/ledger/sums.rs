//! Sums over requests. Each is 128 bits wide, so no number of rows overflows it.

use std::ops::AddAssign;

use super::row::{Part, Row};

/// Pico-dollars of a dollar. Stores keep wide sums as whole multiples of it and a rest.
pub const DOLLAR: i128 = 1_000_000_000_000;

/// What some requests used and cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Requests.
    pub requests: i128,
    /// Tries that a provider may bill.
    pub tries: i128,
    /// Those of them whose tokens Weir estimated.
    pub estimated: i128,
    /// Those of them without a price.
    pub unpriced: i128,
    /// Input tokens, cached ones included.
    pub input: i128,
    /// Output tokens, reasoning included.
    pub output: i128,
    /// Input tokens that providers read from their cache.
    pub cached_read: i128,
    /// Input tokens that providers wrote to their cache.
    pub cache_write: i128,
    /// Those of them that are kept for an hour.
    pub cache_write_1h: i128,
    /// Output tokens of reasoning.
    pub reasoning: i128,
    /// Input tokens of audio.
    pub audio_input: i128,
    /// Output tokens of audio.
    pub audio_output: i128,
    /// Milliseconds of inference on this machine.
    pub local_ms: i128,
    /// What it cost, in pico-dollars.
    pub cost: i128,
}

impl Sums {
    /// The names of the counts, in the order of [`counts`](Self::counts). The cost is none of them.
    pub const COLUMNS: [&'static str; 13] = [
        "requests",
        "tries",
        "estimated",
        "unpriced",
        "input",
        "output",
        "cached_read",
        "cache_write",
        "cache_write_1h",
        "reasoning",
        "audio_input",
        "audio_output",
        "local_ms",
    ];

    /// What a request adds to its own series: itself.
    pub fn of_request(row: &Row) -> Self {
        Self { requests: 1, local_ms: row.local_ms.into(), ..Self::default() }
    }

    /// What a try adds to its series.
    pub fn of_part(row: &Row, part: &Part<'_>) -> Self {
        let tokens = part.tokens;
        Self {
            tries: 1,
            estimated: tokens.estimated.into(),
            unpriced: (row.unpriced && part.cost.is_none()).into(),
            input: tokens.input.into(),
            output: tokens.output.into(),
            cached_read: tokens.cached_read.into(),
            cache_write: tokens.cache_write.into(),
            cache_write_1h: tokens.cache_write_1h.into(),
            reasoning: tokens.reasoning.into(),
            audio_input: tokens.audio_input.into(),
            audio_output: tokens.audio_output.into(),
            cost: part.cost.unwrap_or_default().into(),
            ..Self::default()
        }
    }

    /// The counts, in the order of [`COLUMNS`](Self::COLUMNS).
    pub const fn counts(&self) -> [i128; 13] {
        [
            self.requests,
            self.tries,
            self.estimated,
            self.unpriced,
            self.input,
            self.output,
            self.cached_read,
            self.cache_write,
            self.cache_write_1h,
            self.reasoning,
            self.audio_input,
            self.audio_output,
            self.local_ms,
        ]
    }

    /// Makes sums of the counts in the order of [`COLUMNS`](Self::COLUMNS), and a cost.
    pub const fn from_counts(counts: [i128; 13], cost: i128) -> Self {
        let [requests, tries, estimated, unpriced, input, output, cached_read, cache_write, rest @ ..] = counts;
        let [cache_write_1h, reasoning, audio_input, audio_output, local_ms] = rest;
        Self {
            requests,
            tries,
            estimated,
            unpriced,
            input,
            output,
            cached_read,
            cache_write,
            cache_write_1h,
            reasoning,
            audio_input,
            audio_output,
            local_ms,
            cost,
        }
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        let (mut counts, cost) = (self.counts(), self.cost.saturating_add(other.cost));
        for (count, more) in counts.iter_mut().zip(other.counts()) {
            *count = count.saturating_add(more);
        }
        *self = Self::from_counts(counts, cost);
    }
}

/// Splits a wide amount into whole multiples of 10^12 and a rest that is never negative.
pub fn split(amount: i128) -> (i64, i64) {
    let high = amount.div_euclid(DOLLAR);
    let low = i64::try_from(amount.rem_euclid(DOLLAR)).unwrap_or_default();
    (i64::try_from(high).unwrap_or(if high > 0 { i64::MAX } else { i64::MIN }), low)
}

/// Joins what [`split`] has split. Sums of several rests are joined too.
pub fn join(high: i64, low: i64) -> i128 {
    i128::from(high) * DOLLAR + i128::from(low)
}

/// Pico-dollars as dollars, with as many decimals as are asked for, rounded to the nearest.
pub fn dollars(amount: i128, decimals: u32) -> String {
    let unit = 10_i128.pow(12_u32.saturating_sub(decimals));
    let rounded = (amount.abs() + unit / 2) / unit;
    let scale = 10_i128.pow(decimals.min(12));
    let sign = if amount < 0 && rounded > 0 { "-" } else { "" };
    if decimals == 0 {
        return format!("{sign}{rounded}");
    }
    format!("{sign}{}.{:0width$}", rounded / scale, rounded % scale, width = decimals.min(12) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_joins_as_it_was_split() {
        for amount in [0, 1, -1, DOLLAR, -DOLLAR - 1, i128::from(i64::MAX) * 1000, i128::from(i64::MIN) * 7] {
            let (high, low) = split(amount);
            assert!((0..1_000_000_000_000).contains(&low), "{amount}");
            assert_eq!(join(high, low), amount);
        }
    }

    #[test]
    fn dollars_are_rounded_to_the_nearest() {
        assert_eq!(dollars(1_234_567_890_123, 4), "1.2346");
        assert_eq!(dollars(-1_234_567_890_123, 12), "-1.234567890123");
        assert_eq!(dollars(-1, 2), "0.00");
        assert_eq!(dollars(1_500_000_000_000, 0), "2");
    }

    #[test]
    fn counts_read_back() {
        let mut counts = [0; 13];
        for (at, count) in counts.iter_mut().enumerate() {
            *count = i128::try_from(at).unwrap();
        }
        assert_eq!(Sums::from_counts(counts, 99).counts(), counts);
    }
}
