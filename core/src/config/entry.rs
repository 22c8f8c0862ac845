//! What a configuration holds once it is checked: providers, limits, what the sidecar serves, where records go.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use sha2::{Digest, Sha256};
use weir_hub::endpoint::Delivery;

use super::routing::Class;
use super::source::Engine;
use crate::plan;
use crate::provider::{self, Provider};
use crate::upstream::{Credential, LONGEST_REST, Quirks, Upstream, Url};

/// One upstream, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderEntry {
    /// Its name in the configuration, which is also its cluster's.
    pub name: String,
    /// What it speaks: a name in [`provider::ALL`].
    pub dialect: &'static str,
    /// Where it is; `None` for the sidecar.
    pub url: Option<Url>,
    /// Where its credential is read from.
    pub credential: Option<Credential>,
    /// PEM bundle to verify it against; `None` for the system's.
    pub ca: Option<String>,
    /// Requests under way to it at once.
    pub max_in_flight: u32,
    /// What Envoy holds of a body to or from it, in bytes.
    pub buffer: u64,
    /// Spans are written, so each try must name its attributes.
    pub traced: bool,
    /// What it cannot express is left out and named, instead of being refused.
    pub drop_unsupported: bool,
    /// The version of its API, where the dialect has one.
    pub api_version: Option<String>,
    /// How it deviates from its dialect.
    pub quirks: Quirks,
    /// It stands in for real providers.
    pub simulated: bool,
    /// How long a connection to it may take to be made.
    pub connect_timeout: Duration,
    /// How long a connection to it is kept that nobody uses.
    pub keep_idle: Duration,
    /// The longest that it can ask to be left alone.
    pub longest_rest: Duration,
    /// Headers that every request to it carries, names in lower case.
    pub headers: Vec<(String, String)>,
    /// How requests to it are signed, where that takes the place of a credential.
    pub signing: Option<Signing>,
}

/// How Envoy signs requests to AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// The service, as signatures name it.
    pub service: &'static str,
    /// The region.
    pub region: String,
    /// An AWS credentials file; `None` for AWS's own chain.
    pub credentials_file: Option<String>,
    /// The profile in that file.
    pub profile: Option<String>,
}

impl ProviderEntry {
    /// The attempt role's configuration in this provider's chain.
    pub fn upstream(&self) -> Upstream {
        Upstream {
            provider: self.name.clone(),
            dialect: self.dialect.to_owned(),
            prefix: self.url.as_ref().map_or_else(String::new, |url| url.prefix.clone()),
            buffer: self.buffer,
            version: self.version(),
            connect_timeout: u64::try_from(self.connect_timeout.as_millis()).unwrap_or(u64::MAX),
            longest_rest: match self.longest_rest {
                LONGEST_REST => 0,
                longest => u64::try_from(longest.as_millis()).unwrap_or(u64::MAX),
            },
            traced: self.traced,
            drop_unsupported: self.drop_unsupported,
            api_version: self.api_version.clone(),
            quirks: self.quirks.clone(),
            headers: self.own_headers(),
        }
    }

    /// A number of what is said here, by which a configuration is told from an earlier one.
    fn version(&self) -> u32 {
        let hash = Sha256::digest(format!("{self:?}"));
        hash.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }

    /// Headers that every request to it carries besides its credential: its dialect's, then those of the configuration.
    pub fn own_headers(&self) -> Vec<(String, String)> {
        let dialect = provider::by_name(self.dialect).map(Provider::headers).unwrap_or_default();
        let dialect = dialect.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        dialect.chain(self.headers.iter().cloned()).collect()
    }
}

/// Limits in time of one model; each pair of a delivery and its limits is one route of Envoy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limits {
    /// To the first token of a streamed answer, per try.
    pub first_token: Duration,
    /// Between tokens.
    pub gap: Duration,
    /// Between tokens where keep-alives come; not below `gap`.
    pub keep_alive: Duration,
    /// Of a whole answer, per try.
    pub whole: Duration,
    /// Of all tries together, until an answer begins or, if it is whole, is there.
    pub total: Duration,
}

impl Limits {
    /// The delivery class of answers under these limits.
    pub fn class(&self, delivery: Delivery) -> Class {
        let first = match delivery {
            Delivery::Whole => self.whole,
            Delivery::Streamed => self.first_token,
        };
        let Self { gap, keep_alive, total, .. } = *self;
        let gap = match delivery {
            Delivery::Whole => first,
            Delivery::Streamed => gap,
        };
        let limits = plan::Limits { first, gap, keep_alive, total: Some(total) };
        Class { name: plan::class(delivery, limits), limits }
    }
}

/// What the sidecar serves, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalSettings {
    /// The folder that holds a folder for each model; `None` for Weir's own.
    pub folder: Option<String>,
    /// The models, by the name of their folder.
    pub models: BTreeMap<String, LocalModel>,
    /// How many requests may wait for inference.
    pub max_waiting: u32,
    /// Threads that inference uses; `None` for as many as there are cores.
    pub threads: Option<u32>,
}

/// Where records go, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// Where the access log goes; `None` for Weir's own log folder.
    pub access_log: Option<AccessLog>,
    /// Where traces go.
    pub otlp: Option<Url>,
}

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLog {
    /// Standard output.
    Stdout,
    /// A file.
    File(String),
}

/// One model of the sidecar, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalModel {
    /// What runs it; `None` lets the sidecar choose.
    pub engine: Option<Engine>,
}
