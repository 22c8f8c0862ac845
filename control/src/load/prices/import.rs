//! Makes a prices file from the JSON in the `PyPI` package `litellm`.
//!
//! `litellm.json` says which of its entries are of which provider here. Its numbers are read as text, because JSON's usual
//! reader would make binary fractions of them.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use weir_core::price::Tier;

use super::super::tree::{self, Content, Tree};
use super::decimal::{compare, shifted};

/// How one provider here is made from entries there.
#[derive(Debug, Deserialize)]
struct Origin {
    /// The names of its providers, of which the first counts where two have the same model; `*` at the end stands for anything.
    from: Vec<String>,
    /// What its models' names may begin with, and no model's name does here.
    #[serde(default)]
    strip: Vec<String>,
    /// Whether models have an owner and a slash in their names. Elsewhere, what has a slash is a size or a region.
    #[serde(default)]
    owners: bool,
    hosts: Vec<String>,
}

/// A prices file that was made, and what is in it.
#[derive(Debug)]
pub struct Imported {
    /// The file, as YAML.
    pub text: String,
    /// How many models have a price.
    pub priced: usize,
    /// How many models of these providers have none: they are free or of unknown price, or are billed by something that Weir
    /// does not count.
    pub left_out: usize,
}

/// Rates by name, as decimal text.
type Rates = BTreeMap<&'static str, String>;

/// The rates of one entry: the base, and those of its cases.
#[derive(Default)]
struct Entry {
    /// By the number of input tokens above which they hold, and the tier.
    rates: BTreeMap<(u64, Option<&'static str>), Rates>,
    /// Cases of hours and days, as they are written.
    hours: Vec<(String, Rates)>,
}

/// The fields of rates by the million, by name here.
const TOKENS: [(&str, &str); 8] = [
    ("input", "input_cost_per_token"),
    ("output", "output_cost_per_token"),
    ("cached_read", "cache_read_input_token_cost"),
    ("cache_write", "cache_creation_input_token_cost"),
    ("cache_write_1h", "cache_creation_input_token_cost_above_1hr"),
    ("reasoning", "output_cost_per_reasoning_token"),
    ("audio_input", "input_cost_per_audio_token"),
    ("audio_output", "output_cost_per_audio_token"),
];

/// The endings of fields for a tier.
const TIERS: [(&str, Tier); 3] = [("_batches", Tier::Batch), ("_flex", Tier::Flex), ("_priority", Tier::Priority)];

/// What is asked for where Weir has no endpoint.
const OTHER_MODES: [&str; 5] = ["realtime", "video_generation", "ocr", "search", "vector_store"];

/// Reads the JSON; `source` says where it comes from, for people.
pub fn import(json: &str, source: &str) -> Result<Imported, String> {
    let sections: BTreeMap<String, Origin> =
        serde_json::from_str(include_str!("litellm.json")).map_err(|error| error.to_string())?;
    let tree = tree::parse(json).map_err(|broken| format!("line {}: {}", broken.line, broken.problem))?;
    let Content::Map(entries) = &tree.content else { return Err("this is no object of models".to_owned()) };
    let mut text = format!(
        "# Prices in US dollars: tokens by the million, the rest by the piece or the second. Made by `weir prices import`.\n\
         source: {}\nproviders:\n",
        quoted(source)
    );
    let (mut priced, mut left_out) = (0, 0);
    for (name, from) in &sections {
        let mut models: BTreeMap<&str, (usize, Option<String>)> = BTreeMap::new();
        for entry in entries {
            let Some(rank) = rank(from, &entry.value) else { continue };
            let model = from.strip.iter().find_map(|prefix| entry.key.strip_prefix(prefix)).unwrap_or(&entry.key);
            if model.contains('/') && !from.owners || is_other_mode(&entry.value) {
                continue;
            }
            let price = Entry::read(&entry.value).written();
            let better = models.get(model).is_none_or(|(other, known)| known.is_none() || rank < *other);
            if better && (price.is_some() || !models.contains_key(model)) {
                models.insert(model, (rank, price));
            }
        }
        left_out += models.values().filter(|(_, price)| price.is_none()).count();
        let models: Vec<(&str, String)> =
            models.into_iter().filter_map(|(model, (_, price))| Some((model, price?))).collect();
        if models.is_empty() {
            continue;
        }
        priced += models.len();
        let hosts: Vec<String> = from.hosts.iter().map(|host| quoted(host)).collect();
        let _ = writeln!(text, "  {name}:\n    hosts: [{}]\n    models:", hosts.join(", "));
        for (model, price) in models {
            let _ = writeln!(text, "      {}: {price}", quoted(model));
        }
    }
    if priced == 0 {
        return Err("no model in it has a price that Weir knows".to_owned());
    }
    Ok(Imported { text, priced, left_out })
}

/// The place of an entry's provider among those that a section is made from.
fn rank(from: &Origin, entry: &Tree) -> Option<usize> {
    let provider = text(entry, "litellm_provider")?;
    from.from.iter().position(|own| match own.strip_suffix('*') {
        Some(start) => provider.starts_with(start),
        None => own == provider,
    })
}

fn is_other_mode(entry: &Tree) -> bool {
    text(entry, "mode").is_some_and(|mode| OTHER_MODES.contains(&mode))
}

fn field<'t>(entry: &'t Tree, name: &str) -> Option<&'t Tree> {
    let Content::Map(fields) = &entry.content else { return None };
    fields.iter().find(|field| field.key == name).map(|field| &field.value)
}

fn text<'t>(entry: &'t Tree, name: &str) -> Option<&'t str> {
    match &field(entry, name)?.content {
        Content::Scalar { text, .. } => Some(text),
        Content::List(_) | Content::Map(_) => None,
    }
}

/// The strings of a list, or the only one.
fn texts(tree: &Tree) -> Vec<&str> {
    match &tree.content {
        Content::Scalar { text, .. } => vec![text],
        Content::List(items) => items.iter().flat_map(texts).collect(),
        Content::Map(_) => Vec::new(),
    }
}

impl Entry {
    fn read(entry: &Tree) -> Self {
        let mut rates: BTreeMap<(u64, Option<&'static str>), Rates> = BTreeMap::new();
        let Content::Map(fields) = &entry.content else { return Self::default() };
        for field in fields {
            let Content::Scalar { text, .. } = &field.value.content else { continue };
            let Some((name, above, tier)) = token_rate(&field.key) else { continue };
            let Some(rate) = shifted(text, 6) else { continue };
            // A write that costs nothing is one that the provider does not tell apart.
            if name.starts_with("cache_write") && rate == "0" {
                continue;
            }
            rates.entry((above, tier)).or_default().insert(name, rate);
        }
        rates.entry((0, None)).or_default();
        let mut read = Self { rates, hours: Vec::new() };
        read.complete();
        read.besides(entry);
        read.hours = hours(entry);
        read
    }

    /// What is billed otherwise than by text.
    fn besides(&mut self, entry: &Tree) {
        let of = |name: &str, places| text(entry, name).and_then(|text| shifted(text, places));
        let Some(base) = self.rates.get_mut(&(0, None)) else { return };
        if text(entry, "mode") == Some("image_generation") {
            // Who makes images counts their tokens as input and output; the dearer kind of token counts for all.
            for (name, image) in [("input", "input_cost_per_image_token"), ("output", "output_cost_per_image_token")] {
                let dearer = of(image, 6).filter(|rate| base.get(name).is_none_or(|text| compare(rate, text).is_gt()));
                base.extend(dearer.map(|rate| (name, rate)));
            }
            let by_tokens = base.get("output").is_some_and(|rate| rate != "0");
            let image = of("output_cost_per_image", 0).or_else(|| of("input_cost_per_image", 0));
            base.extend(image.filter(|_| !by_tokens).map(|rate| ("image", rate)));
        }
        let request = of("input_cost_per_query", 0).or_else(|| of("input_cost_per_request", 0));
        base.extend(request.map(|rate| ("request", rate)));
        if text(entry, "mode") == Some("audio_transcription") && !base.contains_key("input") {
            let second = of("input_cost_per_second", 0).or_else(|| of("output_cost_per_second", 0));
            base.extend(second.map(|rate| ("audio_second", rate)));
        }
    }

    /// For a tier and a long context together, the dearer of the two holds where nothing is said about both.
    fn complete(&mut self) {
        let keys: Vec<_> = self.rates.keys().copied().collect();
        let lengths: Vec<u64> = keys.iter().filter(|key| key.1.is_none() && key.0 > 0).map(|key| key.0).collect();
        let tiers: Vec<_> = keys.iter().filter(|key| key.0 == 0 && key.1.is_some()).map(|key| key.1).collect();
        for (above, tier) in lengths.iter().flat_map(|above| tiers.iter().map(move |tier| (*above, *tier))) {
            let (Some(long), Some(fast)) = (self.rates.get(&(above, None)), self.rates.get(&(0, tier))) else {
                continue;
            };
            let both = fast.iter().filter_map(|(name, fast)| {
                let long = long.get(name)?;
                Some((*name, if compare(long, fast).is_gt() { long.clone() } else { fast.clone() }))
            });
            let both: Rates = both.collect();
            let own = self.rates.entry((above, tier)).or_default();
            for (name, rate) in both {
                own.entry(name).or_insert(rate);
            }
        }
    }

    /// As YAML; `None` if nothing has a price above 0.
    fn written(&self) -> Option<String> {
        let base = self.rates.get(&(0, None))?;
        let mut parts = listed(base);
        // Whoever bills by the second or the image has no rate for tokens, or one of 0.
        if base.values().all(|rate| rate == "0") {
            return None;
        }
        let mut cases = Vec::new();
        // First lengths, then tiers, then both: of two that apply, the later one holds.
        let mut keys: Vec<_> = self.rates.keys().filter(|key| **key != (0, None)).collect();
        keys.sort_by_key(|(above, tier)| (tier.is_some(), *above > 0, *above, *tier));
        for key in keys {
            let rates = self.rates.get(key)?;
            let mut case = Vec::new();
            if key.0 > 0 {
                case.push(format!("above: {}", key.0));
            }
            case.extend(key.1.map(|tier| format!("tier: {tier}")));
            case.extend(listed(rates));
            cases.push(format!("{{{}}}", case.join(", ")));
        }
        for (when, rates) in &self.hours {
            cases.push(format!("{{{when}{}}}", listed(rates).join(", ")));
        }
        if !cases.is_empty() {
            parts.push(format!("when: [{}]", cases.join(", ")));
        }
        Some(format!("{{{}}}", parts.join(", ")))
    }
}

/// `name: rate`, in the order of the documentation.
fn listed(rates: &Rates) -> Vec<String> {
    let names = weir_core::price::Rates::default().named();
    names.into_iter().filter_map(|(name, _)| Some(format!("{name}: {}", rates.get(name)?))).collect()
}

/// The rate, the number of input tokens and the tier that a field is about.
fn token_rate(field: &str) -> Option<(&'static str, u64, Option<&'static str>)> {
    let suffix = TIERS.into_iter().find_map(|(suffix, tier)| Some((field.strip_suffix(suffix)?, tier)));
    let (field, tier) = suffix.map_or((field, None), |(field, tier)| (field, Some(tier.name())));
    let (field, above) = match field.strip_suffix("k_tokens").and_then(|field| field.rsplit_once("_above_")) {
        Some((field, thousands)) => (field, thousands.parse::<u64>().ok()?.checked_mul(1000)?),
        None => (field, 0),
    };
    let (name, _) = TOKENS.into_iter().find(|(_, known)| *known == field)?;
    Some((name, above, tier))
}

/// The rates of some hours and days.
fn hours(entry: &Tree) -> Vec<(String, Rates)> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let Some(pricing) = field(entry, "off_peak_pricing") else { return Vec::new() };
    let rates = TOKENS.into_iter().filter_map(|(name, field)| Some((name, shifted(text(pricing, field)?, 6)?)));
    let rates: Rates = rates.collect();
    let Some(Content::List(windows)) = field(pricing, "windows").map(|windows| &windows.content) else {
        return Vec::new();
    };
    let mut cases = Vec::new();
    for window in windows {
        let days = field(window, "weekdays").map(texts).unwrap_or_default();
        let days: Vec<&str> =
            days.into_iter().filter_map(|day| DAYS.get(day.parse::<usize>().ok()?.checked_sub(1)?).copied()).collect();
        let days = if days.is_empty() { String::new() } else { format!("days: [{}], ", days.join(", ")) };
        for hours in field(window, "hours_utc").map(texts).unwrap_or_default() {
            let hours = if hours == "00:00-00:00" { String::new() } else { format!("hours: {}, ", quoted(hours)) };
            cases.push((format!("{hours}{days}"), rates.clone()));
        }
    }
    cases
}

/// As YAML's double-quoted text, which JSON's is, too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported(entry: &str) -> String {
        let json = format!("{{\n    \"m\": {entry}\n}}");
        let text = import(&json, "a test").unwrap().text;
        text.lines().last().unwrap().trim().to_owned()
    }

    #[test]
    fn an_entry_becomes_a_price_by_the_million() {
        let made = imported(
            r#"{"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
                "cache_read_input_token_cost": 3e-07, "cache_creation_input_token_cost": 3.75e-06,
                "cache_creation_input_token_cost_above_1hr": 6e-06, "input_cost_per_token_above_200k_tokens": 6e-06,
                "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-05, "input_cost_per_token_batches": 1.5e-06,
                "search_context_cost_per_query": {"search_context_size_low": 0.01}}"#,
        );
        assert_eq!(
            made,
            "\"m\": {input: 3, output: 15, cached_read: 0.3, cache_write: 3.75, cache_write_1h: 6, \
             when: [{above: 200000, input: 6, cache_write_1h: 12}, {tier: batch, input: 1.5}, \
             {above: 200000, tier: batch, input: 6}]}"
        );
    }

    #[test]
    fn hours_and_days_become_cases() {
        let made = imported(
            r#"{"litellm_provider": "deepseek", "input_cost_per_token": 3e-07, "off_peak_pricing": {"input_cost_per_token": 1.5e-07,
                "windows": [{"hours_utc": ["00:00-01:00", "10:00-00:00"], "weekdays": [1, 5]}, {"hours_utc": "00:00-00:00", "weekdays": [6, 7]}]}}"#,
        );
        assert_eq!(
            made,
            "\"m\": {input: 0.3, when: [{hours: \"00:00-01:00\", days: [mon, fri], input: 0.15}, \
             {hours: \"10:00-00:00\", days: [mon, fri], input: 0.15}, {days: [sat, sun], input: 0.15}]}"
        );
    }

    #[test]
    fn what_is_no_text_has_its_own_unit() {
        let image = r#"{"litellm_provider": "openai", "mode": "image_generation", "output_cost_per_image": 0.04}"#;
        assert_eq!(imported(image), "\"m\": {image: 0.04}");
        let tokens = r#"{"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_token": 5e-06,
                         "output_cost_per_image_token": 4e-05, "input_cost_per_image": 0.02}"#;
        assert_eq!(imported(tokens), "\"m\": {input: 5, output: 40}");
        let speech =
            r#"{"litellm_provider": "openai", "mode": "audio_transcription", "input_cost_per_second": 0.0001}"#;
        assert_eq!(imported(speech), "\"m\": {audio_second: 0.0001}");
        let query = r#"{"litellm_provider": "cohere", "mode": "rerank", "input_cost_per_query": 0.002, "input_cost_per_token": 0.0}"#;
        assert_eq!(imported(query), "\"m\": {input: 0, request: 0.002}");
    }

    #[test]
    fn what_has_no_known_price_is_left_out_and_counted() {
        let json = r#"{
            "free": {"litellm_provider": "openai", "input_cost_per_token": 0.0, "output_cost_per_token": 0},
            "tts": {"litellm_provider": "openai", "input_cost_per_character": 1.5e-05},
            "hd/1024-x-1024/m": {"litellm_provider": "openai", "input_cost_per_image": 0.08},
            "elsewhere": {"litellm_provider": "nobody", "input_cost_per_token": 1e-06},
            "gpt": {"litellm_provider": "openai", "input_cost_per_token": 1e-06}
        }"#;
        let made = import(json, "a test").unwrap();
        assert_eq!((made.priced, made.left_out), (1, 2), "{}", made.text);
        assert!(made.text.ends_with("\"gpt\": {input: 1}\n"), "{}", made.text);
        assert!(import("[]", "a test").is_err());
        assert!(import("{}", "a test").is_err());
    }
}
