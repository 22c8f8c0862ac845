//! Prices: the file that Weir brings along, and one of the operator's own.

mod decimal;
mod import;
mod shown;

use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;
use weir_core::config::prices;
use weir_core::config::source::Prices;
use weir_core::price::List;

use super::sheet::Sheet;
use super::text;
use crate::Diagnostic;

pub use import::{Imported, import};
pub use shown::{page, table};

/// `config/prices.yaml`.
const SHIPPED: &str = include_str!("../../../config/prices.yaml");

/// The prices that Weir brings along.
pub fn shipped() -> &'static List {
    static LIST: OnceLock<List> = OnceLock::new();
    // A test reads the file, so it can be read.
    LIST.get_or_init(|| parse(Path::new("config/prices.yaml"), SHIPPED, "brought along by Weir").unwrap_or_default())
}

/// Reads a prices file.
pub fn read(file: &Path) -> Result<List, Vec<Diagnostic>> {
    let text = text::read(file, "`weir prices import` writes one").map_err(|found| vec![found])?;
    parse(file, &text, &file.display().to_string())
}

fn parse(file: &Path, text: &str, origin: &str) -> Result<List, Vec<Diagnostic>> {
    let schema = schemars::schema_for!(Prices).to_value();
    let defs = schema.get("$defs").unwrap_or(&Value::Null);
    let (mut sheet, written) = Sheet::read::<Prices>(file, text, &schema, defs)?;
    let list = prices(&written, origin);
    for error in list.as_ref().err().into_iter().flatten() {
        sheet.found(error.clone());
    }
    let found = sheet.diagnostics();
    list.ok().filter(|_| found.is_empty()).ok_or(found)
}

#[cfg(test)]
mod tests {
    use weir_core::provider;

    use super::*;
    use crate::Preset;

    #[test]
    fn what_weir_brings_along_is_read_and_small() {
        let list = parse(Path::new("config/prices.yaml"), SHIPPED, "shipped").unwrap();
        assert!(SHIPPED.len() < 400_000, "{} bytes", SHIPPED.len());
        let presets = Preset::all();
        for (name, section) in &list.sections {
            assert!(provider::by_name(name).is_some() || presets.contains_key(name), "{name}");
            assert!(!section.hosts.is_empty() && !section.models.is_empty(), "{name}");
        }
        let models: usize = list.sections.values().map(|section| section.models.len()).sum();
        assert!(models > 500, "{models}");
    }

    #[test]
    fn the_hosts_of_the_prices_are_those_of_the_providers() {
        let list = shipped();
        let presets = Preset::all().into_iter().map(|(name, preset)| (name, preset.endpoint));
        let own = provider::ALL.into_iter().map(|speaks| (speaks.name().to_owned(), speaks.endpoint().to_owned()));
        for (name, endpoint) in own.chain(presets).filter(|(name, _)| list.sections.contains_key(name)) {
            let Ok(url) = weir_core::upstream::Url::parse(&endpoint) else { continue };
            assert_eq!(list.at(&url.host), Some(name.as_str()), "{endpoint}");
        }
    }

    #[test]
    fn an_error_in_a_prices_file_has_its_line() {
        let found = |text: &str| {
            let found = parse(Path::new("prices.yaml"), text, "a test").unwrap_err();
            found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let at = |rest: &str| format!("providers:\n  openai:\n    models:\n      gpt: {rest}\n");
        assert_eq!(
            found(&at("{input: -1}")),
            "prices.yaml:4: providers.openai.models.gpt.input: expected a number, such as 0.15, found the number -1 (from 0 up)"
        );
        let unknown = found(&at("{inputs: 1}"));
        assert!(unknown.starts_with("prices.yaml:4: providers.openai.models.gpt.inputs: "), "{unknown}");
        assert!(unknown.contains("did you mean \"input\"?"), "{unknown}");
        assert!(found(&at("{output: cheap}")).contains("expected a number, such as 0.15"));
        assert!(found(&at("{}")).contains("the price has no rate"));
    }
}
