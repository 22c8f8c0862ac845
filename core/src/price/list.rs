//! The prices of many models, by provider.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::Price;

/// The prices that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// The providers, by their name: a dialect's or a preset's, or one of the operator's own.
    pub sections: BTreeMap<String, Section>,
}

/// The prices of one provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// The hosts of its API: a name, or an ending such as `*.openai.azure.com`. No prices hold for another host unless
    /// the configuration says so.
    pub hosts: Vec<String>,
    /// The models, by the provider's name for them.
    pub models: BTreeMap<String, Listed>,
}

/// A price, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The price.
    pub price: Price,
    /// Where it comes from, for people.
    pub source: String,
}

impl Section {
    /// Whether `host` is the provider's own.
    pub fn is_at(&self, host: &str) -> bool {
        self.hosts.iter().any(|own| match own.strip_prefix('*') {
            Some(ending) => host.ends_with(ending),
            None => own == host,
        })
    }
}

impl List {
    /// Takes what `newer` has; of a model that both have, the newer price counts.
    pub fn overlay(&mut self, newer: Self) {
        for (name, section) in newer.sections {
            let own = self.sections.entry(name).or_default();
            if !section.hosts.is_empty() {
                own.hosts = section.hosts;
            }
            own.models.extend(section.models);
        }
    }

    /// The price of a model in the section `name`.
    pub fn price(&self, name: &str, model: &str) -> Option<&Listed> {
        self.sections.get(name)?.models.get(model)
    }

    /// The name of the section whose provider is at `host`.
    pub fn at(&self, host: &str) -> Option<&str> {
        self.sections.iter().find(|(_, section)| section.is_at(host)).map(|(name, _)| name.as_str())
    }
}
