//! Time as an argument: the host reads its clock and passes the reading in.

use alloc::format;
use alloc::string::String;
use core::ops::Sub;
use core::time::Duration;

/// A reading of the host's clock, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// This reading plus `by`; stops at the latest possible time instead of wrapping.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Reads a date in HTTP's format: `Sun, 06 Nov 1994 08:49:37 GMT`. (Also reads its two older formats.)
///
/// <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7>
pub fn http_date(text: &str) -> Option<Instant> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split([' ', ',', '-']).filter(|word| !word.is_empty());
    let _weekday = words.next()?;
    let (first, second, third) = (words.next()?, words.next()?, words.next()?);
    // In `Sun Nov  6 08:49:37 1994`, the month comes first and the year last.
    let (day, month, year, time) = match first.parse::<u64>() {
        Ok(day) => (day, second, third, words.next()?),
        Err(_) => (second.parse().ok()?, first, words.next()?, third),
    };
    let month = MONTHS.iter().position(|known| *known == month)? as u64 + 1;
    let year: u64 = match year.parse().ok()? {
        short @ 0..70 => 2000 + short,
        short @ 70..100 => 1900 + short,
        long @ 1970..10_000 => long,
        _ => return None,
    };
    let mut parts = time.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(Instant::from_nanos(seconds.checked_mul(1_000_000_000)?))
}

/// Days from the epoch to a day in the Gregorian calendar, from 1970 on. A day after the end of its month counts into
/// the next month.
pub(crate) fn days(year: u64, month: u64, day: u64) -> u64 {
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let is_leap = leaps(year) > leaps(year - 1);
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let before = before.get(usize::try_from(month - 1).unwrap_or_default()).copied().unwrap_or_default();
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969) + before + u64::from(is_leap && month > 2) + day - 1
}

/// Writes seconds since the Unix epoch as RFC 3339 in UTC: `2026-11-06T08:49:37Z`.
pub fn rfc3339(secs: u64) -> String {
    let (mut day, time) = (secs / 86_400, secs % 86_400);
    let mut year = 1970 + day / 366;
    while days(year + 1, 1, 1) <= day {
        year += 1;
    }
    day -= days(year, 1, 1);
    let first = |month| days(year, month, 1) - days(year, 1, 1);
    let month = (1..=12).rev().find(|month| first(*month) <= day).unwrap_or(1);
    let day = day - first(month) + 1;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", time / 3600, time / 60 % 60, time % 60)
}

impl Sub for Instant {
    type Output = Duration;

    /// The time between two readings; zero if the clock went back.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_is_written_as_it_is_read() {
        assert_eq!(rfc3339(784_111_777), "1994-11-06T08:49:37Z");
        for day in (0..60_000).map(|day| day * 86_400 + 86_399) {
            let text = rfc3339(day);
            assert_eq!(crate::config::units::moment(&text), Some(day), "{text}");
        }
    }

    #[test]
    fn every_form_of_a_date_is_read() {
        let then = Some(Instant::from_nanos(784_111_777_000_000_000));
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), then);
        assert_eq!(http_date("Sunday, 06-Nov-94 08:49:37 GMT"), then);
        assert_eq!(http_date("Sun Nov  6 08:49:37 1994"), then);
        for none in ["", "soon", "Sun, 06 Nov 1994", "Sun, 06 Now 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT"] {
            assert_eq!(http_date(none), None, "{none}");
        }
    }
}
