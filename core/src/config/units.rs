//! Durations and sizes as people write them: `30s`, `500ms`, `16MiB`.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

/// Reads `250ms`, `30s`, `5m` or `1h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let number: u64 = number.parse().map_err(|_| wrong_duration(text))?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(3600))),
        _ => Err(wrong_duration(text)),
    }
}

/// Reads `512B`, `64KiB`, `16MiB` or `1GiB` (and `KB`, `MB`, `GB`, which are powers of ten) as bytes; also a number
/// without a unit. Letters may be upper or lower case.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let wrong = || match unit {
        // Some programs read these as powers of two, others as powers of ten.
        "K" | "k" | "M" | "m" | "G" | "g" if !number.is_empty() => {
            let unit = unit.to_ascii_uppercase();
            format!("\"{text}\" is no size; write it as {number}{unit}iB or {number}{unit}B")
        }
        _ => format!("\"{text}\" is no size; write it as 64KiB or 16MiB"),
    };
    let units = [
        ("", 1),
        ("B", 1),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ];
    let factor = units.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(wrong)?.1;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).ok_or_else(wrong)
}

/// Reads `2027-03-01T00:00:00Z`, an RFC 3339 time, as seconds since the epoch.
pub fn moment(text: &str) -> Option<u64> {
    Some(crate::allow::rate_limit::date(text)? / 1000)
}

fn wrong_duration(text: &str) -> String {
    format!("\"{text}\" is no duration; write it as 500ms, 30s, 5m or 1h")
}

fn split(text: &str) -> (&str, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    (number, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("5 m"), Ok(Duration::from_secs(300)));
        assert!(duration("5").is_err());
        assert!(duration("fast").is_err());
    }

    #[test]
    fn moments_read_as_programs_write_them() {
        assert_eq!(moment("2027-03-01T00:00:00Z"), Some(1_803_859_200));
        assert_eq!(moment("2027-03-01T02:00:00+02:00"), Some(1_803_859_200));
        assert_eq!(moment("2027-03-01"), None);
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        assert_eq!(size("16MiB"), Ok(16 << 20));
        assert_eq!(size("1 MB"), Ok(1_000_000));
        assert_eq!(size("16000000"), Ok(16_000_000));
        assert_eq!(size("16mb"), Ok(16_000_000));
        assert_eq!(size("16 mib"), Ok(16 << 20));
        // A unit with two meanings elsewhere is refused here.
        assert_eq!(size("16M").unwrap_err(), "\"16M\" is no size; write it as 16MiB or 16MB");
        assert_eq!(size("64k").unwrap_err(), "\"64k\" is no size; write it as 64KiB or 64KB");
        for wrong in ["99999999999GiB", "", "MiB", "-1", "1.5MiB", "99999999999999999999"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
