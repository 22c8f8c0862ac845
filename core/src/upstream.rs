//! One upstream, as a provider must know it: where it is, and how it deviates from what it speaks.

mod quirks;
pub(crate) mod url;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

pub use quirks::{Quirks, ReasoningField, StreamUsage};
pub use url::{Credential, Scheme, Url};

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
    /// Spans are written; see [`span`](crate::record::span).
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
pub(crate) const LONGEST_REST: Duration = Duration::from_secs(60);

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
