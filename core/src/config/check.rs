//! Every check of the configuration, one section a function; all errors are noted, none ends the checking.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::ConfigError;
use super::gateway::{AccessLog, Limits, LocalModel, LocalSettings, ProviderEntry, Signing, Telemetry};
use super::hint::did_you_mean;
use super::preset::Preset;
use super::routing::{BodyLimits, Key, Target};
use super::source::{self, Source};
use super::units;
use super::url::{Credential, Url};
use crate::endpoint::Endpoint;
use crate::key::KeyHash;
use crate::provider::{self, Reach};

/// The most tries that one request can make; more targets than that are an error.
const MAX_TARGETS: usize = 16;

pub(super) const DEFAULT_LIMITS: Limits =
    Limits { first_token: Duration::from_secs(30), gap: Duration::from_secs(30), whole: Duration::from_secs(300) };

/// Names of clusters that Weir renders for itself.
const RESERVED: [&str; 4] = ["weir-sidecar", "weir-no-plan", "weir-otlp", "weir-status"];

/// The errors found so far.
pub(super) struct Check {
    /// Spans are written.
    pub(super) traced: bool,
    pub(super) errors: Vec<ConfigError>,
    pub(super) left_out: Vec<String>,
}

impl Check {
    pub(super) fn error(&mut self, path: impl Into<String>, problem: impl Into<String>, hint: Option<String>) {
        self.errors.push(ConfigError { path: path.into(), problem: problem.into(), hint });
    }

    pub(super) fn address(&mut self, path: &str, written: Option<&str>, default: &str) -> String {
        let address = written.unwrap_or(default);
        if address.parse::<SocketAddr>().is_err() {
            let hint = match address.strip_prefix("localhost") {
                Some(port) => format!("write it as 127.0.0.1{port}"),
                None => format!("write it as {default}"),
            };
            self.error(path, format!("\"{address}\" is no IP address with a port"), Some(hint));
        }
        address.to_owned()
    }

    pub(super) fn limits(&mut self, path: &str, written: &source::Limits, general: Limits) -> Limits {
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
        // Equal limits are kept by one timer to the millisecond, so they stay equal where nobody says otherwise.
        let gap = if general.gap == general.first_token { first_token } else { general.gap.max(first_token) };
        let gap = read("gap", &written.gap, gap);
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

    pub(super) fn body_limits(&mut self, written: &source::Limits) -> BodyLimits {
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
            if let Some(endpoint) = Endpoint::from_name(name) {
                limits.0.insert(endpoint, size);
            } else {
                let hint = did_you_mean(name, Endpoint::ALL.into_iter().map(Endpoint::name));
                self.error(path, format!("no endpoint is called \"{name}\""), hint);
            }
        }
        limits
    }

    pub(super) fn held(&mut self, written: &source::Limits) -> u64 {
        const DEFAULT: u64 = 256 << 20;
        match written.held.as_deref().map(units::size) {
            None => DEFAULT,
            Some(Ok(size)) => size,
            Some(Err(problem)) => {
                self.error("limits.held", problem, Some("such as 256MiB".to_owned()));
                DEFAULT
            }
        }
    }

    /// `None` if it is left out, or if it has errors, which are noted.
    pub(super) fn provider(
        &mut self,
        name: &str,
        from: &source::Provider,
        unset: &BTreeSet<Credential>,
    ) -> Option<ProviderEntry> {
        let path = format!("providers.{name}");
        let errors = self.errors.len();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            let hint = Some("use letters, digits, '-', '_' and '.'".to_owned());
            self.error(path.clone(), "this name cannot be a cluster's", hint);
        }
        if RESERVED.contains(&name) {
            self.error(path.clone(), format!("\"{name}\" is the name of a cluster of Weir's own"), None);
        }
        let preset = self.preset(&path, from);
        let dialect = from.dialect.as_ref().or(preset.as_ref().map(|preset| &preset.dialect));
        let speaks = dialect.and_then(|dialect| provider::by_name(dialect));
        match dialect {
            None if from.preset.is_none() => {
                let hint = "add dialect: openai, or another that it speaks, or a preset";
                self.error(path.clone(), "nothing says what this provider speaks", Some(hint.to_owned()));
            }
            Some(dialect) if speaks.is_none() => {
                let hint = did_you_mean(dialect, provider::ALL.into_iter().map(provider::Provider::name));
                self.error(format!("{path}.dialect"), format!("no dialect is called \"{dialect}\""), hint);
            }
            _ => {}
        }
        let is_local = speaks.is_some_and(|speaks| speaks.reach() == Reach::Sidecar);
        let endpoint = from.endpoint.as_ref().or(preset.as_ref().map(|preset| &preset.endpoint));
        let url = match (endpoint, is_local) {
            (Some(text), false) => match Url::parse(text) {
                Ok(url) => Some(url),
                Err(problem) => {
                    self.error(
                        format!("{path}.endpoint"),
                        problem,
                        Some("such as https://api.openai.com/v1".to_owned()),
                    );
                    None
                }
            },
            (Some(_), true) => {
                self.error(
                    format!("{path}.endpoint"),
                    "the sidecar is reached without an endpoint",
                    Some("remove it".to_owned()),
                );
                None
            }
            (None, false) => {
                self.error(path.clone(), "the provider has no endpoint", Some("add endpoint: https://…".to_owned()));
                None
            }
            (None, true) => None,
        };
        let text = from.credential.as_deref().or(preset.as_ref().and_then(|preset| preset.credential.as_deref()));
        let credential = self.credential(&path, text, from.optional, is_local, unset);
        let signing = self.signing(&path, from, speaks, credential.as_ref(), url.as_ref());
        let headers = self.headers(&path, from);
        if from.api_version.as_ref().is_some_and(|version| !version.bytes().all(is_unreserved)) {
            let hint = Some("such as 2024-10-21".to_owned());
            self.error(format!("{path}.api_version"), "this is no API version", hint);
        }
        if from.max_in_flight == Some(0) {
            self.error(
                format!("{path}.max_in_flight"),
                "nothing could ever be asked",
                Some("use 1 or more".to_owned()),
            );
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
            traced: self.traced,
            drop_unsupported: from.drop_unsupported,
            api_version: from.api_version.clone(),
            quirks: from.quirks.clone().or(preset.map(|preset| preset.quirks)).unwrap_or_default(),
            headers,
            signing,
        })
    }

    fn preset(&mut self, path: &str, from: &source::Provider) -> Option<Preset> {
        let name = from.preset.as_ref()?;
        let mut presets = Preset::all();
        let found = presets.remove(name);
        if found.is_none() {
            let hint = did_you_mean(name, presets.keys().map(String::as_str));
            let hint = hint.or_else(|| Some("`weir presets` lists them".to_owned()));
            self.error(format!("{path}.preset"), format!("no preset is called \"{name}\""), hint);
        }
        found
    }

    /// How requests are signed, if they are: where the dialect can, and no credential is given instead.
    fn signing(
        &mut self,
        path: &str,
        from: &source::Provider,
        speaks: Option<&'static dyn provider::Provider>,
        credential: Option<&Credential>,
        url: Option<&Url>,
    ) -> Option<Signing> {
        let path = format!("{path}.aws");
        let service = speaks.and_then(provider::Provider::signing).filter(|_| credential.is_none());
        let Some(service) = service else {
            if from.aws.is_some() {
                self.error(path, "requests to this provider are not signed", Some("remove it".to_owned()));
            }
            return None;
        };
        let aws = from.aws.clone().unwrap_or_default();
        // `bedrock-runtime.us-east-1.amazonaws.com`
        let from_host = || {
            let mut labels = url?.host.strip_suffix(".amazonaws.com")?.split('.');
            labels.next_back().filter(|region| region.contains('-')).map(ToOwned::to_owned)
        };
        let region = aws.region.or_else(from_host);
        if region.as_ref().is_none_or(|region| region.is_empty() || !region.bytes().all(is_unreserved)) {
            let hint = Some("such as us-east-1".to_owned());
            self.error(format!("{path}.region"), "the region to sign for is not known", hint);
        }
        if aws.profile.is_some() && aws.credentials_file.is_none() {
            let hint = Some("add credentials_file".to_owned());
            self.error(format!("{path}.profile"), "a profile is one of a credentials file", hint);
        }
        Some(Signing { service, region: region?, credentials_file: aws.credentials_file, profile: aws.profile })
    }

    fn headers(&mut self, path: &str, from: &source::Provider) -> Vec<(String, String)> {
        let credentials = provider::ALL.into_iter().filter_map(provider::Provider::credential);
        let mut taken: Vec<&str> = credentials.map(|header| header.name).collect();
        taken.extend(["host", "content-length", "content-type", "accept-encoding", "connection", "transfer-encoding"]);
        for (name, value) in &from.headers {
            let path = format!("{path}.headers.{name}");
            let is_token = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
            if name.is_empty() || !name.bytes().all(is_token) || name.starts_with("x-envoy") {
                self.error(
                    path.clone(),
                    "this cannot be a header here",
                    Some("write its name in lower case".to_owned()),
                );
            } else if taken.contains(&name.as_str()) || name == "cookie" || name.contains("api-key") {
                let hint = "a credential belongs into `credential`, as a reference";
                self.error(path.clone(), "this header is Weir's to write", Some(hint.to_owned()));
            }
            if value.bytes().any(|b| !(0x20..0x7f).contains(&b)) || value.contains('%') {
                self.error(path, "a header's value is visible ASCII without '%'", None);
            }
        }
        from.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn credential(
        &mut self,
        path: &str,
        text: Option<&str>,
        optional: bool,
        is_local: bool,
        unset: &BTreeSet<Credential>,
    ) -> Option<Credential> {
        let path = format!("{path}.credential");
        let text = text?;
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
        if !optional && unset.contains(&credential) {
            let (what, hint) = match &credential {
                Credential::Env(name) => {
                    (format!("the environment variable {name} is not set or empty"), format!("export {name}=…"))
                }
                Credential::File(file) => (format!("{file} cannot be read or is empty"), "create it".to_owned()),
            };
            self.error(path, what, Some(format!("{hint}, or mark the provider with optional: true")));
        }
        Some(credential)
    }

    pub(super) fn targets(
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
                self.error(format!("{path}.provider"), format!("no provider is called \"{}\"", target.provider), hint);
                continue;
            };
            let Some(entry) = entry else { continue };
            if entry.url.is_none() && !source.local.models.contains_key(&model) {
                let hint = did_you_mean(&model, source.local.models.keys().map(String::as_str));
                self.error(format!("{path}.model"), format!("local.models has no \"{model}\""), hint);
            }
            targets.push(Target { provider: entry.name.clone(), model });
        }
        targets
    }

    pub(super) fn local(&mut self, written: &source::Local) -> LocalSettings {
        for name in written.models.keys() {
            if name.is_empty() || name.contains(['/', '\\']) || name == "." || name == ".." {
                self.error(format!("local.models.{name}"), "a local model is named as its folder is", None);
            }
        }
        if written.threads == Some(0) {
            self.error("local.threads", "inference needs a thread", Some("use 1 or more, or remove it".to_owned()));
        }
        LocalSettings {
            folder: written.folder.clone(),
            models: written
                .models
                .iter()
                .map(|(name, model)| (name.clone(), LocalModel { engine: model.engine }))
                .collect(),
            max_waiting: written.max_waiting.unwrap_or(1024),
            threads: written.threads,
        }
    }

    pub(super) fn telemetry(&mut self, written: &source::Telemetry) -> Telemetry {
        let access_log = written.access_log.as_ref().map(|log| match log.as_str() {
            "stdout" => AccessLog::Stdout,
            file => AccessLog::File(file.to_owned()),
        });
        if written.access_log.as_deref() == Some("") {
            self.error("telemetry.access_log", "this is no file", Some("name a file, or stdout".to_owned()));
        }
        let otlp = written.otlp.as_deref().and_then(|text| match Url::parse(text) {
            Ok(url) => Some(url),
            Err(problem) => {
                self.error("telemetry.otlp", problem, Some("such as http://127.0.0.1:4317".to_owned()));
                None
            }
        });
        Telemetry { access_log, otlp }
    }

    pub(super) fn name(&mut self, path: &str, name: &str) {
        if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
            self.error(path, "a model's name has 1 to 256 characters, none of them a control character", None);
        }
    }

    pub(super) fn keys(&mut self, source: &Source) -> BTreeMap<KeyHash, Key> {
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

/// Whether a character can stand in a URL as it is.
fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._".contains(&b)
}
