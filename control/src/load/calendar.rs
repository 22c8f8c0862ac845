//! The windows of budgets, as instants: the core knows no time zones.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use weir_core::config::source::{Period, Source};
use weir_core::quota::Edges;

/// For how long edges are written ahead. After that, windows go on with the length of the last one, until the configuration is
/// read again.
const AHEAD: [(Period, i64); 3] = [(Period::Day, 2), (Period::Week, 5), (Period::Month, 10)];

/// The edges of each zone that a quota names; a zone that is not known has none.
pub(super) fn edges(source: &Source, now: Timestamp) -> BTreeMap<(String, Period), Edges> {
    let zones = source.quotas.values().filter_map(|quota| quota.zone.as_deref()).filter(|zone| *zone != "UTC");
    let mut edges = BTreeMap::new();
    for name in zones {
        let Ok(zone) = TimeZone::get(name) else { continue };
        for (period, years) in AHEAD {
            let of = edges_of(&zone, period, now, years.years()).unwrap_or_default();
            edges.insert((name.to_owned(), period), Edges(of.into()));
        }
    }
    edges
}

/// When the windows of a zone begin, in seconds since the epoch: from the one before the last, for requests that began in it.
fn edges_of(zone: &TimeZone, period: Period, now: Timestamp, ahead: Span) -> Result<Vec<u64>, jiff::Error> {
    let today = zone.to_datetime(now).date();
    let step = match period {
        Period::Day => 1.day(),
        Period::Week => 1.week(),
        Period::Month => 1.month(),
    };
    let current = match period {
        Period::Day => today,
        Period::Week => today.checked_sub(i64::from(today.weekday().since(Weekday::Monday)).days())?,
        Period::Month => today.first_of_month(),
    };
    let last = today.checked_add(ahead)?;
    let mut edges = Vec::new();
    let mut at: Date = current.checked_sub(step)?;
    while at <= last {
        // Where midnight is skipped, the day begins after the gap.
        let begins = at.to_zoned(zone.clone())?.timestamp().as_second();
        edges.push(u64::try_from(begins).unwrap_or_default());
        at = at.checked_add(step)?;
    }
    Ok(edges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(zone: &str, period: Period, now: &str) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let edges = edges_of(&zone, period, now.parse().unwrap(), 40.days()).unwrap();
        edges.iter().map(|edge| Timestamp::from_second(i64::try_from(*edge).unwrap()).unwrap().to_string()).collect()
    }

    #[test]
    fn windows_begin_at_midnight_of_their_zone_also_when_clocks_change() {
        let days = of("Europe/Berlin", Period::Day, "2026-10-24T12:00:00Z");
        assert_eq!(
            days[..4],
            ["2026-10-22T22:00:00Z", "2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"]
        );
        let weeks = of("Asia/Kathmandu", Period::Week, "2026-11-29T20:00:00Z");
        assert_eq!(weeks[..2], ["2026-11-22T18:15:00Z", "2026-11-29T18:15:00Z"], "there it is Monday already");
        let months = of("America/New_York", Period::Month, "2026-03-01T04:00:00Z");
        assert_eq!(months[..3], ["2026-01-01T05:00:00Z", "2026-02-01T05:00:00Z", "2026-03-01T05:00:00Z"]);
        // Midnight is skipped there on this day.
        let days = of("America/Asuncion", Period::Day, "2023-09-30T12:00:00Z");
        assert_eq!(days[2], "2023-10-01T04:00:00Z");
    }

    #[test]
    fn a_zone_that_nobody_knows_has_no_edges() {
        let mut source = Source::default();
        let quota = |zone: &str| weir_core::config::source::Quota { zone: Some(zone.to_owned()), ..Default::default() };
        source.quotas.insert("a".to_owned(), quota("Mars/Olympus"));
        source.quotas.insert("b".to_owned(), quota("Asia/Tokyo"));
        let edges = edges(&source, Timestamp::now());
        assert_eq!(edges.keys().filter(|(zone, _)| zone == "Asia/Tokyo").count(), edges.len());
        assert_eq!(edges.len(), 3);
    }
}
