//! Who calls: by a key, or by what filters before Weir have verified. And what this caller may use.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use weir_hub::codec::json::{Raw, Scan};
use weir_hub::endpoint::{Endpoint, Family};
use weir_hub::fault::Reject;

use crate::config::{Access, Identities, Key, Routing};
use crate::key::KeyHash;
use crate::time::Instant;
use crate::usage::Known;

/// The headers that hold only a key: Anthropic's clients send the first, Google's the second, Azure's the last.
const BARE: [&str; 3] = ["x-api-key", "x-goog-api-key", "api-key"];

/// How many characters of an application's name are kept.
const LONGEST_APPLICATION: usize = 64;

/// How many characters of a user's name are kept.
const LONGEST_USER: usize = 128;

/// The filter state that has the value of the claim that names a caller's team. Filters before Weir set it, as the following ones.
pub const CLAIM: &str = "weir.claim";
/// The filter state that has the value of the claim that names a caller's user.
pub const USER: &str = "weir.user";
/// The filter state that has the URI of a client's certificate, where the connection itself is not the client's.
pub const CERTIFICATE: &str = "weir.certificate";
/// The filter state that has a client's address, where the connection itself is not the client's.
pub const ADDRESS: &str = "weir.address";

/// What is known of a client besides its request. No client can write any of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Its address, with or without a port.
    pub address: Option<String>,
    /// The value of the claim that names its team: a text, or a list of texts as JSON.
    pub claim: Option<String>,
    /// The value of the claim that names its user.
    pub user: Option<String>,
    /// The URI in its certificate.
    pub certificate: Option<String>,
}

/// Who calls.
#[derive(Clone, Debug)]
pub(super) struct Caller<'r> {
    /// What its part of a worker's load is counted by. For a caller with a key, the key's hash.
    pub(super) hash: KeyHash,
    /// The name of the key, or of what is known in its place: `jwt:…`, `spiffe://…`.
    pub(super) name: Cow<'r, str>,
    /// The team's name; empty for none.
    pub(super) team: &'r str,
    /// The user whom the token names.
    pub(super) user: Option<String>,
    key: Option<&'r Key>,
}

/// What a caller may use: what both its key and its team allow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rights<'r> {
    key: Option<&'r Access>,
    team: Option<&'r Access>,
}

impl<'r> Caller<'r> {
    /// Finds out who calls. Each family's clients have their own header for a key, and some also send a key of another service. The
    /// first known key counts. Without one, what filters before Weir have verified counts.
    pub(super) fn of<'h>(
        routing: &'r Routing,
        client: &Client,
        value: impl Fn(&str) -> Option<&'h str>,
    ) -> Result<Self, Reject> {
        let bearer = value("authorization").map(|sent| {
            let scheme = sent.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            scheme.map(|(_, key)| key.trim())
        });
        let bare = BARE.iter().filter_map(|name| value(name)).map(|key| Some(key.trim()));
        let mut sent = bearer.into_iter().chain(bare).peekable();
        let none = if sent.peek().is_none() { Reject::NoKey } else { Reject::BadKey };
        if let Some((hash, key)) = sent.flatten().find_map(|key| routing.key(key)) {
            return Ok(Self { hash, name: Cow::Borrowed(&key.name), team: &key.team, user: None, key: Some(key) });
        }
        Self::verified(&routing.identities, client).ok_or(none)
    }

    /// The caller as filters before Weir have verified it; `None` if they have verified none that the configuration asks for.
    fn verified(identities: &'r Identities, client: &Client) -> Option<Self> {
        let by_claim = identities.claim.as_ref().zip(client.claim.as_deref());
        let by_claim = by_claim.map(|(claim, said)| {
            let team = values(said).iter().find_map(|value| claim.team(value));
            (team, ["jwt:", client.user.as_deref().unwrap_or_default()].concat(), client.user.clone())
        });
        let by_certificate = || {
            let name = client.certificate.as_deref().filter(|_| !identities.certificates.is_empty())?;
            Some((team_of_certificate(&identities.certificates, name), name.to_string(), None))
        };
        let (team, name, user) = by_claim.or_else(by_certificate)?;
        let team = team.unwrap_or_default();
        // No key can be this text: a header has no such byte.
        let hash = KeyHash::of(["\0", team, "\0", &name].concat().as_bytes());
        let user = user.map(|user| cut(&user, LONGEST_USER));
        Some(Self { hash, name: Cow::Owned(name), team, user, key: None })
    }

    /// Refuses a caller whose key is not valid now, who has neither a key nor a team, or who may not call from where it is.
    pub(super) fn admit(&self, routing: &Routing, client: &Client, now: Instant) -> Result<(), Reject> {
        match self.key {
            Some(key) if key.disabled => return Err(Reject::DisabledKey),
            Some(key) if key.has_expired(now) => return Err(Reject::ExpiredKey),
            None if self.team.is_empty() => return Err(Reject::NoTeam),
            _ => {}
        }
        if !routing.identities.by_address || self.rights(routing).have_address(address(client)) {
            return Ok(());
        }
        Err(Reject::NetworkNotAllowed)
    }

    /// By what it is known.
    pub(super) fn known(&self) -> Known {
        if self.key.is_some() { Known::Key } else { Known::Identity }
    }

    /// What it may use.
    pub(super) fn rights(&self, routing: &'r Routing) -> Rights<'r> {
        Rights { key: self.key.map(|key| &key.access), team: routing.teams.get(self.team).map(|team| &team.access) }
    }
}

impl<'r> Rights<'r> {
    /// The rights of the caller with this hash, who belongs to `team`.
    pub(super) fn of(routing: &'r Routing, hash: &KeyHash, team: &str) -> Self {
        Self {
            key: routing.keys.get(hash).map(|key| &key.access),
            team: routing.teams.get(team).map(|team| &team.access),
        }
    }

    fn each(self) -> impl Iterator<Item = &'r Access> {
        self.key.into_iter().chain(self.team)
    }

    /// Whether the caller may use `model`.
    pub(crate) fn have_model(self, model: &str) -> bool {
        self.each().all(|access| access.has_model(model))
    }

    /// Whether the caller may use some models only.
    pub(super) fn name_models(self) -> bool {
        self.each().any(|access| access.models.is_some())
    }

    /// Whether the caller may use `endpoint`.
    pub(super) fn have_endpoint(self, endpoint: Endpoint) -> bool {
        self.each().all(|access| access.has_endpoint(endpoint))
    }

    /// Whether the caller may ask what it has used.
    pub(super) fn have_usage(self) -> bool {
        self.each().all(|access| !access.no_usage)
    }

    fn have_address(self, address: Option<IpAddr>) -> bool {
        self.each().all(|access| access.has_address(address))
    }
}

/// The application that the caller names in the header of that name. It is cut to its first 64 characters. A name with anything else
/// than printable ASCII in it is none.
pub(super) fn application<'h>(routing: &Routing, value: impl Fn(&str) -> Option<&'h str>) -> String {
    if routing.application_header.is_empty() {
        return String::new();
    }
    let name = value(&routing.application_header).unwrap_or_default().trim();
    let is_printable = name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_printable { cut(name, LONGEST_APPLICATION) } else { String::new() }
}

/// The user whom the caller names in the body: `user`, else `safety_identifier`, else Anthropic's `metadata.user_id`. Only its first
/// 128 characters. A value of another type is for the provider to refuse.
pub(super) fn user(family: Family, body: &[u8], scan: &Scan) -> String {
    let text = |name| scan.raw(body, name).and_then(Raw::string).filter(|name| !name.is_empty());
    let of_metadata = || {
        let metadata = scan.raw(body, "metadata").filter(|_| family == Family::Anthropic)?;
        metadata.get("user_id")?.string()
    };
    let named = text("user").or_else(|| text("safety_identifier")).or_else(of_metadata);
    named.map_or_else(String::new, |name| cut(&name, LONGEST_USER))
}

/// The beginning of `text`, with at most that many characters.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most).and_then(|(end, _)| text.get(..end)) {
        Some(beginning) => beginning.to_string(),
        None => text.to_string(),
    }
}

/// The values of a claim that is a text, or a list as JSON.
fn values(claim: &str) -> Vec<Cow<'_, str>> {
    let list = Some(claim).filter(|claim| claim.starts_with('[')).map(serde_json::from_str::<Vec<String>>);
    match list {
        Some(Ok(list)) => list.into_iter().map(Cow::Owned).collect(),
        _ => [Cow::Borrowed(claim)].into(),
    }
}

/// The team of the longest rule that `name` matches. A rule that ends with a slash matches all names that begin with it, any other
/// rule only itself.
fn team_of_certificate<'r>(rules: &'r BTreeMap<String, String>, name: &str) -> Option<&'r str> {
    // Several URIs in one certificate are not SPIFFE, and who wrote the second one is not known.
    if name.contains(',') {
        return None;
    }
    let matches = |rule: &str| rule == name || rule.ends_with('/') && name.starts_with(rule);
    let best = rules.iter().filter(|(rule, _)| matches(rule)).max_by_key(|(rule, _)| rule.len());
    best.map(|(_, team)| &**team)
}

/// The client's address without its port.
fn address(client: &Client) -> Option<IpAddr> {
    let text = client.address.as_deref()?;
    text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| text.parse()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_rule_for_a_certificate_counts_and_none_matches_half_a_name() {
        let rules = [("spiffe://a/ns/search/", "search"), ("spiffe://a/", "all"), ("spiffe://a/ns/ads", "ads")];
        let rules: BTreeMap<String, String> =
            rules.into_iter().map(|(rule, team)| (rule.to_string(), team.to_string())).collect();
        for (name, team) in [
            ("spiffe://a/ns/search/sa/api", Some("search")),
            ("spiffe://a/ns/search-evil/sa/api", Some("all")),
            ("spiffe://a/ns/ads", Some("ads")),
            ("spiffe://a/ns/ads/sa/x", Some("all")),
            ("spiffe://ab/ns/ads", None),
            ("spiffe://b/,spiffe://a/ns/ads", None),
        ] {
            assert_eq!(team_of_certificate(&rules, name), team, "{name}");
        }
    }

    #[test]
    fn an_address_is_read_with_and_without_its_port() {
        let read = |text: &str| address(&Client { address: Some(text.to_string()), ..Client::default() });
        for text in ["192.0.2.7", "192.0.2.7:443"] {
            assert_eq!(read(text), "192.0.2.7".parse().ok());
        }
        for text in ["2001:db8::1", "[2001:db8::1]:443"] {
            assert_eq!(read(text), "2001:db8::1".parse().ok());
        }
        assert_eq!(read("envoy://weir/1"), None);
    }
}
