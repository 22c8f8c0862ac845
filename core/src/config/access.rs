//! Who may call, and what they may use: keys, and the teams that group them.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};
use weir_hub::endpoint::Endpoint;

use super::network::Network;
use crate::time::Instant;

/// What a caller may use; each `None` stands for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// The endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Vec<Endpoint>>,
    /// The networks that the caller may be in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<Vec<Network>>,
    /// Whether it may not ask what it has used: its endpoints are listed, and this is not among them.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub no_usage: bool,
}

impl Access {
    /// Whether `model` may be used.
    pub fn has_model(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|allowed| allowed == model))
    }

    /// Whether `endpoint` may be used.
    pub fn has_endpoint(&self, endpoint: Endpoint) -> bool {
        self.endpoints.as_ref().is_none_or(|endpoints| endpoints.contains(&endpoint))
    }

    /// Whether a client at `address` may call. One whose address is not known may call only if no network is named.
    pub fn has_address(&self, address: Option<IpAddr>) -> bool {
        let Some(networks) = &self.networks else { return true };
        address.is_some_and(|address| networks.iter().any(|network| network.contains(address)))
    }
}

/// The owner of a key, and what it may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Key {
    /// The owner's name, which is in the access log.
    pub name: String,
    /// The team that it belongs to; empty for none. The team's limits hold besides its own.
    pub team: String,
    /// Whether it is not valid for now.
    pub disabled: bool,
    /// When it expires, in seconds since the epoch; `None` for never.
    pub expires: Option<u64>,
    /// What it may use.
    pub access: Access,
}

/// A key as it is written, with its access among its other fields: `flatten` would do the same, with much more code.
#[derive(Serialize, Deserialize)]
struct Written {
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    team: String,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    disabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    models: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoints: Option<Vec<Endpoint>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    networks: Option<Vec<Network>>,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    no_usage: bool,
}

impl From<Written> for Key {
    fn from(written: Written) -> Self {
        let Written { name, team, disabled, expires, models, endpoints, networks, no_usage } = written;
        Self { name, team, disabled, expires, access: Access { models, endpoints, networks, no_usage } }
    }
}

impl From<Key> for Written {
    fn from(key: Key) -> Self {
        let Key { name, team, disabled, expires, access } = key;
        let Access { models, endpoints, networks, no_usage } = access;
        Self { name, team, disabled, expires, models, endpoints, networks, no_usage }
    }
}

impl Key {
    /// Whether it has expired at `now`.
    pub fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| now.as_millis() / 1000 >= expires)
    }
}

/// A group of callers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Team {
    /// What all its callers may use. A key of the team may be limited further.
    pub access: Access,
}

/// By what callers are known, besides their keys. Envoy and filters before Weir vouch for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identities {
    /// By a claim of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// By the URI in a client certificate: the team of each rule. A rule that ends with a slash stands for all names that begin with
    /// it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub certificates: BTreeMap<String, String>,
    /// Whether the client's address must be known, because a key or a team is limited to networks.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub by_address: bool,
}

impl Identities {
    /// Whether callers are known by nothing but their keys.
    pub fn is_empty(&self) -> bool {
        self.claim.is_none() && self.certificates.is_empty() && !self.by_address
    }
}

/// How a token's claim names a team.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The team of each value. The value of a claim that names teams by their names is a team's name.
    pub teams: BTreeMap<String, String>,
}

impl Claim {
    /// The team that a value stands for.
    pub fn team(&self, value: &str) -> Option<&str> {
        self.teams.get(value).map(String::as_str)
    }
}
