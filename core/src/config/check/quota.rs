//! Checks the quotas.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Check;
use crate::config::hint::did_you_mean;
use crate::config::source::{self, Period, Source};
use crate::quota::{Alone, Dimension, Edges, Kind, Limit, Meter, Quotas, Subject, VALUES, Windows};
use crate::time::days;

/// The value of a subject that stands for every value.
const EACH: &str = "each";

/// Midnight of a Monday: 1970-01-05, in seconds since the epoch.
const MONDAY: u64 = 4 * 86_400;

/// How an amount is written.
const RATE: &str = "write it as 600 requests per minute, 100000 tokens per minute or 5 USD per hour";
const BUDGET: &str = "write it as 500 USD per month, 2000000 tokens per day or 10 USD in total";

impl Check {
    pub(in crate::config) fn quotas(&mut self, source: &Source) -> Quotas {
        let limits: Vec<Limit> =
            source.quotas.iter().filter_map(|(name, written)| self.quota(source, name, written)).collect();
        Quotas::from(limits)
    }

    fn quota(&mut self, source: &Source, name: &str, written: &source::Quota) -> Option<Limit> {
        let path = format!("quotas.{name}");
        self.name(&path, name);
        let subjects = self.subjects(source, &path, written);
        let (meter, kind) = self.kind(source, &path, written)?;
        let alone = match written.alone.as_deref() {
            None | Some("open") => Alone::Open,
            Some("closed") => Alone::Closed,
            Some(_) => {
                self.error(format!("{path}.alone"), "it is open or closed", None);
                Alone::Open
            }
        };
        if let Some(was) = written.was.as_ref().filter(|was| *was == name || source.quotas.contains_key(*was)) {
            let problem = format!("\"{was}\" is the name of a quota that is there");
            self.error(format!("{path}.was"), problem, Some("name the one that this one replaces".to_owned()));
        }
        let values = written.values.unwrap_or(VALUES);
        if !(1..=1_000_000).contains(&values) {
            self.error(format!("{path}.values"), "it is between 1 and 1000000", None);
        }
        let was = written.was.clone();
        Some(Limit { name: name.to_owned(), was, subjects, meter, kind, soft: written.soft, alone, values })
    }

    fn subjects(&mut self, source: &Source, path: &str, written: &source::Quota) -> Vec<Subject> {
        let models = || source.models.keys().map(String::as_str);
        let providers = || source.providers.keys().map(String::as_str);
        let targets: Vec<String> = source
            .models
            .iter()
            .flat_map(|(name, model)| {
                let of =
                    |target: &source::Target| [&target.provider, "/", target.model.as_ref().unwrap_or(name)].concat();
                model.targets.iter().map(of).collect::<Vec<_>>()
            })
            .collect();
        let told = [
            (Dimension::Key, &written.key),
            (Dimension::Team, &written.team),
            (Dimension::User, &written.user),
            (Dimension::Application, &written.application),
            (Dimension::Model, &written.model),
            (Dimension::Provider, &written.provider),
            (Dimension::Target, &written.target),
        ];
        let mut subjects = Vec::new();
        for (of, value) in told {
            let Some(value) = value else { continue };
            let path = format!("{path}.{}", of.name());
            let known: Option<Vec<&str>> = match of {
                Dimension::Model => Some(models().collect()),
                Dimension::Provider => Some(providers().collect()),
                Dimension::Target => Some(targets.iter().map(String::as_str).collect()),
                Dimension::Team => Some(source.teams.keys().map(String::as_str).collect()),
                // A key is made and removed while Weir runs, and a limit of one that is gone limits nobody.
                Dimension::Key | Dimension::User | Dimension::Application => None,
            };
            if of == Dimension::Application && source.application_header.is_none() {
                let hint = "say which header names it: application_header: x-application".to_owned();
                self.error(&path, "no request tells its application", Some(hint));
            }
            if value.is_empty() {
                self.error(&path, "it is empty", Some(format!("write a name, or \"{EACH}\"")));
            } else if let Some(known) = known.filter(|known| value != EACH && !known.contains(&value.as_str())) {
                let hint = did_you_mean(value, known);
                self.error(&path, format!("there is no {} \"{value}\"", of.name()), hint);
            }
            subjects.push(Subject { of, value: (value != EACH).then(|| value.clone()) });
        }
        subjects
    }

    fn kind(&mut self, source: &Source, path: &str, written: &source::Quota) -> Option<(Meter, Kind)> {
        let only = |what: &str| format!("{what} is only for a {}", if what == "burst" { "rate" } else { "budget" });
        if written.burst.is_some() && written.rate.is_none() {
            self.error(format!("{path}.burst"), only("burst"), None);
        }
        if written.zone.is_some() && written.budget.is_none() {
            self.error(format!("{path}.zone"), only("zone"), None);
        }
        match (&written.rate, &written.budget, written.concurrency) {
            (Some(rate), None, None) => self.rate(path, rate, written.burst.as_deref()),
            (None, Some(budget), None) => self.budget(source, path, budget, written.zone.as_deref()),
            (None, None, Some(amount)) => {
                if amount == 0 {
                    self.error(format!("{path}.concurrency"), "no request could ever run", None);
                }
                Some((Meter::Requests, Kind::Concurrency { amount }))
            }
            _ => {
                let hint = "a quota has one of them; several limits are several quotas".to_owned();
                self.error(path, "expected exactly one of rate, budget and concurrency", Some(hint));
                None
            }
        }
    }

    fn rate(&mut self, path: &str, text: &str, burst: Option<&str>) -> Option<(Meter, Kind)> {
        let place = format!("{path}.rate");
        let read = Amount::read(text).and_then(|amount| {
            let period = match amount.rest {
                "per second" => 1,
                "per minute" => 60,
                "per hour" => 3600,
                "per day" => 86_400,
                _ => return None,
            };
            Some((amount.meter, u64::try_from(amount.number).ok()?, period * 1_000_000_000))
        });
        let Some((meter, amount, period)) = read else {
            self.error(place, format!("\"{text}\" is no rate"), Some(RATE.to_owned()));
            return None;
        };
        let burst = match burst.map(|burst| Amount::number(burst, meter).and_then(|burst| u64::try_from(burst).ok())) {
            None => amount,
            Some(Some(burst)) => burst,
            Some(None) => {
                self.error(format!("{path}.burst"), "expected a number in the unit of the rate", None);
                amount
            }
        };
        if amount == 0 || burst == 0 {
            self.error(place, "no request could ever pass", Some(RATE.to_owned()));
        }
        Some((meter, Kind::Rate { amount, period, burst }))
    }

    fn budget(&mut self, source: &Source, path: &str, text: &str, zone: Option<&str>) -> Option<(Meter, Kind)> {
        let place = format!("{path}.budget");
        let period = |rest: &str| match rest {
            "per day" => Some(Some(Period::Day)),
            "per week" => Some(Some(Period::Week)),
            "per month" => Some(Some(Period::Month)),
            "in total" => Some(None),
            _ => None,
        };
        let read = Amount::read(text).and_then(|amount| Some((amount.meter, amount.number, period(amount.rest)?)));
        let Some((meter, amount, period)) = read else {
            self.error(place, format!("\"{text}\" is no budget"), Some(BUDGET.to_owned()));
            return None;
        };
        if amount == 0 {
            self.error(place, "it is below one request", Some(BUDGET.to_owned()));
        }
        let windows = match (period, zone.unwrap_or("UTC")) {
            (None, _) => Windows::Ever,
            (Some(Period::Day), "UTC") => Windows::Regular { from: 0, length: 86_400 },
            (Some(Period::Week), "UTC") => Windows::Regular { from: MONDAY, length: 7 * 86_400 },
            (Some(Period::Month), "UTC") => Windows::Edges(Edges(months().collect())),
            (Some(period), zone) => {
                let edges = source.calendar.get(&(zone.to_owned(), period));
                if edges.is_none() {
                    let hint = "write the name of a place in the time zone database, such as Europe/Berlin".to_owned();
                    self.error(format!("{path}.zone"), format!("there is no time zone \"{zone}\""), Some(hint));
                }
                edges.map_or(Windows::Ever, |edges| Windows::Edges(edges.clone()))
            }
        };
        Some((meter, Kind::Budget { amount, windows }))
    }
}

/// The first of each month in UTC, in seconds since the epoch.
fn months() -> impl Iterator<Item = u64> {
    (2025..2037).flat_map(|year| (1..=12).map(move |month| days(year, month, 1) * 86_400))
}

/// An amount with its unit.
struct Amount<'t> {
    number: u128,
    meter: Meter,
    /// What follows the unit.
    rest: &'t str,
}

impl<'t> Amount<'t> {
    /// Reads `500 USD per month`.
    fn read(text: &'t str) -> Option<Self> {
        const UNITS: [(&str, Meter); 8] = [
            ("input tokens", Meter::InputTokens),
            ("output tokens", Meter::OutputTokens),
            ("requests", Meter::Requests),
            ("request", Meter::Requests),
            ("tokens", Meter::Tokens),
            ("USD", Meter::Cost),
            ("dollars", Meter::Cost),
            ("dollar", Meter::Cost),
        ];
        let (number, text) = text.trim().split_once(' ')?;
        let text = text.trim_start();
        let (unit, meter) = UNITS
            .into_iter()
            .find(|(unit, _)| text.strip_prefix(unit).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')))?;
        let rest = text.strip_prefix(unit)?.trim();
        Some(Self { number: Self::number(number, meter)?, meter, rest })
    }

    /// Reads a number that is not negative, with `_` between digits if that helps.
    fn number(text: &str, meter: Meter) -> Option<u128> {
        u128::try_from(meter.read(&text.replace('_', ""))?).ok()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::config::Gateway;
    use crate::time::Instant;

    fn parse(quota: &Value) -> Result<Limit, Vec<String>> {
        let source = json!({
            "providers": { "p": { "dialect": "openai", "endpoint": "http://127.0.0.1:9/v1" } },
            "models": { "gpt": { "targets": [{ "provider": "p", "model": "m" }] } },
            "keys": [{ "name": "k", "sha256": "00".repeat(32) }],
            "quotas": { "q": quota },
        });
        let mut source: Source = serde_json::from_value(source).unwrap();
        source.calendar.insert(("Europe/Berlin".to_string(), Period::Day), Edges([100].into()));
        let gateway = Gateway::parse(&source, &BTreeSet::new());
        gateway
            .map(|gateway| gateway.routing().quotas.all()[0].clone())
            .map_err(|errors| errors.into_iter().map(|error| [error.path, error.problem].join(": ")).collect())
    }

    #[test]
    fn amounts_are_read_as_they_are_written() {
        let kind = |quota: Value| parse(&quota).map(|limit| (limit.meter, limit.kind)).unwrap();
        assert_eq!(
            kind(json!({ "rate": "600 requests per minute" })),
            (Meter::Requests, Kind::Rate { amount: 600, period: 60_000_000_000, burst: 600 })
        );
        assert_eq!(
            kind(json!({ "rate": "1_000 output tokens per hour", "burst": "5000" })),
            (Meter::OutputTokens, Kind::Rate { amount: 1000, period: 3_600_000_000_000, burst: 5000 })
        );
        assert_eq!(
            kind(json!({ "budget": "0.15 USD in total" })),
            (Meter::Cost, Kind::Budget { amount: 150_000_000_000, windows: Windows::Ever })
        );
        let large = kind(json!({ "budget": "20000000000 tokens per week" }));
        let windows = Windows::Regular { from: MONDAY, length: 604_800 };
        assert_eq!(large, (Meter::Tokens, Kind::Budget { amount: 20_000_000_000, windows }));
        let Kind::Budget { windows, .. } = kind(json!({ "budget": "1 USD per month" })).1 else { panic!() };
        let window = windows.at(Instant::from_nanos(1_780_000_000 * 1_000_000_000));
        assert_eq!(window.start, 1_777_593_600_000, "May of 2026");
        let Kind::Budget { windows, .. } = kind(json!({ "budget": "1 USD per day", "zone": "Europe/Berlin" })).1 else {
            panic!()
        };
        assert_eq!(windows, Windows::Edges(Edges([100].into())));
        let limit = parse(&json!({ "key": "each", "target": "p/m", "concurrency": 3 })).unwrap();
        assert_eq!(limit.subjects.len(), 2);
        assert!(limit.is_of_a_try());
    }

    #[test]
    fn what_cannot_be_meant_is_an_error_with_its_place() {
        let wrong = |quota: Value, starts: &str| {
            let errors = parse(&quota).unwrap_err();
            assert!(errors.len() == 1 && errors[0].starts_with(starts), "{quota}: {errors:?}");
        };
        wrong(json!({}), "quotas.q: expected exactly one");
        wrong(json!({ "rate": "1 requests per second", "concurrency": 1 }), "quotas.q: expected exactly one");
        wrong(json!({ "rate": "10 requests per month" }), "quotas.q.rate: ");
        wrong(json!({ "rate": "1.5 requests per second" }), "quotas.q.rate: ");
        wrong(json!({ "rate": "-1 requests per second" }), "quotas.q.rate: ");
        wrong(json!({ "rate": "ten requests per second" }), "quotas.q.rate: ");
        wrong(json!({ "rate": "0 requests per second" }), "quotas.q.rate: no request");
        wrong(json!({ "rate": "1 USDs per second" }), "quotas.q.rate: ");
        wrong(json!({ "rate": "1 tokens per second", "burst": "x" }), "quotas.q.burst: ");
        wrong(json!({ "budget": "500 USD" }), "quotas.q.budget: ");
        wrong(json!({ "budget": "0 tokens per day" }), "quotas.q.budget: it is below one request");
        wrong(json!({ "budget": "1 USD per day", "zone": "Mars" }), "quotas.q.zone: there is no time zone");
        wrong(json!({ "concurrency": 0 }), "quotas.q.concurrency: ");
        wrong(json!({ "concurrency": 1, "zone": "UTC" }), "quotas.q.zone: ");
        wrong(json!({ "concurrency": 1, "model": "gtp" }), "quotas.q.model: there is no model");
        wrong(json!({ "concurrency": 1, "target": "p/x" }), "quotas.q.target: ");
        wrong(json!({ "concurrency": 1, "team": "" }), "quotas.q.team: ");
        wrong(json!({ "concurrency": 1, "team": "nobody" }), "quotas.q.team: there is no team");
        wrong(json!({ "concurrency": 1, "application": "each" }), "quotas.q.application: no request");
        wrong(json!({ "concurrency": 1, "was": "q" }), "quotas.q.was: ");
        wrong(json!({ "concurrency": 1, "alone": "maybe" }), "quotas.q.alone: ");
        wrong(json!({ "concurrency": 1, "values": 0 }), "quotas.q.values: ");
    }
}
