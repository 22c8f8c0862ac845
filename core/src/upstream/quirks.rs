//! How hosts deviate from the dialects that they speak.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use weir_hub::endpoint::Endpoint;

use super::is_default;

/// How one host deviates from the dialect that it speaks: data, from the list of presets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Quirks {
    /// The endpoints that it serves. Default: all of its dialect's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub endpoints: Vec<Endpoint>,
    /// Paths below the prefix that differ from the dialect's own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub paths: BTreeMap<Endpoint, String>,
    /// Top-level fields of a chat request that it refuses, or accepts and ignores.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unsupported: Vec<String>,
    /// Top-level fields of a chat request that have another name there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub renamed: BTreeMap<String, String>,
    /// Fields of a chat request of which it knows only some values, with those values: strings, or the `type` of an object.
    #[serde(default, skip_serializing_if = "is_default")]
    pub values: BTreeMap<String, Vec<String>>,
    /// Roles of messages that have another name there, such as `developer`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub roles: BTreeMap<String, String>,
    /// When a stream reports its usage.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stream_usage: StreamUsage,
    /// Top-level fields of a chat request that it accepts beyond its dialect's own, such as `top_k`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub takes: Vec<String>,
    /// The field in which it takes back what its model thought. Default: it takes nothing back.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reasoning: Option<ReasoningField>,
    /// It accepts marks for a prompt cache (`cache_control`), as Anthropic does.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cache_marks: bool,
    /// Its chat templates accept a system message only at the beginning. Weir puts a later one into the user's message.
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
