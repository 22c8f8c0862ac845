//! Moments in RFC 3339, and times from now on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use weir_core::config::units;

/// The moment after this time from now, to the second: `2027-03-01T00:00:00Z`.
pub fn after(term: Duration) -> String {
    text(now().saturating_add(term.as_secs()))
}

/// Whether a moment has passed.
pub fn is_over(moment: &str) -> bool {
    units::moment(moment).is_some_and(|moment| moment <= now())
}

/// The earlier of two moments.
pub(super) fn earlier(one: Option<String>, other: String) -> String {
    one.filter(|one| units::moment(one) < units::moment(&other)).unwrap_or(other)
}

/// Reads `90d`, `24h` and the like.
pub fn term(text: &str) -> Result<Duration, String> {
    let days = text.trim().strip_suffix('d').and_then(|days| days.trim_end().parse::<u32>().ok());
    let term = match days {
        Some(days) => Duration::from_secs(u64::from(days) * 86_400),
        None => units::duration(text).map_err(|_| format!("\"{text}\" is no time; write it as 90d or 24h"))?,
    };
    let century = Duration::from_secs(36_525 * 86_400);
    if term <= century { Ok(term) } else { Err(format!("\"{text}\" is longer than a century")) }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Seconds since the epoch as a date in the Gregorian calendar.
///
/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
fn text(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // The year begins in March here, so that a leap day is its last day.
    let from_march = (5 * day + 2) / 153;
    let (day, month) =
        (day - (153 * from_march + 2) / 5 + 1, if from_march < 10 { from_march + 3 } else { from_march - 9 });
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_back() {
        assert_eq!(text(1_803_859_200), "2027-03-01T00:00:00Z");
        for seconds in (0..4_102_444_800).step_by(86_400 * 13 + 3601) {
            assert_eq!(units::moment(&text(seconds)), Some(seconds), "{}", text(seconds));
        }
    }

    #[test]
    fn a_term_is_of_days_or_less() {
        assert_eq!(term("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(term("24h"), Ok(Duration::from_secs(86_400)));
        assert!(term("soon").is_err() && term("99999999d").is_err());
    }
}
