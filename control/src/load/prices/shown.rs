//! Prices as `weir prices` prints them.

use std::fmt::Write;

use weir_core::config::did_you_mean;
use weir_core::money::Picodollars;
use weir_core::price::{Case, Days, Hours, List, Listed, Rates};
use weir_core::time::rfc3339;

/// How many rates are by the million; see [`Rates::named`].
const BY_THE_MILLION: usize = 8;

/// One line for each model whose name contains `model`: the base rates, in dollars.
pub fn table(list: &List, model: Option<&str>) -> String {
    let mut text = format!(
        "{:<64} {:>9} {:>9} {:>9} {:>9}  other rates and cases\n",
        "dollars per million tokens", "input", "output", "cached", "written"
    );
    for (provider, name, Listed { price, .. }) in all(list) {
        if model.is_some_and(|wanted| !name.contains(wanted)) {
            continue;
        }
        let rate = |rate: Option<Picodollars>| rate.map_or("-".to_owned(), Picodollars::dollars);
        let Rates { input, output, cached_read, cache_write, .. } = price.base;
        let _ = write!(
            text,
            "{:<64} {:>9} {:>9} {:>9} {:>9}",
            format!("{provider}/{name}"),
            rate(input),
            rate(output),
            rate(cached_read),
            rate(cache_write)
        );
        let others: Vec<String> = others(&price.base).map(|(name, rate)| format!("{name} {rate}")).collect();
        let cases = match price.when.len() {
            0 => None,
            1 => Some("1 case".to_owned()),
            count => Some(format!("{count} cases")),
        };
        let others: Vec<String> = others.into_iter().chain(cases).collect();
        let _ = writeln!(text, "  {}", others.join(", "));
    }
    text.lines().map(|line| [line.trim_end(), "\n"].concat()).collect()
}

/// Everything that is known of the prices of `model`, which may be written with its provider: `openai/gpt-4o`. Else what may
/// be meant.
pub fn page(list: &List, model: &str) -> Result<String, String> {
    let mut text = String::new();
    for (provider, name, Listed { price, source }) in all(list) {
        if name != model && model.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/')) != Some(name) {
            continue;
        }
        let _ = writeln!(text, "{provider}/{name}");
        lines(&mut text, &price.base);
        for case in &price.when {
            let _ = writeln!(text, "  {}:", named(case));
            lines(&mut text, &case.rates);
        }
        let _ = writeln!(text, "  from {source}");
    }
    if !text.is_empty() {
        return Ok(text);
    }
    let hint = did_you_mean(model, all(list).map(|(_, name, _)| name));
    let hint = hint.unwrap_or_else(|| format!("`weir prices list --model {model}` lists names that contain it"));
    Err(format!("no price of \"{model}\" is known ({hint})"))
}

fn all(list: &List) -> impl Iterator<Item = (&str, &str, &Listed)> {
    list.sections.iter().flat_map(|(provider, section)| {
        section.models.iter().map(move |(name, listed)| (provider.as_str(), name.as_str(), listed))
    })
}

/// The rates that have no column of their own, in dollars.
fn others(rates: &Rates) -> impl Iterator<Item = (&'static str, String)> {
    rates.named().into_iter().skip(4).filter_map(|(name, rate)| Some((name, rate?.dollars())))
}

fn lines(text: &mut String, rates: &Rates) {
    for (at, (name, rate)) in rates.named().into_iter().enumerate() {
        let Some(rate) = rate else { continue };
        let unit = match name {
            _ if at < BY_THE_MILLION => "per million tokens",
            "image" | "request" => "each",
            _ => "a second",
        };
        let _ = writeln!(text, "    {name:<15} {rate:>12} {unit}");
    }
}

/// When a case holds.
fn named(case: &Case) -> String {
    let days = |Days(bits): Days| {
        let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let days: Vec<&str> =
            names.into_iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, day)| day).collect();
        days.join(", ")
    };
    let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let parts = [
        case.above.map(|above| format!("above {above} input tokens")),
        case.tier.map(|tier| format!("tier {}", tier.name())),
        case.hours.map(|Hours { from, until }| format!("{}-{} UTC", clock(from), clock(until))),
        case.days.map(days),
        case.from.map(|from| format!("from {}", rfc3339(from / 1000))),
        case.until.map(|until| format!("until {}", rfc3339(until / 1000))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn list() -> List {
        let text = "source: a test\nproviders:\n  openai:\n    models:\n      gpt: {input: 0.15, output: 0.6, image: 0.04, when: \
                    [{above: 200000, hours: \"10:00-24:00\", days: [sat], from: 2027-03-01T00:00:00Z, input: 0.3}]}\n";
        super::super::parse(Path::new("prices.yaml"), text, "here").unwrap()
    }

    #[test]
    fn a_model_is_told_with_its_cases_and_its_source() {
        let page = page(&list(), "gpt").unwrap();
        assert_eq!(
            page,
            "openai/gpt\n    input                  $0.15 per million tokens\n    output                 $0.60 per million \
             tokens\n    image                  $0.04 each\n  above 200000 input tokens, 10:00-00:00 UTC, sat, from \
             2027-03-01T00:00:00Z:\n    input                  $0.30 per million tokens\n  from a test (here)\n"
        );
        assert!(super::page(&list(), "openai/gpt").is_ok());
        assert!(super::page(&list(), "gpt4").unwrap_err().contains("did you mean \"gpt\"?"));
    }

    #[test]
    fn the_table_has_a_line_for_each_model() {
        let table = table(&list(), None);
        let line = table.lines().last().unwrap();
        assert!(line.starts_with("openai/gpt ") && line.ends_with("image 0.04, 1 case"), "{line}");
        assert_eq!(super::table(&list(), Some("claude")).lines().count(), 1);
    }
}
