//! The filter's part of the configuration. It is passed to the filter as JSON and has no credential.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use weir_hub::endpoint::{Delivery, Endpoint};

use super::access::{Identities, Key, Team};
use crate::attempt::MAX_WHOLE;
use crate::key::KeyHash;
use crate::plan::{Limits, limits_of};
use crate::price::{Price, Tariff};
use crate::quota::Quotas;
use crate::record::Prices;
use crate::steward::Settings;
use crate::upstream::Upstream;

/// The configuration of one instance of the filter, as JSON in its plugin configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// In the listener's chain: finds the caller, the model and the order of targets.
    Edge(Routing),
    /// In the upstream chain of a provider's cluster: runs once for each try.
    Attempt(Upstream),
    /// Once for each process, apart from all requests.
    Steward(Settings),
}

impl Role {
    /// Reads what Envoy has for one instance of the filter. What was written up to 2026-11 is read too: an operator may replace the
    /// filter's code before the configuration, and a gateway that cannot read that serves nobody.
    pub fn read(configuration: &[u8]) -> Result<Self, serde_json::Error> {
        if configuration.trim_ascii() == b"\"steward\"" {
            return Ok(Self::Steward(Settings::default()));
        }
        serde_json::from_slice(configuration)
    }
}

/// Who may call which model, and which targets answer: the edge role's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routing {
    /// The size limits of bodies.
    pub body: BodyLimits,
    /// How many bytes all bodies in one worker may hold at a time; see [`Load`](crate::load::Load).
    #[serde(default)]
    pub held: u64,
    /// How many requests may be under way in one worker; 0 for no limit.
    #[serde(default)]
    pub in_flight: u32,
    /// How many requests of one key may be under way in one worker; 0 for no limit.
    #[serde(default)]
    pub in_flight_per_key: u32,
    /// How many messages, parts, tools and texts one request may have together; `None` for no limit.
    #[serde(default)]
    pub parts: Option<u64>,
    /// The models that callers can name.
    pub models: BTreeMap<String, Model>,
    /// The upstreams that targets name.
    #[serde(default)]
    pub upstreams: BTreeMap<String, Upstream>,
    /// Who may call, by the hash of their key.
    pub keys: BTreeMap<KeyHash, Key>,
    /// What callers may use.
    #[serde(default, skip_serializing_if = "Quotas::is_empty")]
    pub quotas: Quotas,
    /// What targets cost, as far as it is known, by provider and model.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prices: Tariff,
    /// How many output tokens a request reserves, unless the model says so.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reserve_output: u64,
    /// Makes each request for this model fail once it has reserved, for tests which show that nothing stays reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails_on: Option<String>,
    /// The teams, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub teams: BTreeMap<String, Team>,
    /// By what callers are known, besides their keys.
    #[serde(default, skip_serializing_if = "Identities::is_empty")]
    pub identities: Identities,
    /// The request header in which callers name their application; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub application_header: String,
    /// Whether a path may be written in more than one way, because nothing before Weir decides by the path.
    #[serde(default, skip_serializing_if = "is_false")]
    pub forgives_paths: bool,
    /// Where it is known what callers have used.
    #[serde(default, skip_serializing_if = "LedgerPlace::is_none")]
    pub ledger: LedgerPlace,
    /// Whether spans are written; see [`span`](crate::record::span).
    #[serde(default)]
    pub traced: bool,
    /// Whether it is about to end: `/readyz` says so, and requests are served as before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub draining: bool,
}

/// Where it is known what callers have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerPlace {
    /// Nobody who can be asked.
    #[default]
    None,
    /// Control.
    AtControl,
}

impl LedgerPlace {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// How many output tokens a request reserves, if the configuration does not say.
pub(super) const RESERVE_OUTPUT: u64 = 8192;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Routing {
    /// What a record needs to tell what tries cost.
    pub fn record_prices(&self) -> Prices<'_> {
        Prices { tariff: &self.prices, upstreams: &self.upstreams }
    }

    /// What a target costs, if that is known.
    pub fn price(&self, provider: &str, model: &str) -> Option<&Price> {
        self.prices.get(provider)?.get(model)
    }

    /// The owner of a key, with the hash under which it is listed.
    pub fn key(&self, sent: &str) -> Option<(KeyHash, &Key)> {
        let hash = KeyHash::of(sent.as_bytes());
        self.keys.get_key_value(&hash).filter(|(known, _)| known.is(&hash)).map(|(_, key)| (hash, key))
    }
}

/// Size limits of request bodies in bytes, if they differ from [`Endpoint::default_body_limit`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BodyLimits(pub BTreeMap<Endpoint, u64>);

impl BodyLimits {
    /// The limit of one endpoint, in bytes.
    pub fn of(&self, endpoint: Endpoint) -> u64 {
        self.0.get(&endpoint).copied().unwrap_or_else(|| endpoint.default_body_limit())
    }

    /// How many bytes of a body Envoy must be able to hold, in either direction. This includes room for growth when the
    /// body is written for another provider or for the caller.
    pub fn buffer(&self) -> u64 {
        let largest = Endpoint::ALL.into_iter().map(|endpoint| self.of(endpoint)).max().unwrap_or_default();
        largest.max(MAX_WHOLE as u64) + (1 << 20)
    }
}

/// A model that callers can name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its targets, best first; never empty.
    pub targets: Vec<Target>,
    /// The class of a whole answer.
    pub whole: Class,
    /// The class of a streamed answer.
    pub streamed: Class,
    /// How many output tokens a request reserves, if that differs from the general number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_output: Option<u64>,
    /// The most output tokens that its targets answer with, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
    /// `owned_by` in the model list.
    pub owned_by: String,
}

/// A delivery class: one of Envoy's routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Class {
    /// Its name; see [`plan::class`](crate::plan::class).
    pub name: String,
    /// The limits of its route.
    pub limits: Limits,
}

/// A delivery class as it is written. Up to 2026-11 it was its name alone, which says its limits.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Name(String),
    Class { name: String, limits: Limits },
}

impl From<Written> for Class {
    fn from(written: Written) -> Self {
        match written {
            Written::Name(name) => Self { limits: limits_of(&name).unwrap_or_default(), name },
            Written::Class { name, limits } => Self { name, limits },
        }
    }
}

impl Model {
    /// The delivery class of an answer.
    pub fn class(&self, delivery: Delivery) -> &Class {
        match delivery {
            Delivery::Whole => &self.whole,
            Delivery::Streamed => &self.streamed,
        }
    }
}

/// One model at one provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The provider's name in the configuration, which is also its cluster's.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    /// A filter whose code is newer than its configuration refused it, and then every request.
    #[test]
    fn a_configuration_from_before_is_read() {
        assert!(matches!(Role::read(b"\"steward\"\n"), Ok(Role::Steward(_))));
        let model = r#"{"targets":[],"whole":"whole-300000-t600000","streamed":"stream-5000-9000","owned_by":"weir"}"#;
        let model: Model = serde_json::from_str(model).unwrap();
        assert_eq!(model.whole.limits.total, Some(Duration::from_secs(600)));
        assert_eq!(
            (model.streamed.name.as_str(), model.streamed.limits.gap),
            ("stream-5000-9000", Duration::from_secs(9))
        );
        let written = serde_json::to_string(&model).unwrap();
        assert_eq!(serde_json::from_str::<Model>(&written).unwrap(), model);
    }
}
