//! Hosts that Weir knows: what each speaks, where it is, and how it deviates. Data, in `presets.json`.

use alloc::collections::BTreeMap;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::routing::Quirks;

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
    /// The host's own page about its API. Not every deviation has been confirmed there.
    pub docs: String,
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
    use crate::config::{Credential, Url};
    use crate::provider;

    #[test]
    fn every_preset_is_one_that_a_configuration_could_hold() {
        let presets = serde_json::from_str::<BTreeMap<String, Preset>>(include_str!("presets.json")).unwrap();
        assert!(!presets.is_empty());
        for (name, preset) in presets {
            assert!(provider::by_name(&preset.dialect).is_some(), "{name}");
            assert!(Url::parse(&preset.endpoint).is_ok(), "{name}");
            assert!(preset.credential.is_none_or(|credential| Credential::parse(&credential).is_ok()), "{name}");
            assert!(preset.docs.starts_with("https://"), "{name}");
        }
    }
}
