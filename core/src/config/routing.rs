//! The part of the configuration that the filter works with; it travels to the filter as JSON and holds no credential.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::endpoint::{Delivery, Endpoint};
use crate::key::KeyHash;

/// What one instance of the filter is configured with, as JSON in its plugin configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// In the listener's chain: who, which model, which order of targets.
    Edge(Routing),
    /// In a provider cluster's upstream chain: once per try.
    Attempt(Upstream),
    /// Once per process: keeps the shared data alive.
    Steward,
}

/// Who may call which model, and what answers: the edge role's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routing {
    /// Largest bodies.
    pub body: BodyLimits,
    /// The models that callers can name.
    pub models: BTreeMap<String, Model>,
    /// Who may call, by the hash of their key.
    pub keys: BTreeMap<KeyHash, Key>,
    /// Spans are written; see [`span`](crate::span).
    #[serde(default)]
    pub traced: bool,
}

impl Routing {
    /// Whom a key belongs to, with the hash that it is listed under.
    pub fn key(&self, sent: &str) -> Option<(KeyHash, &Key)> {
        let hash = KeyHash::of(sent.as_bytes());
        self.keys.get_key_value(&hash).filter(|(known, _)| known.is(&hash)).map(|(_, key)| (hash, key))
    }
}

/// Largest request bodies in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyLimits {
    /// For [`Endpoint::Chat`].
    pub chat: u64,
    /// For [`Endpoint::Embeddings`].
    pub embeddings: u64,
}

impl BodyLimits {
    /// The limit of one endpoint, in bytes.
    pub const fn of(&self, endpoint: Endpoint) -> u64 {
        match endpoint {
            Endpoint::Chat => self.chat,
            Endpoint::Embeddings => self.embeddings,
        }
    }

    /// The largest of all, in bytes: what Envoy must be able to buffer.
    pub fn largest(&self) -> u64 {
        Endpoint::ALL.into_iter().map(|endpoint| self.of(endpoint)).max().unwrap_or_default()
    }
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { chat: 16 << 20, embeddings: 4 << 20 }
    }
}

/// Who a key belongs to, and what it may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Stands in the access log.
    pub name: String,
    /// The models it may use; `None` for all.
    pub models: Option<Vec<String>>,
}

impl Key {
    /// Whether this key may use `model`.
    pub fn may_use(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|allowed| allowed == model))
    }
}

/// A model that callers can name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// What may answer, best first; never empty.
    pub targets: Vec<Target>,
    /// The delivery class of a whole answer; see [`plan::class`](crate::plan::class).
    pub whole: String,
    /// The delivery class of a streamed answer.
    pub streamed: String,
    /// `owned_by` in the model list.
    pub owned_by: String,
}

impl Model {
    /// The delivery class of an answer, which names the route that carries its limits.
    pub fn class(&self, delivery: Delivery) -> &str {
        match delivery {
            Delivery::Whole => &self.whole,
            Delivery::Streamed => &self.streamed,
        }
    }
}

/// One upstream's model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The provider's name in the configuration, which is also its cluster's.
    pub provider: String,
    /// What the provider speaks.
    pub dialect: String,
    /// The model's name there.
    pub model: String,
}

/// One upstream: the attempt role's configuration in that upstream's chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// The provider's name in the configuration.
    pub provider: String,
    /// What it speaks.
    pub dialect: String,
    /// The path prefix of its endpoint, without a trailing slash.
    pub prefix: String,
    /// Spans are written; see [`span`](crate::span).
    #[serde(default)]
    pub traced: bool,
}
