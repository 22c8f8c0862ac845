//! Prices as they are written: of a target, and in a prices file.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// What a target costs, in US dollars: tokens by the million, images and requests by the piece, the rest by the second. A rate
/// that is absent is that of the kind around it: `cached_read`, `cache_write` and `audio_input` cost what `input` costs,
/// `reasoning` and `audio_output` what `output` costs. Anything else that is absent costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// A million input tokens.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub input: Option<String>,
    /// A million output tokens.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub output: Option<String>,
    /// A million input tokens that were read from a cache.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub cached_read: Option<String>,
    /// A million input tokens that were written to a cache.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub cache_write: Option<String>,
    /// The same if they are kept for an hour. Default: as `cache_write`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub cache_write_1h: Option<String>,
    /// A million output tokens of reasoning.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub reasoning: Option<String>,
    /// A million input tokens of audio.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub audio_input: Option<String>,
    /// A million output tokens of audio.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub audio_output: Option<String>,
    /// An image that was made.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub image: Option<String>,
    /// A request.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub request: Option<String>,
    /// A second of audio. Where nobody says how long the audio was, the cost is not known.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub audio_second: Option<String>,
    /// A second in which a local model works on the request.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub second: Option<String>,
    /// Cases in which other rates hold. Of those that apply, the rates of a later one replace the rates of an earlier one.
    #[serde(default)]
    pub when: Vec<PriceCase>,
}

/// Other rates, which hold where all of `above`, `tier`, `hours`, `days`, `from` and `until` that are written are true. Hours and
/// days are in UTC, and the time is that when the request came. Rates that are absent stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PriceCase {
    /// The request has more input tokens than this.
    #[serde(default)]
    pub above: Option<u64>,
    /// The request asks for this service tier: `standard`, `batch`, `flex` or `priority`.
    #[serde(default)]
    pub tier: Option<String>,
    /// Hours of the day, such as `16:30-00:30`.
    #[serde(default)]
    pub hours: Option<String>,
    /// Days of the week: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.
    #[serde(default)]
    pub days: Vec<String>,
    /// From this time on, such as `2027-03-01T00:00:00Z`.
    #[serde(default)]
    pub from: Option<String>,
    /// Before this time.
    #[serde(default)]
    pub until: Option<String>,
    /// A million input tokens.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub input: Option<String>,
    /// A million output tokens.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub output: Option<String>,
    /// A million input tokens that were read from a cache.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub cached_read: Option<String>,
    /// A million input tokens that were written to a cache.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub cache_write: Option<String>,
    /// The same if they are kept for an hour.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub cache_write_1h: Option<String>,
    /// A million output tokens of reasoning.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub reasoning: Option<String>,
    /// A million input tokens of audio.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub audio_input: Option<String>,
    /// A million output tokens of audio.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub audio_output: Option<String>,
    /// An image that was made.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub image: Option<String>,
    /// A request.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub request: Option<String>,
    /// A second of audio.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub audio_second: Option<String>,
    /// A second in which a local model works on the request.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "rate"))]
    pub second: Option<String>,
}

/// A prices file: prices by provider and model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Where the prices come from, for people.
    #[serde(default)]
    pub source: Option<String>,
    /// The providers, by the name of their dialect or preset, or a name that a provider's `priced_as` has.
    pub providers: BTreeMap<String, PriceSection>,
}

/// The prices of one provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PriceSection {
    /// The hosts of its API, such as `api.example.com` or `*.example.com`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The models, by the provider's name for them.
    #[serde(default)]
    pub models: BTreeMap<String, Price>,
}

/// The rates of a price or a case, in the order of [`Rates::named`](crate::price::Rates::named).
pub(crate) type Written<'s> = [&'s Option<String>; 12];

macro_rules! rates {
    ($type:ty) => {
        impl $type {
            pub(crate) fn rates(&self) -> Written<'_> {
                [
                    &self.input,
                    &self.output,
                    &self.cached_read,
                    &self.cache_write,
                    &self.cache_write_1h,
                    &self.reasoning,
                    &self.audio_input,
                    &self.audio_output,
                    &self.image,
                    &self.request,
                    &self.audio_second,
                    &self.second,
                ]
            }
        }
    };
}

rates!(Price);
rates!(PriceCase);

/// A decimal, as it is written: a binary fraction holds no price exactly.
#[cfg(feature = "schema")]
fn rate(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": ["number", "string", "null"], "minimum": 0 })
}
