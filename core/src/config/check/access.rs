//! The checks of who may call: keys, teams, and callers without a key.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use weir_hub::endpoint::Endpoint;

use super::super::access::{Access, Claim, Identities, Key, Team};
use super::super::entry::Jwt;
use super::super::hint::did_you_mean;
use super::super::network::Network;
use super::super::routing::Routing;
use super::super::source::Source;
use super::super::units;
use super::Check;
use crate::allow;
use crate::key::KeyHash;
use crate::usage;

/// How the names begin that callers without a key have in the access log: no key may be called so.
const OF_IDENTITIES: [&str; 2] = ["jwt:", "spiffe:"];

/// What is written of an [`Access`].
#[derive(Clone, Copy)]
struct Written<'s> {
    models: Option<&'s Vec<String>>,
    endpoints: Option<&'s Vec<String>>,
    networks: Option<&'s Vec<String>>,
}

impl Check {
    /// The part of the routing that says who may call.
    pub(in crate::config) fn callers(&mut self, source: &Source) -> Routing {
        let (teams, keys) = (self.teams(source), self.keys(source));
        let access = keys.values().map(|key| &key.access).chain(teams.values().map(|team| &team.access));
        let by_address = access.into_iter().any(|access| access.networks.is_some());
        let identities = Identities { by_address, ..self.identities(source) };
        let application_header = self.application_header(source.application_header.as_deref());
        Routing { keys, teams, identities, application_header, ..Routing::default() }
    }

    fn teams(&mut self, source: &Source) -> BTreeMap<String, Team> {
        let mut teams = BTreeMap::new();
        for (name, team) in &source.teams {
            let path = format!("teams.{name}");
            self.label(&path, "a team's name", name);
            let (models, endpoints) = (team.models.as_ref(), team.endpoints.as_ref());
            let written = Written { models, endpoints, networks: team.networks.as_ref() };
            let access = self.access(&path, written, source);
            teams.insert(name.clone(), Team { access });
        }
        teams
    }

    fn keys(&mut self, source: &Source) -> BTreeMap<KeyHash, Key> {
        let mut keys = BTreeMap::new();
        for (i, key) in source.keys.iter().enumerate() {
            let path = format!("keys[{i}]");
            self.label(&format!("{path}.name"), "a key's name", &key.name);
            if let Some(start) = OF_IDENTITIES.iter().find(|start| key.name.starts_with(*start)) {
                let hint = Some("give it another name".to_owned());
                let problem = format!("names that begin with \"{start}\" belong to callers without a key");
                self.error(format!("{path}.name"), problem, hint);
            }
            if let Some(team) = &key.team {
                self.known_team(&format!("{path}.team"), team, source);
            }
            let (models, endpoints) = (key.models.as_ref(), key.endpoints.as_ref());
            let written = Written { models, endpoints, networks: key.networks.as_ref() };
            let access = self.access(&path, written, source);
            let Some(hash) = KeyHash::from_hex(&key.sha256) else {
                let hint = "64 hex digits, as `weir keys new` prints them; never the key itself".to_string();
                self.error(format!("{path}.sha256"), "this is no SHA-256", Some(hint));
                continue;
            };
            let expires = key.expires.as_deref().map(|text| (text, units::moment(text)));
            if let Some((text, None)) = expires {
                let hint = Some("such as 2027-03-01T00:00:00Z".to_owned());
                self.error(format!("{path}.expires"), format!("\"{text}\" is no moment"), hint);
            }
            let expires = expires.and_then(|(_, expires)| expires);
            let team = key.team.clone().unwrap_or_default();
            let entry = Key { name: key.name.clone(), team, disabled: key.disabled, expires, access };
            if keys.insert(hash, entry).is_some() {
                self.error(
                    format!("{path}.sha256"),
                    "this key is listed twice",
                    Some("remove one of the two".to_owned()),
                );
            }
        }
        keys
    }

    /// How callers without a key are known.
    fn identities(&mut self, source: &Source) -> Identities {
        let callers = &source.callers;
        let mut certificates = BTreeMap::new();
        for (rule, team) in &callers.spiffe {
            let path = format!("callers.spiffe.{rule}");
            if !rule.strip_prefix("spiffe://").is_some_and(|rest| rest.contains('/') && !rest.starts_with('/')) {
                let hint = Some("such as spiffe://example.org/ns/search/".to_owned());
                self.error(&path, format!("\"{rule}\" does not begin with spiffe://, a domain and a slash"), hint);
            }
            self.known_team(&path, team, source);
            certificates.insert(rule.clone(), team.clone());
        }
        let claim = callers.jwt.as_ref().map(|jwt| {
            let itself = || source.teams.keys().map(|team| (team.clone(), team.clone())).collect();
            let teams: BTreeMap<String, String> = jwt.teams.clone().unwrap_or_else(itself);
            for (value, team) in jwt.teams.iter().flatten() {
                self.known_team(&format!("callers.jwt.teams.{value}"), team, source);
            }
            if teams.is_empty() {
                let hint = Some("add it: teams: {search: {}}".to_owned());
                self.error("callers.jwt.team", "the claim can name no team, because there is none", hint);
            }
            Claim { teams }
        });
        Identities { claim, certificates, by_address: false }
    }

    /// Where Envoy finds the claims.
    pub(in crate::config) fn jwt(&mut self, source: &Source) -> Option<Jwt> {
        let written = source.callers.jwt.as_ref()?;
        let payload = written.payload.clone().unwrap_or_else(|| "claims".to_owned());
        // Envoy's formatter splits at colons and ends at a parenthesis or a percent sign.
        let is_plain = |part: &str| !part.is_empty() && !part.contains([':', '(', ')', '%', ' ', '\n']);
        if !is_plain(&payload) {
            let hint = Some("use letters and digits".to_owned());
            self.error("callers.jwt.payload", format!("Envoy cannot look for \"{payload}\""), hint);
        }
        let claims = [("team", Some(&written.team)), ("user", written.user.as_ref())].map(|(field, claim)| {
            let path: Vec<String> = claim?.split('.').map(ToOwned::to_owned).collect();
            if !path.iter().all(|part| is_plain(part)) {
                let hint = Some("such as team, or realm_access.roles for a claim within another".to_owned());
                self.error(format!("callers.jwt.{field}"), "Envoy cannot look for a claim of this name", hint);
            }
            Some(path)
        });
        let [team, user] = claims;
        Some(Jwt { payload, team: team.unwrap_or_default(), user })
    }

    /// The header in which callers name their application, in lower case; empty for none.
    fn application_header(&mut self, written: Option<&str>) -> String {
        let Some(written) = written else { return String::new() };
        let name = written.to_ascii_lowercase();
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let path = "application_header";
        if name.is_empty() || !name.bytes().all(is_token) {
            let hint = Some("such as x-application".to_owned());
            self.error(path, format!("\"{written}\" is no name of a header"), hint);
        } else if allow::passes(&name) || allow::keys().any(|key| key == name) {
            let hint = Some("use a header of your own, such as x-application".to_owned());
            self.error(path, format!("the header {name} has another meaning"), hint);
        }
        name
    }

    /// Notes an error if there is no such team.
    fn known_team(&mut self, path: &str, team: &str, source: &Source) {
        if !source.teams.contains_key(team) {
            let hint = if source.teams.is_empty() {
                Some(format!("add it: teams: {{{team}: {{}}}}"))
            } else {
                did_you_mean(team, source.teams.keys().map(String::as_str))
            };
            self.error(path, format!("no team is called \"{team}\""), hint);
        }
    }

    /// Notes an error if `name` cannot stand in the access log.
    fn label(&mut self, path: &str, what: &str, name: &str) {
        if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
            let hint = Some("it stands in the access log: write whose it is".to_owned());
            self.error(path, format!("{what} has 1 to 128 characters, no control characters"), hint);
        }
    }

    fn access(&mut self, path: &str, written: Written<'_>, source: &Source) -> Access {
        for (j, model) in written.models.into_iter().flatten().enumerate() {
            if !source.models.contains_key(model) {
                let hint = did_you_mean(model, source.models.keys().map(String::as_str));
                self.error(format!("{path}.models[{j}]"), format!("no model is called \"{model}\""), hint);
            }
        }
        let endpoints = written.endpoints.map(|names| {
            let of_models = names.iter().enumerate().filter(|(_, name)| *name != usage::NAME);
            let read = of_models.filter_map(|(j, name)| {
                let endpoint = Endpoint::from_name(name);
                if endpoint.is_none() {
                    let known = Endpoint::ALL.into_iter().map(Endpoint::name).chain([usage::NAME]);
                    let near = did_you_mean(name, known);
                    let hint = near.or_else(|| Some("such as chat, messages or embeddings".to_owned()));
                    self.error(format!("{path}.endpoints[{j}]"), format!("no endpoint is called \"{name}\""), hint);
                }
                endpoint
            });
            read.collect::<BTreeSet<_>>().into_iter().collect()
        });
        let networks = written.networks.map(|texts| {
            let read = texts.iter().enumerate().filter_map(|(j, text)| match Network::parse(text) {
                Ok(network) => Some(network),
                Err(none) => {
                    let hint = match none.meant {
                        Some(meant) => format!("did you mean {meant}?"),
                        None => "such as 10.0.0.0/8, 2001:db8::/32, or one address".to_owned(),
                    };
                    self.error(format!("{path}.networks[{j}]"), format!("\"{text}\" is no network"), Some(hint));
                    None
                }
            });
            read.collect::<Vec<_>>()
        });
        let no_usage = written.endpoints.is_some_and(|names| names.iter().all(|name| name != usage::NAME));
        Access { models: written.models.cloned(), endpoints, networks, no_usage }
    }
}
