//! When a rate limit is full again. Every provider has its own format for it. Callers get OpenAI's, which is a time
//! from now.
//!
//! `6m0s`, `20ms`, `1h2m3.5s` (OpenAI, Groq), `2026-01-02T03:04:05Z` (Anthropic), `3.2` (seconds: Azure, Cerebras,
//! Together), `1767323045` and `1767323045000` (seconds and milliseconds since the Unix epoch: `SambaNova`, `OpenRouter`).
//!
//! <https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers>,
//! <https://platform.claude.com/docs/en/api/rate-limits#response-headers>,
//! <https://inference-docs.cerebras.ai/support/rate-limits>, <https://openrouter.ai/docs/api-reference/limits>

use alloc::borrow::Cow;
use alloc::string::ToString;

use crate::time::{Instant, days};

/// The time until then, as OpenAI writes it; zero if it has passed. `None` if `value` is not a time.
pub(super) fn until(value: &str, now: Instant) -> Option<Cow<'_, str>> {
    let value = value.trim();
    let span = span(value);
    if span.is_some() && value.bytes().all(is_openais) {
        return Some(Cow::Borrowed(value));
    }
    let now = now.as_millis();
    let millis = span.or_else(|| plain(value, now)).or_else(|| Some(date(value)?.saturating_sub(now)))?;
    let (whole, rest) = (millis / 1000, millis % 1000);
    let mut numbers = itoa::Buffer::new();
    let mut text = numbers.format(whole).to_string();
    if rest > 0 {
        text.push('.');
        // The leading 1 keeps the zeros after it.
        let digits = numbers.format(1000 + rest).trim_end_matches('0');
        text.push_str(digits.get(1..).unwrap_or_default());
    }
    text.push('s');
    Some(Cow::Owned(text))
}

/// Whether OpenAI's format has this byte: digits, and the letters of hours, minutes, seconds and milliseconds.
fn is_openais(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'.' | b'h' | b'm' | b's')
}

/// This many seconds or more are not a time from now but a time since the epoch.
const DISTANT: u64 = 1_000_000_000;

/// A number: seconds from now, or seconds or milliseconds since the epoch.
fn plain(value: &str, now: u64) -> Option<u64> {
    let (whole, nanos) = decimal(value)?;
    let in_seconds = || (whole * 1000).checked_add(nanos.div_ceil(1_000_000));
    match whole {
        0..DISTANT => in_seconds(),
        seconds if seconds < DISTANT * 1000 => Some(in_seconds()?.saturating_sub(now)),
        millis => Some(millis.saturating_sub(now)),
    }
}

/// Numbers with units, as Go writes durations. In milliseconds, rounded up.
fn span(value: &str) -> Option<u64> {
    let (mut rest, mut nanos) = (value, 0_u64);
    while !rest.is_empty() {
        let unit = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, more) = rest.split_at_checked(unit)?;
        let end = more.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(more.len());
        let (unit, more) = more.split_at_checked(end)?;
        let unit: u64 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = decimal(number)?;
        let fraction = u64::try_from(u128::from(fraction) * u128::from(unit) / 1_000_000_000).ok()?;
        nanos = nanos.checked_add(whole.checked_mul(unit)?)?.checked_add(fraction)?;
        rest = more;
    }
    (!value.is_empty()).then(|| nanos.div_ceil(1_000_000))
}

/// A decimal number as its whole part and its billionths; it may have only digits and one point.
fn decimal(text: &str) -> Option<(u64, u64)> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, digits(fraction).filter(|fraction| !fraction.is_empty())?),
        None => (text, ""),
    };
    let whole = digits(whole)?.parse().ok()?;
    // No provider is more precise.
    let billionths = fraction.bytes().map(|digit| u64::from(digit.saturating_sub(b'0'))).chain(core::iter::repeat(0));
    Some((whole, billionths.take(9).fold(0, |sum, digit| sum * 10 + digit)))
}

/// `text`, if it has only digits.
fn digits(text: &str) -> Option<&str> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}

/// An RFC 3339 date, in milliseconds since the epoch.
///
/// <https://datatracker.ietf.org/doc/html/rfc3339#section-5.6>
pub(crate) fn date(value: &str) -> Option<u64> {
    let (day, time) = value.split_once(['T', 't', ' '])?;
    let mut day = day.splitn(3, '-');
    let year = number(day.next()?, 4, 1970..=9999)?;
    let month = number(day.next()?, 2, 1..=12)?;
    let day = number(day.next()?, 2, 1..=31)?;
    let zone = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at_checked(zone)?;
    let mut time = time.splitn(3, ':');
    let hour = number(time.next()?, 2, 0..=23)?;
    let minute = number(time.next()?, 2, 0..=59)?;
    let (second, nanos) = decimal(time.next()?)?;
    if second > 60 {
        return None;
    }
    let since = days(year, month, day) * 86_400_000 + hour * 3_600_000 + minute * 60_000 + second * 1000;
    let millis = since + nanos.div_ceil(1_000_000);
    let offset = |zone: &str| {
        let (hours, minutes) = zone.split_once(':')?;
        Some(number(hours, 2, 0..=23)? * 3_600_000 + number(minutes, 2, 0..=59)? * 60_000)
    };
    match zone.split_at_checked(1)? {
        ("Z" | "z", "") => Some(millis),
        ("+", zone) => millis.checked_sub(offset(zone)?),
        ("-", zone) => millis.checked_add(offset(zone)?),
        _ => None,
    }
}

/// A number with `width` digits, in this range.
fn number(text: &str, width: usize, range: core::ops::RangeInclusive<u64>) -> Option<u64> {
    let number = digits(text).filter(|text| text.len() == width)?.parse().ok()?;
    range.contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use proptest::prelude::*;

    /// 2026-01-02T03:04:05Z
    const NOW: u64 = 1_767_323_045;

    fn at(value: &str) -> Option<String> {
        until(value, Instant::from_nanos(NOW * 1_000_000_000)).map(Cow::into_owned)
    }

    #[test]
    fn every_providers_way_is_read() {
        let check = |value: &str, expect: &str| assert_eq!(at(value).as_deref(), Some(expect), "{value}");
        check("0", "0s");
        check("1s", "1s");
        check("6m0s", "6m0s");
        check("20ms", "20ms");
        check("2m59.56s", "2m59.56s");
        check("1h2m3.5s", "1h2m3.5s");
        check("1d", "86400s");
        check("500µs", "0.001s");
        check("7.66s", "7.66s");
        check("3.2", "3.2s");
        check(" 60 ", "60s");
        check("33011.382867", "33011.383s");
        check("2026-01-02T03:04:05Z", "0s");
        check("2026-01-02T03:04:06Z", "1s");
        check("2026-01-02T03:05:05.25Z", "60.25s");
        check("2026-01-02T05:04:06+02:00", "1s");
        check("2026-01-01T22:04:06-05:00", "1s");
        check("2025-12-31T23:59:59Z", "0s");
        check("2028-03-01T03:04:05Z", &format!("{}s", 789 * 86_400));
        check("1767323055", "10s");
        check("1767323055.5", "10.5s");
        check("1767323055000", "10s");
        check("1767323000", "0s");
    }

    #[test]
    fn what_is_no_time_is_left_out() {
        for value in [
            "",
            " ",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "0x10",
            "inf",
            "NaN",
            "1 s",
            "1s ago",
            "s",
            "ms1",
            "1.2.3s",
            "1y",
            "99999999999999999999",
            "99999999999d",
            "2026-01-02",
            "2026-13-02T03:04:05Z",
            "2026-01-32T03:04:05Z",
            "2026-01-02T24:04:05Z",
            "2026-01-02T03:60:05Z",
            "2026-01-02T03:04:61Z",
            "2026-01-02T03:04:05",
            "2026-01-02T03:04:05+2",
            "1969-12-31T23:59:59Z",
            "26-01-02T03:04:05Z",
            "Fri, 02 Jan 2026 03:04:05 GMT",
            "½s",
        ] {
            assert_eq!(at(value), None, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_can_hurt(value in ".{0,40}", now: u64) {
            if let Some(told) = until(&value, Instant::from_nanos(now)) {
                prop_assert!(told.ends_with(['s', 'm', 'h']) && told.bytes().all(is_openais), "{}", told);
            }
        }

        #[test]
        fn what_looks_like_a_time_is_one_or_left_out(value in "[0-9.:+TZhms-]{0,30}", now: u64) {
            if let Some(told) = until(&value, Instant::from_nanos(now)) {
                prop_assert!(told.ends_with(['s', 'm', 'h']) && told.bytes().all(is_openais), "{}", told);
            }
        }

        #[test]
        fn a_date_and_its_distance_say_the_same(distance in 0..10_000_000_u64) {
            let then = NOW + distance;
            let (day, second) = (then / 86_400, then % 86_400);
            // Counted year by year from the days since the epoch.
            let (mut year, mut left) = (1970, day);
            let length = |year: u64| if days(year + 1, 1, 1) - days(year, 1, 1) == 366 { 366 } else { 365 };
            while left >= length(year) {
                left -= length(year);
                year += 1;
            }
            let month = (1..=12).rev().find(|month| days(year, *month, 1) - days(year, 1, 1) <= left).unwrap();
            let day = left - (days(year, month, 1) - days(year, 1, 1)) + 1;
            let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
            let date = format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
            let told = format!("{distance}s");
            prop_assert_eq!(span(&format!("{}m{}s", distance / 60, distance % 60)), span(&told));
            prop_assert_eq!(at(&date), Some(told.clone()), "{}", date);
            prop_assert_eq!(at(&then.to_string()), Some(told));
        }
    }
}
