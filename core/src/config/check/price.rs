//! Checks the prices: those of targets, and those of a prices file.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Check;
use crate::config::entry::ProviderEntry;
use crate::config::hint::did_you_mean;
use crate::config::routing::Model;
use crate::config::source::{self, Source};
use crate::config::{ConfigError, units};
use crate::money::{NoAmount, Picodollars};
use crate::price::{Case, Days, Hours, List, Listed, Price, Rates, Section, Tariff, Tier};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// How a rate is written.
const RATE: &str = "write dollars, such as 0.15";

impl Check {
    /// The price of each target that `models` name, as far as it is known: the target's own, else the list's.
    pub(in crate::config) fn prices(
        &mut self,
        source: &Source,
        models: &BTreeMap<String, Model>,
        providers: &BTreeMap<String, Option<ProviderEntry>>,
    ) -> Tariff {
        let mut prices = self.own_prices(source);
        for target in models.values().flat_map(|model| &model.targets) {
            let of = prices.entry(target.provider.clone()).or_default();
            if of.contains_key(&target.model) {
                continue;
            }
            let entry = providers.get(&target.provider).and_then(Option::as_ref);
            let section = entry.and_then(|entry| section(entry, &source.prices));
            if let Some(listed) = section.and_then(|section| source.prices.price(section, &target.model)) {
                of.insert(target.model.clone(), listed.price.clone());
            }
        }
        let is_asked = |provider: &String, model: &String| {
            models.values().flat_map(|model| &model.targets).any(|at| at.provider == *provider && at.model == *model)
        };
        for (provider, of) in &mut prices {
            of.retain(|model, _| is_asked(provider, model));
        }
        prices.retain(|_, of| !of.is_empty());
        prices
    }

    /// The prices that targets themselves have. Two models may name the same target, but not two prices of it.
    fn own_prices(&mut self, source: &Source) -> Tariff {
        let mut prices = Tariff::new();
        let mut errors = Vec::new();
        for (name, model) in &source.models {
            for (at, target) in model.targets.iter().enumerate() {
                let path = format!("models.{name}.targets[{at}].price");
                let Some(price) = target.price.as_ref().and_then(|written| price(&path, written, &mut errors)) else {
                    continue;
                };
                let upstream = target.model.as_ref().unwrap_or(name);
                let of = prices.entry(target.provider.clone()).or_default();
                if of.get(upstream).is_some_and(|other| *other != price) {
                    let problem = format!("{}/{upstream} has another price elsewhere", target.provider);
                    self.error(path, problem, Some("a target costs the same for every model: keep one".to_owned()));
                    continue;
                }
                of.insert(upstream.clone(), price);
            }
        }
        self.errors.append(&mut errors);
        prices
    }

    /// Whether a provider is priced as one that the list has.
    pub(in crate::config) fn priced_as(&mut self, source: &Source) {
        for (name, provider) in &source.providers {
            let Some(section) = provider.priced_as.as_ref() else { continue };
            if !source.prices.sections.contains_key(section) {
                let known = source.prices.sections.keys().map(String::as_str);
                let hint = did_you_mean(section, known).or_else(|| Some("`weir prices list` shows them".to_owned()));
                let problem = format!("no provider in the prices is called \"{section}\"");
                self.error(format!("providers.{name}.priced_as"), problem, hint);
            }
        }
    }
}

/// The list's section that has the prices of a provider: the one that it names, else the one of its host.
fn section<'l>(entry: &'l ProviderEntry, list: &'l List) -> Option<&'l str> {
    let own = entry.priced_as.as_deref();
    own.or_else(|| list.at(&entry.url.as_ref()?.host))
}

/// Reads a prices file. `origin` says where it is, for people, unless the file says where its prices come from.
pub fn prices(source: &source::Prices, origin: &str) -> Result<List, Vec<ConfigError>> {
    let origin = source.source.as_ref().map_or_else(|| origin.to_owned(), |from| format!("{from} ({origin})"));
    let mut errors = Vec::new();
    let sections = source.providers.iter().map(|(name, written)| {
        let models = written.models.iter().filter_map(|(model, written)| {
            let price = price(&format!("providers.{name}.models.{model}"), written, &mut errors)?;
            Some((model.clone(), Listed { price, source: origin.clone() }))
        });
        (name.clone(), Section { hosts: written.hosts.clone(), models: models.collect() })
    });
    let list = List { sections: sections.collect() };
    if errors.is_empty() { Ok(list) } else { Err(errors) }
}

/// Reads a price; errors are noted.
fn price(path: &str, written: &source::Price, errors: &mut Vec<ConfigError>) -> Option<Price> {
    let before = errors.len();
    let mut note = |path: String, problem: &str, hint: &str| {
        errors.push(ConfigError { path, problem: problem.to_owned(), hint: Some(hint.to_owned()) });
    };
    let base = rates(path, written.rates(), &mut note);
    let cases = written.when.iter().enumerate();
    let when: Vec<Case> = cases.map(|(at, case)| self::case(&format!("{path}.when[{at}]"), case, &mut note)).collect();
    let price = Price { base, when };
    if is_nothing(written.rates()) && written.when.is_empty() {
        note(path.to_owned(), "the price has no rate", "such as {input: 0.15, output: 0.6}; {second: 0} costs nothing");
    }
    (errors.len() == before).then_some(price)
}

fn case(path: &str, written: &source::PriceCase, note: &mut impl FnMut(String, &str, &str)) -> Case {
    let rates = rates(path, written.rates(), note);
    if is_nothing(written.rates()) {
        note(path.to_owned(), "no rate is other in this case", "add one, such as input: 0.3");
    }
    let tier = written.tier.as_deref().map(|name| (name, Tier::from_name(name)));
    if let Some((name, None)) = tier {
        let problem = format!("no service tier is called \"{name}\"");
        let known = did_you_mean(name, Tier::ALL.map(Tier::name)).unwrap_or_default();
        note(format!("{path}.tier"), &problem, &known);
    }
    let hours = written.hours.as_deref().map(hours);
    if hours == Some(None) {
        note(format!("{path}.hours"), "these are no hours of a day", "such as 16:30-00:30, in UTC");
    }
    let mut days = 0;
    for (at, day) in written.days.iter().enumerate() {
        match DAYS.iter().position(|known| known == day) {
            Some(bit) => days |= 1 << bit,
            None => {
                note(format!("{path}.days[{at}]"), "this is no day of the week", "mon, tue, wed, thu, fri, sat, sun");
            }
        }
    }
    let mut moment = |field: &str, text: &Option<String>| {
        let seconds = text.as_deref().map(units::moment);
        if seconds == Some(None) {
            note(format!("{path}.{field}"), "this is no moment", "such as 2027-03-01T00:00:00Z");
        }
        seconds.flatten().map(|seconds| seconds.saturating_mul(1000))
    };
    let (from, until) = (moment("from", &written.from), moment("until", &written.until));
    if let (Some(from), Some(until)) = (from, until)
        && from >= until
    {
        note(format!("{path}.until"), "it is not after `from`", "raise it, or remove one of the two");
    }
    let days = (!written.days.is_empty()).then_some(Days(days));
    let (tier, hours) = (tier.and_then(|(_, tier)| tier), hours.flatten());
    Case { above: written.above, tier, hours, days, from, until, rates }
}

fn rates(path: &str, written: source::WrittenRates<'_>, note: &mut impl FnMut(String, &str, &str)) -> Rates {
    let mut rates = Rates::default();
    let names = rates.named().map(|(name, _)| name);
    for ((own, text), name) in rates.each().into_iter().zip(written).zip(names) {
        let Some(text) = text else { continue };
        let amount = Picodollars::parse(text);
        let problem = match amount {
            Ok(amount) if amount < Picodollars::ZERO => format!("a price is not below 0, and this is {text}"),
            Ok(amount) => {
                *own = Some(amount);
                continue;
            }
            Err(no @ NoAmount::Form) => format!("\"{text}\" {}", no.problem()),
            Err(no) => format!("{text} {}", no.problem()),
        };
        note(format!("{path}.{name}"), &problem, RATE);
    }
    rates
}

fn is_nothing(written: source::WrittenRates<'_>) -> bool {
    written.iter().all(|rate| rate.is_none())
}

/// Reads `16:30-00:30`.
fn hours(text: &str) -> Option<Hours> {
    let minute = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u16>().ok())?;
        let (hour, minute) = (number(hour)?, number(minute)?);
        (hour < 24 && minute < 60 || (hour, minute) == (24, 0)).then_some((hour * 60 + minute) % 1440)
    };
    let (from, until) = text.split_once('-')?;
    Some(Hours { from: minute(from.trim())?, until: minute(until.trim())? })
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::string::ToString;

    use serde_json::{Value, json};

    use super::*;
    use crate::config::Gateway;

    fn source(targets: &Value) -> Source {
        let source = json!({
            "providers": {
                "p": { "dialect": "openai", "endpoint": "https://api.openai.com/v1" },
                "own": { "dialect": "openai", "endpoint": "https://llm.example.com/v1" },
                "proxy": { "dialect": "openai", "endpoint": "https://llm.example.com/v1", "priced_as": "openai" },
            },
            "models": { "gpt": { "targets": targets } },
        });
        let listed = json!({ "providers": { "openai": {
            "hosts": ["api.openai.com"],
            "models": { "gpt": { "input": "1" }, "other": { "input": "2" } },
        } } });
        let mut source: Source = serde_json::from_value(source).unwrap();
        source.prices = prices(&serde_json::from_value(listed).unwrap(), "a test").unwrap();
        source
    }

    fn priced(targets: &Value) -> Result<Tariff, Vec<String>> {
        let gateway = Gateway::parse(&source(targets), &BTreeSet::new());
        gateway
            .map(|gateway| gateway.routing().prices.clone())
            .map_err(|errors| errors.into_iter().map(|error| [error.path, error.problem].join(": ")).collect())
    }

    #[test]
    fn a_target_has_its_own_price_or_that_of_its_providers_host() {
        let input = |targets: Value, provider: &str| {
            let prices = priced(&targets).unwrap();
            prices.get(provider).and_then(|of| of.get("gpt")).map(|price| price.base.input.unwrap().dollars())
        };
        assert_eq!(input(json!([{ "provider": "p" }]), "p").as_deref(), Some("1"));
        assert_eq!(input(json!([{ "provider": "proxy" }]), "proxy").as_deref(), Some("1"));
        assert_eq!(input(json!([{ "provider": "own" }]), "own"), None, "another host's prices are not known");
        assert_eq!(input(json!([{ "provider": "p", "price": { "input": "3" } }]), "p").as_deref(), Some("3"));
        let only = priced(&json!([{ "provider": "p" }])).unwrap();
        assert_eq!(only.values().map(BTreeMap::len).sum::<usize>(), 1, "of what nobody can ask, no price is carried");
    }

    #[test]
    fn the_targets_without_a_price_are_told() {
        let targets = json!([{ "provider": "p" }, { "provider": "own" }, { "provider": "p", "model": "new" }]);
        let gateway = Gateway::parse(&source(&targets), &BTreeSet::new()).unwrap();
        let told: Vec<String> =
            gateway.unpriced().map(|(model, at, target)| format!("{model}[{at}] {}", target.model)).collect();
        assert_eq!(told, ["gpt[1] gpt", "gpt[2] new"]);
    }

    #[test]
    fn what_cannot_be_a_price_is_an_error_with_its_place() {
        let wrong = |price: Value, expect: &str| {
            let errors = priced(&json!([{ "provider": "p", "price": price }])).unwrap_err();
            assert_eq!(errors, [["models.gpt.targets[0].price", expect].concat()]);
        };
        wrong(json!({ "input": "-1" }), ".input: a price is not below 0, and this is -1");
        wrong(json!({ "output": "cheap" }), ".output: \"cheap\" is no amount of dollars");
        wrong(json!({ "image": "0.0000000000001" }), ".image: 0.0000000000001 has more than 12 decimals");
        wrong(json!({}), ": the price has no rate");
        wrong(json!({ "input": "1", "when": [{ "tier": "batch" }] }), ".when[0]: no rate is other in this case");
        let case = |field: &str, value: Value| json!({ "when": [{ "input": "1", (field): value }] });
        wrong(case("tier", json!("bulk")), ".when[0].tier: no service tier is called \"bulk\"");
        wrong(case("hours", json!("25:00-26:00")), ".when[0].hours: these are no hours of a day");
        wrong(case("days", json!(["mon", "x"])), ".when[0].days[1]: this is no day of the week");
        wrong(case("from", json!("2027")), ".when[0].from: this is no moment");
        let backwards = json!({ "input": "1", "from": "2027-03-01T00:00:00Z", "until": "2027-03-01T00:00:00Z" });
        wrong(json!({ "when": [backwards] }), ".when[0].until: it is not after `from`");
        let two =
            json!([{ "provider": "p", "price": { "input": "1" } }, { "provider": "p", "price": { "input": "2" } }]);
        assert_eq!(priced(&two).unwrap_err(), ["models.gpt.targets[1].price: p/gpt has another price elsewhere"]);
    }

    #[test]
    fn a_provider_is_priced_as_one_that_is_there() {
        let mut source = source(&json!([{ "provider": "p" }]));
        source.providers.get_mut("own").unwrap().priced_as = Some("opnai".to_string());
        let errors = Gateway::parse(&source, &BTreeSet::new()).unwrap_err();
        assert_eq!(errors[0].path, "providers.own.priced_as");
        assert_eq!(errors[0].hint.as_deref(), Some("did you mean \"openai\"?"));
    }

    #[test]
    fn hours_read_as_they_are_written() {
        assert_eq!(hours("16:30-00:30"), Some(Hours { from: 990, until: 30 }));
        assert_eq!(hours("10:00 - 24:00"), Some(Hours { from: 600, until: 0 }));
        for wrong in ["", "10-11", "10:60-11:00", "24:01-01:00", "10:00", "+1:00-02:00", ":-:"] {
            assert_eq!(hours(wrong), None, "{wrong}");
        }
    }
}
