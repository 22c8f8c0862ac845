//! What can be asked of the ledger.

use super::moment::{self, DAY, HOUR, floor};
use super::series::{Dimension, Series};
use super::store::{Detail, Slice, Span};

/// What is asked: sums of a time, by names, of some requests only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// What to count by. Nothing: all in one.
    pub by: Vec<Dimension>,
    /// The first instant, in milliseconds since the epoch. It begins with the hour that it is in.
    pub since_ms: i64,
    /// The instant after the last one. Its hour is in it, if it is not the first instant of that hour.
    pub until_ms: i64,
    /// Only requests that have one of these names in this dimension. Several dimensions must all fit.
    pub only: Vec<(Dimension, Vec<String>)>,
}

impl Question {
    /// Widens the time to what sums are kept by: whole hours, and before `hours_from` whole days.
    pub(super) fn widen(&mut self, hours_from: i64) {
        let step = |ms: i64| if ms < hours_from { DAY } else { HOUR };
        self.since_ms = floor(self.since_ms, step(self.since_ms));
        let down = floor(self.until_ms, step(self.until_ms));
        self.until_ms = if down == self.until_ms { down } else { down.saturating_add(step(self.until_ms)) };
    }

    /// The sums that answer it: days where it is about whole days, and hours at both ends.
    pub(super) fn slices(&self, hours_from: i64) -> Vec<Slice> {
        let (from, until) = (self.since_ms, self.until_ms);
        let detail = self.detail();
        let slice = |span, from_ms, until_ms| Slice { detail, span, from_ms, until_ms };
        let first_day = floor(from.saturating_add(DAY - 1), DAY);
        let last_day = floor(until, DAY);
        let mut slices = if self.by.contains(&Dimension::Hour) {
            let middle = floor(hours_from.clamp(from, until).saturating_add(DAY - 1), DAY).min(until);
            let days = if hours_from > from { middle } else { from };
            vec![slice(Span::Day, from, days), slice(Span::Hour, days, until)]
        } else if first_day > last_day {
            vec![slice(Span::Hour, from, until)]
        } else {
            vec![
                slice(Span::Hour, from, first_day),
                slice(Span::Day, first_day, last_day),
                slice(Span::Hour, last_day, until),
            ]
        };
        slices.retain(|slice| slice.from_ms < slice.until_ms);
        slices
    }

    /// The sums that are detailed enough.
    fn detail(&self) -> Detail {
        let asked = self.by.iter().chain(self.only.iter().map(|(dimension, _)| dimension));
        let is_of_callers = |dimension: &Dimension| matches!(dimension, Dimension::User | Dimension::Application);
        if asked.into_iter().any(is_of_callers) { Detail::Callers } else { Detail::Keys }
    }

    /// Whether it is about the requests of a series.
    pub(super) fn is_about(&self, series: &Series) -> bool {
        self.only.iter().all(|(dimension, names)| {
            series.name(*dimension).is_none_or(|name| names.iter().any(|wanted| wanted == name))
        })
    }
}

/// Reads an instant as people write it: a time ago such as `7d`, `24h`, `30m`, `2w`; a date or time; `today`, `yesterday`, `now`.
pub fn instant(text: &str, now_ms: i64) -> Result<i64, String> {
    let text = text.trim();
    match text {
        "now" => return Ok(now_ms),
        "today" => return Ok(floor(now_ms, DAY)),
        "yesterday" => return Ok(floor(now_ms, DAY) - DAY),
        _ => {}
    }
    let units = [('w', 7 * DAY), ('d', DAY), ('h', HOUR), ('m', 60_000), ('s', 1000)];
    let ago =
        units.iter().find_map(|(unit, ms)| text.strip_suffix(*unit)?.parse::<u32>().ok().map(|n| i64::from(n) * ms));
    let found = ago.map(|ago| now_ms - ago).or_else(|| moment::read(text));
    found
        .ok_or_else(|| format!("\"{text}\" is no time; write it as 7d, 24h, today, 2026-12-01 or 2026-12-01T09:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_796_117_400_000;

    #[test]
    fn instants_are_read_as_people_write_them() {
        let check =
            |text, expect: &str| assert_eq!(instant(text, NOW).map(moment::text), Ok(expect.to_owned()), "{text}");
        check("now", "2026-12-01T09:30:00Z");
        check("7d", "2026-11-24T09:30:00Z");
        check("90m", "2026-12-01T08:00:00Z");
        check("today", "2026-12-01T00:00:00Z");
        check("yesterday", "2026-11-30T00:00:00Z");
        check("2026-11-03", "2026-11-03T00:00:00Z");
        check("2026-11-03T04:05:06Z", "2026-11-03T04:05:06Z");
        assert!(instant("soon", NOW).is_err() && instant("", NOW).is_err() && instant("d", NOW).is_err());
    }

    fn covered(question: &Question, hours_from: i64) -> i64 {
        let slices = question.slices(hours_from);
        assert!(slices.is_sorted_by_key(|slice| slice.from_ms), "{slices:?}");
        for slice in &slices {
            assert_eq!((slice.from_ms % slice.span.ms(), slice.until_ms % slice.span.ms()), (0, 0), "{slice:?}");
        }
        slices.iter().map(|slice| slice.until_ms - slice.from_ms).sum()
    }

    #[test]
    fn slices_cover_the_time_once() {
        for by in [vec![], vec![Dimension::Hour]] {
            for (since, until) in [(NOW - 7 * DAY, NOW), (NOW - HOUR, NOW), (NOW, NOW), (NOW - DAY, NOW - 3 * HOUR)] {
                for hours_from in [i64::MIN, floor(NOW, DAY) - 3 * DAY, floor(NOW, DAY) + DAY] {
                    let mut question =
                        Question { by: by.clone(), since_ms: since, until_ms: until, ..Question::default() };
                    question.widen(hours_from);
                    assert!(question.since_ms <= since && question.until_ms >= until);
                    assert_eq!(covered(&question, hours_from), question.until_ms - question.since_ms, "{question:?}");
                }
            }
        }
    }
}
