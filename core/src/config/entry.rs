//! The parts of a checked configuration: providers, limits, the sidecar's models, where records go.

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
    /// The dialect that it speaks: a name in [`provider::ALL`].
    pub dialect: &'static str,
    /// Its URL; `None` for the sidecar.
    pub url: Option<Url>,
    /// Where its credential is read from.
    pub credential: Option<Credential>,
    /// PEM bundle to verify it against; `None` for the system's.
    pub ca: Option<String>,
    /// The most requests under way to it at once.
    pub max_in_flight: u32,
    /// How many bytes of a body to or from it Envoy holds.
    pub buffer: u64,
    /// Whether spans are written; then each try must set its attributes.
    pub traced: bool,
    /// Whether fields that it cannot express are left out and named, instead of refused.
    pub drop_unsupported: bool,
    /// The version of its API, if the dialect has one.
    pub api_version: Option<String>,
    /// How it deviates from its dialect.
    pub quirks: Quirks,
    /// The section of the prices that holds for it, if the configuration says so; else that of its host.
    pub priced_as: Option<String>,
    /// Whether it simulates real providers.
    pub simulated: bool,
    /// The time limit for a connection to it.
    pub connect_timeout: Duration,
    /// How long an unused connection to it is kept open.
    pub keep_idle: Duration,
    /// The longest rest that it can ask for.
    pub longest_rest: Duration,
    /// Headers that every request to it carries, names in lower case.
    pub headers: Vec<(String, String)>,
    /// How requests to it are signed, if signing replaces a credential.
    pub signing: Option<Signing>,
}

/// How Envoy signs requests to AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// The service's name in signatures.
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

    /// A number for this configuration, which distinguishes it from an earlier one.
    fn version(&self) -> u32 {
        let hash = Sha256::digest(format!("{self:?}"));
        hash.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }

    /// Headers of every request to it besides its credential: its dialect's, then those of the configuration.
    pub fn own_headers(&self) -> Vec<(String, String)> {
        let dialect = provider::by_name(self.dialect).map(Provider::headers).unwrap_or_default();
        let dialect = dialect.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        dialect.chain(self.headers.iter().cloned()).collect()
    }
}

/// The time limits of one model. Each pair of a delivery and its limits is one of Envoy's routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limits {
    /// Until the first token of a streamed answer, for each try.
    pub first_token: Duration,
    /// Between tokens.
    pub gap: Duration,
    /// Between tokens while keep-alives come; not below `gap`.
    pub keep_alive: Duration,
    /// Until the end of a whole answer, for each try.
    pub whole: Duration,
    /// For all tries together: until an answer begins or, if it is whole, until it is complete.
    pub total: Duration,
}

impl Limits {
    /// The delivery class of answers with these limits.
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
    /// The folder with one folder for each model; `None` for Weir's own.
    pub folder: Option<String>,
    /// The models, by the name of their folder.
    pub models: BTreeMap<String, LocalModel>,
    /// How many requests may wait for inference.
    pub max_waiting: u32,
    /// How many threads inference uses; `None` for one on each core.
    pub threads: Option<u32>,
}

/// Where Envoy finds what a token says about its bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    /// The key of the dynamic metadata of `jwt_authn` that has the claims.
    pub payload: String,
    /// The path to the claim that names the team; never empty.
    pub team: Vec<String>,
    /// The path to the claim that names the user.
    pub user: Option<Vec<String>>,
}

/// Where records go, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// Where the access log goes; `None` for Weir's own log folder.
    pub access_log: Option<AccessLog>,
    /// Where traces go.
    pub otlp: Option<Url>,
}

/// How many days the ledger keeps things. What has no end is kept for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Single requests.
    pub rows: Option<u32>,
    /// Sums by hour.
    pub hours: Option<u32>,
    /// Sums by day, and gaps.
    pub days: Option<u32>,
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
    /// The engine that runs it; `None` lets the sidecar choose.
    pub engine: Option<Engine>,
}
