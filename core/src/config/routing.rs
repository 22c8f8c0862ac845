//! The part of the configuration that the filter works with; it travels to the filter as JSON and holds no credential.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::attempt::MAX_WHOLE;
use crate::endpoint::{Delivery, Endpoint};
use crate::key::KeyHash;
use crate::time::Instant;

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
    /// The most that bodies may hold in one worker at a time, in bytes; see [`Load`](crate::load::Load).
    #[serde(default)]
    pub held: u64,
    /// How many requests may be under way in one worker; 0 for any number.
    #[serde(default)]
    pub in_flight: u32,
    /// How many requests of one key may be under way in one worker; 0 for any number.
    #[serde(default)]
    pub in_flight_per_key: u32,
    /// The most messages, parts, tools and texts of one request, together; `None` for any number.
    #[serde(default)]
    pub parts: Option<u64>,
    /// The models that callers can name.
    pub models: BTreeMap<String, Model>,
    /// The upstreams that targets name.
    #[serde(default)]
    pub upstreams: BTreeMap<String, Upstream>,
    /// Who may call, by the hash of their key.
    pub keys: BTreeMap<KeyHash, Key>,
    /// Nobody decides by the path before Weir does, so that a path may be written in more than one way.
    #[serde(default, skip_serializing_if = "is_false")]
    pub forgives_paths: bool,
    /// Spans are written; see [`span`](crate::span).
    #[serde(default)]
    pub traced: bool,
    /// It is about to end: `/readyz` says so, and requests are served as before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub draining: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Routing {
    /// Whom a key belongs to, with the hash that it is listed under.
    pub fn key(&self, sent: &str) -> Option<(KeyHash, &Key)> {
        let hash = KeyHash::of(sent.as_bytes());
        self.keys.get_key_value(&hash).filter(|(known, _)| known.is(&hash)).map(|(_, key)| (hash, key))
    }
}

/// Largest request bodies in bytes, where they differ from [`Endpoint::default_body_limit`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BodyLimits(pub BTreeMap<Endpoint, u64>);

impl BodyLimits {
    /// The limit of one endpoint, in bytes.
    pub fn of(&self, endpoint: Endpoint) -> u64 {
        self.0.get(&endpoint).copied().unwrap_or_else(|| endpoint.default_body_limit())
    }

    /// What Envoy must be able to hold of a body, in bytes, whichever way that goes: room for what grows when it is written
    /// for another provider, or for the caller.
    pub fn buffer(&self) -> u64 {
        let largest = Endpoint::ALL.into_iter().map(|endpoint| self.of(endpoint)).max().unwrap_or_default();
        largest.max(MAX_WHOLE as u64) + (1 << 20)
    }
}

/// Who a key belongs to, and what it may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Stands in the access log.
    pub name: String,
    /// The models it may use; `None` for all.
    pub models: Option<Vec<String>>,
    /// When it becomes worthless, in seconds since the epoch; `None` for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

impl Key {
    /// Whether it is worthless at `now`.
    pub fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| now.as_millis() / 1000 >= expires)
    }

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
    /// The model's name there.
    pub model: String,
}

/// One upstream: what the edge role must know to rank it, and the attempt role's configuration in that upstream's chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// The provider's name in the configuration.
    pub provider: String,
    /// What it speaks.
    pub dialect: String,
    /// The path prefix of its endpoint, without a trailing slash.
    pub prefix: String,
    /// What Envoy holds of a body, in bytes: see [`BodyLimits::buffer`]. A longer one it would refuse in its own words, so none
    /// is written. 0 where it is not known.
    #[serde(default, skip_serializing_if = "is_default")]
    pub buffer: u64,
    /// Tells its configuration from an earlier one under the same name.
    #[serde(default)]
    pub version: u32,
    /// How long a connection to it may take to be made, in milliseconds.
    #[serde(default)]
    pub connect_timeout: u64,
    /// The longest that it can ask to be left alone, in milliseconds; 0 for what is usual.
    #[serde(default, skip_serializing_if = "is_default")]
    pub longest_rest: u64,
    /// Spans are written; see [`span`](crate::span).
    #[serde(default, skip_serializing_if = "is_default")]
    pub traced: bool,
    /// What this upstream cannot express is left out and named in a response header, instead of being refused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drop_unsupported: bool,
    /// The version of its API in the query, where the dialect has one (`azure`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub api_version: Option<String>,
    /// How it deviates from its dialect.
    #[serde(default, skip_serializing_if = "is_default")]
    pub quirks: Quirks,
    /// Headers that every request to it carries besides its credential, names in lower case.
    #[serde(default, skip_serializing_if = "is_default")]
    pub headers: Vec<(String, String)>,
}

impl Upstream {
    /// The longest body that can be written, in bytes.
    pub fn longest(&self) -> usize {
        let buffer = usize::try_from(self.buffer).unwrap_or(usize::MAX);
        if buffer == 0 { usize::MAX } else { buffer }
    }

    /// Whether this one refuses a call for the same model if and only if `other` does.
    pub fn is_judged_as(&self, other: &Self) -> bool {
        let Self { provider: _, dialect, prefix: _, traced: _, headers: _, buffer, .. } = self;
        let Self { drop_unsupported, api_version, quirks, .. } = self;
        *dialect == other.dialect
            && *buffer == other.buffer
            && *drop_unsupported == other.drop_unsupported
            && *api_version == other.api_version
            && *quirks == other.quirks
    }

    /// The longest that it can ask to be left alone.
    pub fn longest_rest(&self) -> Duration {
        match self.longest_rest {
            0 => LONGEST_REST,
            millis => Duration::from_millis(millis),
        }
    }
}

/// The longest that a provider can ask to be left alone, where the configuration does not say.
pub(super) const LONGEST_REST: Duration = Duration::from_secs(60);

/// How one host deviates from the dialect that it speaks: data, from the list of presets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Quirks {
    /// The endpoints that it serves; all of its dialect's, if none is named.
    #[serde(default, skip_serializing_if = "is_default")]
    pub endpoints: Vec<Endpoint>,
    /// Paths below the prefix that differ from the dialect's own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub paths: BTreeMap<Endpoint, String>,
    /// Top-level fields of a chat request that it refuses, or takes without doing what they say.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unsupported: Vec<String>,
    /// Top-level fields of a chat request that have another name there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub renamed: BTreeMap<String, String>,
    /// Values of top-level fields of a chat request, where it knows only some: strings, or the `type` of what is an object.
    #[serde(default, skip_serializing_if = "is_default")]
    pub values: BTreeMap<String, Vec<String>>,
    /// Roles of messages that have another name there: `developer` and the like.
    #[serde(default, skip_serializing_if = "is_default")]
    pub roles: BTreeMap<String, String>,
    /// When a stream tells its usage.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stream_usage: StreamUsage,
    /// Top-level fields of a chat request that it takes beyond its dialect's own: `top_k` and the like.
    #[serde(default, skip_serializing_if = "is_default")]
    pub takes: Vec<String>,
    /// Where it takes back what its model thought; nowhere, if none is named.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reasoning: Option<ReasoningField>,
    /// It takes marks for a prompt cache (`cache_control`) as Anthropic does.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cache_marks: bool,
    /// Its chat templates take a system message first and nowhere else: a later one is said to it with the words of a person.
    #[serde(default, skip_serializing_if = "is_default")]
    pub system_first: bool,
}

/// The field of an assistant's message in which reasoning is sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReasoningField {
    /// Its words.
    ReasoningContent,
    /// Its words, under another name.
    Reasoning,
    /// Items with words or proofs, as `OpenRouter` has them.
    ReasoningDetails,
}

/// When a stream of an OpenAI-compatible host tells its usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StreamUsage {
    /// When `stream_options.include_usage` asks for it.
    #[default]
    Asked,
    /// Without being asked; it does not know `stream_options`.
    Unasked,
}

impl Quirks {
    /// Whether there are none that change a request in its own dialect.
    pub fn is_plain(&self) -> bool {
        // The others say only what it takes besides, which a caller of its own dialect may send as it is.
        let Self { paths, unsupported, renamed, values, roles, stream_usage, .. } = self;
        let asked = *stream_usage == StreamUsage::Asked;
        let fields = unsupported.is_empty() && renamed.is_empty() && values.is_empty() && roles.is_empty();
        asked && paths.is_empty() && fields
    }

    /// Whether the host serves `endpoint`, as far as its preset says.
    pub fn serves(&self, endpoint: Endpoint) -> bool {
        self.endpoints.is_empty() || self.endpoints.contains(&endpoint)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
