//! Instants as milliseconds since the epoch, and how they are written. All are in UTC.

/// Milliseconds of an hour.
pub const HOUR: i64 = 3_600_000;
/// Milliseconds of a day.
pub const DAY: i64 = 24 * HOUR;

/// Reads an RFC 3339 time, such as `2026-12-01T09:30:00.250Z`, or a date, which means its first instant.
///
/// `None` if it is neither, or no date of the calendar.
pub fn read(text: &str) -> Option<i64> {
    let (date, time) = match text.split_at_checked(10) {
        Some((date, "")) => (date, None),
        Some((date, rest)) => (date, Some(rest.strip_prefix(['T', 't', ' '])?)),
        None => return None,
    };
    let midnight = day(date)?;
    let Some(time) = time else { return Some(midnight) };
    let (clock, zone) = time.split_at(time.find(['Z', 'z', '+', '-'])?);
    Some(midnight + of_day(clock)? - offset(zone)?)
}

/// Writes an instant to the second: `2026-12-01T09:30:00Z`.
pub fn text(ms: i64) -> String {
    let seconds = ms.rem_euclid(DAY) / 1000;
    format!("{}T{:02}:{:02}:{:02}Z", date(ms), seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The date of an instant: `2026-12-01`.
pub fn date(ms: i64) -> String {
    // https://howardhinnant.github.io/date_algorithms.html#civil_from_days
    let days = ms.div_euclid(DAY) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // The year begins in March here, so that a leap day is its last day.
    let from_march = (5 * day + 2) / 153;
    let (day, month) =
        (day - (153 * from_march + 2) / 5 + 1, if from_march < 10 { from_march + 3 } else { from_march - 9 });
    format!("{:04}-{month:02}-{day:02}", year + era * 400 + i64::from(month <= 2))
}

/// The hour of an instant: `2026-12-01T09Z`.
pub fn hour(ms: i64) -> String {
    format!("{}T{:02}Z", date(ms), ms.rem_euclid(DAY) / HOUR)
}

/// The start of the step of `length` that an instant is in.
pub fn floor(ms: i64, length: i64) -> i64 {
    ms - ms.rem_euclid(length)
}

fn day(text: &str) -> Option<i64> {
    let (year, month, day) = (number(text.get(..4)?)?, number(text.get(5..7)?)?, number(text.get(8..)?)?);
    if text.get(4..5)? != "-" || text.get(7..8)? != "-" || !(1..=12).contains(&month) || day < 1 {
        return None;
    }
    // https://howardhinnant.github.io/date_algorithms.html#days_from_civil
    let from_march = (month + 9) % 12;
    let counted = year - i64::from(month <= 2);
    let (era, of_era) = (counted.div_euclid(400), counted.rem_euclid(400));
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let ms = (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468) * DAY;
    // 31 February would be read as a day of March.
    (date(ms) == text).then_some(ms)
}

fn of_day(clock: &str) -> Option<i64> {
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let second = parts.next().map_or(Some(0), number)?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let thousandths = number(fraction.get(..3.min(fraction.len()))?)? * [100, 10, 1].get(fraction.len().min(3) - 1)?;
    Some(((hour * 60 + minute) * 60 + second) * 1000 + thousandths)
}

fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return (zone.len() == 1).then_some(0),
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (number(hours)? * 60 + number(minutes)?) * 60_000)
}

fn number(text: &str) -> Option<i64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_reads_as_it_is_written() {
        for ms in (-DAY * 40_000..DAY * 60_000).step_by(987_654_321) {
            let second = ms - ms.rem_euclid(1000);
            assert_eq!(read(&text(ms)), Some(second), "{}", text(ms));
            assert_eq!(read(&date(ms)), Some(floor(ms, DAY)), "{}", date(ms));
        }
    }

    #[test]
    fn fractions_and_zones_count() {
        let noon = read("2026-12-01T12:00:00Z").unwrap();
        assert_eq!(read("2026-12-01T12:00:00.25Z"), Some(noon + 250));
        assert_eq!(read("2026-12-01T12:00:00.123456Z"), Some(noon + 123));
        assert_eq!(read("2026-12-01T14:00:00+02:00"), Some(noon));
        assert_eq!(hour(noon), "2026-12-01T12Z");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for wrong in [
            "",
            "-",
            "2026-02-31",
            "2026-13-01",
            "2026-12-01T25:00:00Z",
            "2026-12-01Tnoon",
            "yesterday",
            "２０２６-12-01",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
