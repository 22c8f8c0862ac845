//! From what was written to what holds: every check of the configuration, all errors at once.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::hint::did_you_mean;
use super::routing::{BodyLimits, Key, Model, Routing, Target, Upstream};
use super::source::{self, Engine, Source};
use super::units;
use super::url::{Credential, Url};
use super::{ConfigError, routing};
use crate::endpoint::{Delivery, Endpoint};
use crate::key::KeyHash;
use crate::provider::{self, Reach};

/// The most tries that one request can make; more targets than that are an error.
const MAX_TARGETS: usize = 16;

/// A configuration without errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    listen: String,
    admin: String,
    providers: BTreeMap<String, ProviderEntry>,
    limits: BTreeSet<Limits>,
    routing: Routing,
    local: BTreeMap<String, LocalModel>,
    left_out: Vec<String>,
}

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
}

impl ProviderEntry {
    /// The attempt role's configuration in this provider's chain.
    pub fn upstream(&self) -> Upstream {
        Upstream {
            provider: self.name.clone(),
            dialect: self.dialect.to_owned(),
            prefix: self.url.as_ref().map_or_else(String::new, |url| url.prefix.clone()),
        }
    }
}

/// Limits in time of one model; each pair of a delivery and its limits is one route of Envoy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limits {
    /// To the first token of a streamed answer, per try.
    pub first_token: Duration,
    /// Between tokens.
    pub gap: Duration,
    /// Of a whole answer, per try.
    pub whole: Duration,
}

impl Limits {
    /// The delivery class of answers under these limits.
    pub fn class(&self, delivery: Delivery) -> String {
        match delivery {
            Delivery::Whole => routing::class(delivery, self.whole, self.whole),
            Delivery::Streamed => routing::class(delivery, self.first_token, self.gap),
        }
    }
}

/// One model of the sidecar, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalModel {
    /// What runs it; `None` lets the sidecar choose.
    pub engine: Option<Engine>,
}

impl Gateway {
    /// Checks `source`; `unset` holds the credentials that cannot be read where Envoy will run.
    pub fn parse(source: &Source, unset: &BTreeSet<Credential>) -> Result<Self, Vec<ConfigError>> {
        let mut check = Check { errors: Vec::new(), left_out: Vec::new() };
        let listen = check.address("listen", source.listen.as_deref(), "127.0.0.1:10000");
        let admin = check.address("admin", source.admin.as_deref(), "127.0.0.1:10001");
        let general = check.limits("limits", &source.limits, DEFAULT_LIMITS);
        let body = check.body_limits(&source.limits);
        let providers: BTreeMap<String, Option<ProviderEntry>> = source
            .providers
            .iter()
            .map(|(name, written)| (name.clone(), check.provider(name, written, unset)))
            .collect();
        let mut limits = BTreeSet::new();
        let mut models = BTreeMap::new();
        for (name, written) in &source.models {
            let path = format!("models.{name}");
            check.name(&path, name);
            let own = check.limits(&format!("{path}.limits"), &written.limits, general);
            if !written.limits.body.is_empty() {
                check.error(format!("{path}.limits.body"), "the body limit belongs to an endpoint, not to a model", None);
            }
            let targets = check.targets(&path, name, written, source, &providers);
            if targets.is_empty() {
                check.left_out.push(format!("model {name}: none of its providers has a credential"));
                continue;
            }
            limits.insert(own);
            let model = Model {
                targets,
                whole: own.class(Delivery::Whole),
                streamed: own.class(Delivery::Streamed),
                owned_by: written.owned_by.clone().unwrap_or_else(|| "weir".to_owned()),
            };
            models.insert(name.clone(), model);
        }
        let keys = check.keys(source);
        let local = source.local.models.iter().map(|(name, model)| (name.clone(), LocalModel { engine: model.engine }));
        let local = local.collect();
        if !check.errors.is_empty() {
            return Err(check.errors);
        }
        Ok(Self {
            listen,
            admin,
            providers: providers.into_iter().filter_map(|(name, entry)| Some((name, entry?))).collect(),
            limits,
            routing: Routing { body, models, keys },
            local,
            left_out: check.left_out,
        })
    }

    /// Address and port that clients connect to.
    pub fn listen(&self) -> &str {
        &self.listen
    }

    /// Address and port of Envoy's admin interface.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// The upstreams, by name.
    pub fn providers(&self) -> impl Iterator<Item = &ProviderEntry> {
        self.providers.values()
    }

    /// Every combination of limits that some model has.
    pub fn limits(&self) -> impl Iterator<Item = &Limits> {
        self.limits.iter()
    }

    /// What the edge role works with.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// The sidecar's models, by name.
    pub fn local(&self) -> &BTreeMap<String, LocalModel> {
        &self.local
    }

    /// What was left out because a credential is not set, in words.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }
}

const DEFAULT_LIMITS: Limits =
    Limits { first_token: Duration::from_secs(30), gap: Duration::from_secs(60), whole: Duration::from_secs(300) };

/// The errors found so far.
struct Check {
    errors: Vec<ConfigError>,
    left_out: Vec<String>,
}

impl Check {
    fn error(&mut self, path: impl Into<String>, problem: impl Into<String>, hint: Option<String>) {
        self.errors.push(ConfigError { path: path.into(), problem: problem.into(), hint });
    }

    fn address(&mut self, path: &str, written: Option<&str>, default: &str) -> String {
        let address = written.unwrap_or(default);
        let port = address.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>()));
        if !matches!(port, Some(Ok(_))) {
            self.error(path, format!("\"{address}\" is no address with a port"), Some(format!("write it as {default}")));
        }
        address.to_owned()
    }

    fn limits(&mut self, path: &str, written: &source::Limits, general: Limits) -> Limits {
        let mut read = |field: &str, text: &Option<String>, default: Duration| {
            let Some(text) = text else { return default };
            match units::duration(text) {
                Ok(limit) if limit >= Duration::from_millis(1) && limit <= Duration::from_secs(86_400) => return limit,
                Ok(_) => self.error(format!("{path}.{field}"), "a limit is between 1ms and 24h", None),
                Err(problem) => self.error(format!("{path}.{field}"), problem, None),
            }
            default
        };
        let first_token = read("first_token", &written.first_token, general.first_token);
        let gap = read("gap", &written.gap, general.gap.max(first_token));
        let whole = read("whole", &written.whole, general.whole);
        if gap < first_token {
            self.error(
                format!("{path}.gap"),
                "the gap between tokens may not be shorter than the time to the first token",
                Some(format!("raise it to {}ms or lower first_token", first_token.as_millis())),
            );
        }
        Limits { first_token, gap, whole }
    }

    fn body_limits(&mut self, written: &source::Limits) -> BodyLimits {
        let mut limits = BodyLimits::default();
        for (name, text) in &written.body {
            let path = format!("limits.body.{name}");
            let size = match units::size(text) {
                Ok(size) if (1..=256 << 20).contains(&size) => size,
                Ok(_) => {
                    self.error(path, "a body limit is between 1B and 256MiB", None);
                    continue;
                }
                Err(problem) => {
                    self.error(path, problem, None);
                    continue;
                }
            };
            match Endpoint::ALL.into_iter().find(|endpoint| endpoint.name() == name) {
                Some(Endpoint::Chat) => limits.chat = size,
                Some(Endpoint::Embeddings) => limits.embeddings = size,
                None => {
                    let hint = did_you_mean(name, Endpoint::ALL.into_iter().map(Endpoint::name));
                    self.error(path, format!("no endpoint is called \"{name}\""), hint);
                }
            }
        }
        limits
    }

    /// `None` if it is left out, or if it has errors, which are noted.
    fn provider(&mut self, name: &str, from: &source::Provider, unset: &BTreeSet<Credential>) -> Option<ProviderEntry> {
        let path = format!("providers.{name}");
        let errors = self.errors.len();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            let hint = Some("use letters, digits, '-', '_' and '.'".to_owned());
            self.error(path.clone(), "this name cannot be a cluster's", hint);
        }
        if RESERVED.contains(&name) {
            self.error(path.clone(), format!("\"{name}\" is the name of a cluster of Weir's own"), None);
        }
        let speaks = provider::by_name(&from.dialect);
        if speaks.is_none() {
            let hint = did_you_mean(&from.dialect, provider::ALL.into_iter().map(|provider| provider.name()));
            self.error(format!("{path}.dialect"), format!("no dialect is called \"{}\"", from.dialect), hint);
        }
        let is_local = speaks.is_some_and(|speaks| speaks.reach() == Reach::Sidecar);
        let url = match (&from.endpoint, is_local) {
            (Some(text), false) => match Url::parse(text) {
                Ok(url) => Some(url),
                Err(problem) => {
                    self.error(format!("{path}.endpoint"), problem, Some("such as https://api.openai.com/v1".to_owned()));
                    None
                }
            },
            (Some(_), true) => {
                self.error(format!("{path}.endpoint"), "the sidecar is reached without an endpoint", Some("remove it".to_owned()));
                None
            }
            (None, false) => {
                self.error(path.clone(), "the provider has no endpoint", Some("add endpoint: https://…".to_owned()));
                None
            }
            (None, true) => None,
        };
        let credential = self.credential(&path, from, is_local, unset);
        if from.max_in_flight == Some(0) {
            self.error(format!("{path}.max_in_flight"), "nothing could ever be asked", Some("use 1 or more".to_owned()));
        }
        if errors < self.errors.len() {
            return None;
        }
        if from.optional && credential.as_ref().is_some_and(|credential| unset.contains(credential)) {
            self.left_out.push(format!("provider {name}: its credential is not set"));
            return None;
        }
        Some(ProviderEntry {
            name: name.to_owned(),
            dialect: speaks?.name(),
            url,
            credential,
            ca: from.ca.clone(),
            max_in_flight: from.max_in_flight.unwrap_or(4096),
        })
    }

    fn credential(
        &mut self,
        path: &str,
        from: &source::Provider,
        is_local: bool,
        unset: &BTreeSet<Credential>,
    ) -> Option<Credential> {
        let path = format!("{path}.credential");
        let text = from.credential.as_deref()?;
        if is_local {
            self.error(path, "the sidecar takes no credential", Some("remove it".to_owned()));
            return None;
        }
        let credential = match Credential::parse(text) {
            Ok(credential) => credential,
            Err(problem) => {
                let hint = "write env:NAME or file:PATH; keys themselves do not belong into this file";
                self.error(path, problem, Some(hint.to_owned()));
                return None;
            }
        };
        if !from.optional && unset.contains(&credential) {
            let (what, hint) = match &credential {
                Credential::Env(name) => {
                    (format!("the environment variable {name} is not set"), format!("export {name}=…"))
                }
                Credential::File(file) => (format!("{file} cannot be read"), "create it".to_owned()),
            };
            self.error(path, what, Some(format!("{hint}, or mark the provider with optional: true")));
        }
        Some(credential)
    }

    fn targets(
        &mut self,
        path: &str,
        name: &str,
        from: &source::Model,
        source: &Source,
        providers: &BTreeMap<String, Option<ProviderEntry>>,
    ) -> Vec<Target> {
        if from.targets.is_empty() {
            self.error(format!("{path}.targets"), "the model has no target", Some("add one: {provider: …}".to_owned()));
        }
        if from.targets.len() > MAX_TARGETS {
            self.error(format!("{path}.targets"), format!("a model has {MAX_TARGETS} targets at most"), None);
        }
        let mut targets = Vec::new();
        for (i, target) in from.targets.iter().enumerate() {
            let path = format!("{path}.targets[{i}]");
            let model = target.model.clone().unwrap_or_else(|| name.to_owned());
            self.name(&format!("{path}.model"), &model);
            let Some(entry) = providers.get(&target.provider) else {
                let hint = did_you_mean(&target.provider, source.providers.keys().map(String::as_str));
                self.error(
                    format!("{path}.provider"),
                    format!("no provider is called \"{}\"", target.provider),
                    hint,
                );
                continue;
            };
            let Some(entry) = entry else { continue };
            if entry.url.is_none() && !source.local.models.contains_key(&model) {
                let hint = did_you_mean(&model, source.local.models.keys().map(String::as_str));
                self.error(format!("{path}.model"), format!("local.models has no \"{model}\""), hint);
            }
            targets.push(Target { provider: entry.name.clone(), dialect: entry.dialect.to_owned(), model });
        }
        targets
    }

    fn name(&mut self, path: &str, name: &str) {
        if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
            self.error(path, "a model's name has 1 to 256 characters, none of them a control character", None);
        }
    }

    fn keys(&mut self, source: &Source) -> BTreeMap<KeyHash, Key> {
        let mut keys = BTreeMap::new();
        for (i, key) in source.keys.iter().enumerate() {
            let path = format!("keys[{i}]");
            if key.name.is_empty() || key.name.len() > 128 || key.name.chars().any(char::is_control) {
                self.error(format!("{path}.name"), "a key's name has 1 to 128 characters, no control characters", None);
            }
            for (j, model) in key.models.iter().flatten().enumerate() {
                if !source.models.contains_key(model) {
                    let hint = did_you_mean(model, source.models.keys().map(String::as_str));
                    self.error(format!("{path}.models[{j}]"), format!("no model is called \"{model}\""), hint);
                }
            }
            let Some(hash) = KeyHash::from_hex(&key.sha256) else {
                let hint = "64 hex digits, as `weir keys new` prints them; never the key itself".to_string();
                self.error(format!("{path}.sha256"), "this is no SHA-256", Some(hint));
                continue;
            };
            let entry = Key { name: key.name.clone(), models: key.models.clone() };
            if keys.insert(hash, entry).is_some() {
                self.error(format!("{path}.sha256"), "this key is listed twice", None);
            }
        }
        keys
    }
}

/// Names of clusters that Weir renders for itself.
const RESERVED: [&str; 4] = ["weir-sidecar", "weir-no-plan", "weir-otlp", "weir-status"];
