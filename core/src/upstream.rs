//! What a provider must know about one upstream: where it is, and how it deviates from its dialect.

mod quirks;
pub(crate) mod url;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

pub use quirks::{Quirks, ReasoningField, StreamUsage};
pub use url::{Credential, Scheme, Url};

/// One upstream. The edge role needs it to rank targets; in an upstream's filter chain, it is the attempt role's
/// configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// The provider's name in the configuration.
    pub provider: String,
    /// The dialect that it speaks.
    pub dialect: String,
    /// The path prefix of its endpoint, without a trailing slash.
    pub prefix: String,
    /// How many bytes of a body Envoy holds: see [`BodyLimits::buffer`]. Envoy would refuse a longer one in its own
    /// words, so Weir writes none. 0 if it is not known.
    #[serde(default, skip_serializing_if = "is_default")]
    pub buffer: u64,
    /// Distinguishes this configuration from an earlier one with the same name.
    #[serde(default)]
    pub version: u32,
    /// The time limit for a connection to it, in milliseconds.
    #[serde(default)]
    pub connect_timeout: u64,
    /// The longest rest that it can ask for, in milliseconds; 0 for the usual one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub longest_rest: u64,
    /// Whether spans are written; see [`span`](crate::record::span).
    #[serde(default, skip_serializing_if = "is_default")]
    pub traced: bool,
    /// Whether fields that this upstream cannot express are left out and named in a response header, instead of
    /// refused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drop_unsupported: bool,
    /// The API version in the query, for a dialect that has one (`azure`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub api_version: Option<String>,
    /// How it deviates from its dialect.
    #[serde(default, skip_serializing_if = "is_default")]
    pub quirks: Quirks,
    /// Headers of every request to it, besides its credential; names in lower case.
    #[serde(default, skip_serializing_if = "is_default")]
    pub headers: Vec<(String, String)>,
}

impl Upstream {
    /// The longest body that can be written, in bytes.
    pub fn longest(&self) -> usize {
        let buffer = usize::try_from(self.buffer).unwrap_or(usize::MAX);
        if buffer == 0 { usize::MAX } else { buffer }
    }

    /// Whether this upstream refuses a call exactly if `other` does, for the same model.
    pub fn is_judged_as(&self, other: &Self) -> bool {
        let Self { provider: _, dialect, prefix: _, traced: _, headers: _, buffer, .. } = self;
        let Self { drop_unsupported, api_version, quirks, .. } = self;
        *dialect == other.dialect
            && *buffer == other.buffer
            && *drop_unsupported == other.drop_unsupported
            && *api_version == other.api_version
            && *quirks == other.quirks
    }

    /// The longest rest that it can ask for.
    pub fn longest_rest(&self) -> Duration {
        match self.longest_rest {
            0 => LONGEST_REST,
            millis => Duration::from_millis(millis),
        }
    }
}

/// The longest rest that a provider can ask for, unless the configuration says otherwise.
pub(crate) const LONGEST_REST: Duration = Duration::from_secs(60);

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
