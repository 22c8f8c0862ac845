//! Hosts that Weir knows: what each speaks, where it is, and how it deviates. Data, in `presets.json`.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::upstream::Quirks;

/// One host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What it speaks.
    pub dialect: String,
    /// Where it is.
    pub endpoint: String,
    /// Where its credential is, unless the configuration says otherwise: `env:NAME`.
    #[serde(default)]
    pub credential: Option<String>,
    /// How it deviates from its dialect.
    #[serde(default)]
    pub quirks: Quirks,
    /// The host's own page about its API, for people.
    pub docs: String,
    /// Where the host itself says how it deviates: its reference, or the types that it generates from it.
    pub sources: Vec<String>,
    /// Deviations that were found nowhere, by their path in `quirks`: `unsupported.logprobs`.
    #[serde(default)]
    pub unconfirmed: Vec<String>,
}

impl Preset {
    /// Every preset, by name.
    pub fn all() -> BTreeMap<String, Self> {
        // A test reads it, so it can be read.
        serde_json::from_str(include_str!("presets.json")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider;
    use crate::upstream::{Credential, Url};

    #[test]
    fn every_preset_is_one_that_a_configuration_could_hold() {
        let presets = serde_json::from_str::<BTreeMap<String, Preset>>(include_str!("presets.json")).unwrap();
        assert!(!presets.is_empty());
        for (name, preset) in presets {
            assert!(provider::by_name(&preset.dialect).is_some(), "{name}");
            assert!(Url::parse(&preset.endpoint).is_ok(), "{name}");
            assert!(preset.credential.is_none_or(|credential| Credential::parse(&credential).is_ok()), "{name}");
            assert!(preset.docs.starts_with("https://"), "{name}");
            assert!(!preset.sources.is_empty(), "{name}");
            assert!(preset.sources.iter().all(|source| source.starts_with("https://")), "{name}");
        }
    }

    #[test]
    fn what_is_unconfirmed_is_something_that_is_said() {
        for (name, preset) in Preset::all() {
            let quirks = serde_json::to_value(&preset.quirks).unwrap();
            for path in &preset.unconfirmed {
                let (quirk, item) = path.split_once('.').unwrap_or((path, ""));
                let said = match &quirks[quirk] {
                    serde_json::Value::Array(items) => items.iter().any(|said| said == item),
                    serde_json::Value::Object(members) => members.contains_key(item),
                    said => item.is_empty() && !said.is_null(),
                };
                assert!(said, "{name}: {path}");
            }
        }
    }

    #[test]
    fn a_quirk_says_nothing_twice() {
        for (name, preset) in Preset::all() {
            let Quirks { unsupported, renamed, values, takes, .. } = &preset.quirks;
            let mut fields: Vec<&String> = unsupported.iter().chain(renamed.keys()).chain(values.keys()).collect();
            fields.extend(takes);
            let count = fields.len();
            fields.sort();
            fields.dedup();
            assert_eq!(fields.len(), count, "{name}");
        }
    }
}
