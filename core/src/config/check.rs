//! The checks of the configuration, one function for each section. All errors are noted, and none stops the checking.

mod access;
mod endpoint;
mod ledger;
pub(super) mod price;
mod provider;
mod quota;
mod telemetry;

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use weir_hub::endpoint::Endpoint;

use super::entry::{Limits, LocalModel, LocalSettings, ProviderEntry};
use super::hint::did_you_mean;
use super::preset::Preset;
use super::routing::{BodyLimits, Target};
use super::source::{self, Source};
use super::{ConfigError, units};
use crate::plan::KEEP_ALIVE;

/// The most tries that one request can make; more targets than that are an error.
const MAX_TARGETS: usize = 16;

pub(super) const DEFAULT_LIMITS: Limits = Limits {
    first_token: Duration::from_secs(30),
    gap: Duration::from_secs(30),
    keep_alive: KEEP_ALIVE,
    whole: Duration::from_secs(300),
    total: Duration::from_secs(610),
};

/// The limit of all tries, unless configured: two full tries, and their connections.
fn usual_total(first_token: Duration, whole: Duration) -> Duration {
    first_token.max(whole).saturating_mul(2) + Duration::from_secs(10)
}

/// The errors found so far.
pub(super) struct Check {
    /// Whether spans are written.
    pub(super) traced: bool,
    /// How many bytes of a body Envoy holds.
    pub(super) buffer: u64,
    /// The known hosts.
    pub(super) presets: BTreeMap<String, Preset>,
    pub(super) errors: Vec<ConfigError>,
    pub(super) left_out: Vec<String>,
}

impl Check {
    pub(super) fn error(&mut self, path: impl Into<String>, problem: impl Into<String>, hint: Option<String>) {
        self.errors.push(ConfigError { path: path.into(), problem: problem.into(), hint });
    }

    pub(super) fn address(&mut self, path: &str, written: Option<&str>, default: &str) -> String {
        let written = written.unwrap_or(default);
        let address = match written.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => written.to_owned(),
        };
        if address.parse::<SocketAddr>().is_err() {
            let hint = format!("write it as {default}");
            self.error(path, format!("\"{written}\" is no IP address with a port"), Some(hint));
        }
        address
    }

    /// The address of Envoy's admin interface, which is not the one that clients connect to.
    pub(super) fn admin(&mut self, written: Option<&str>, listen: &str) -> Option<String> {
        let admin = self.address("admin", Some(written?), "127.0.0.1:10001");
        if admin == listen {
            let hint = Some("use another port than for listen".to_owned());
            self.error("admin", "clients connect to this address", hint);
        }
        Some(admin)
    }

    pub(super) fn limits(&mut self, path: &str, written: &source::Limits, general: Limits) -> Limits {
        let mut read = |field: &str, text: &Option<String>, default: Duration| {
            let Some(text) = text else { return default };
            match units::duration(text) {
                Ok(limit) if limit >= Duration::from_millis(1) && limit <= Duration::from_secs(86_400) => return limit,
                Ok(_) => {
                    self.error(
                        format!("{path}.{field}"),
                        "a limit is between 1ms and 24h",
                        Some("such as 30s".to_owned()),
                    );
                }
                Err(problem) => self.error(format!("{path}.{field}"), problem, None),
            }
            default
        };
        let first_token = read("first_token", &written.first_token, general.first_token);
        // Equal limits are kept by one timer, to the millisecond. So they stay equal unless configured otherwise.
        let gap = if general.gap == general.first_token { first_token } else { general.gap.max(first_token) };
        let gap = read("gap", &written.gap, gap);
        let keep_alive = read("keep_alive", &written.keep_alive, general.keep_alive.max(gap));
        let whole = read("whole", &written.whole, general.whole);
        let longest = first_token.max(whole);
        let usual = general.total == usual_total(general.first_token, general.whole);
        let total = if usual { usual_total(first_token, whole) } else { general.total.max(longest) };
        let total = read("total", &written.total, total);
        if gap < first_token {
            self.error(
                format!("{path}.gap"),
                "the gap between tokens may not be shorter than the time to the first token",
                Some(format!("raise it to {}ms or lower first_token", first_token.as_millis())),
            );
        }
        if keep_alive < gap {
            self.error(
                format!("{path}.keep_alive"),
                "keep-alives may not shorten the gap between tokens",
                Some(format!("raise it to {}ms or lower gap", gap.as_millis())),
            );
        }
        if total < longest {
            self.error(
                format!("{path}.total"),
                "the limit of all tries may not be shorter than that of one",
                Some(format!("raise it to {}ms, or lower first_token and whole", longest.as_millis())),
            );
        }
        Limits { first_token, gap, keep_alive, whole, total }
    }

    /// A duration between `least` and `most`.
    pub(super) fn duration(
        &mut self,
        path: &str,
        text: Option<&str>,
        (least, most): (Duration, Duration),
        default: Duration,
    ) -> Duration {
        match text.map(units::duration) {
            None => default,
            Some(Ok(long)) if (least..=most).contains(&long) => long,
            Some(Ok(_)) => {
                let problem = format!("it is between {}ms and {}s", least.as_millis(), most.as_secs());
                self.error(path, problem, Some(format!("such as {}ms", default.as_millis())));
                default
            }
            Some(Err(problem)) => {
                self.error(path, problem, None);
                default
            }
        }
    }

    /// Refuses limits that a model cannot have, because they belong to a worker, an endpoint or every request.
    pub(super) fn not_of_a_model(&mut self, path: &str, written: &source::Limits) {
        let elsewhere = [
            ("held", written.held.is_some()),
            ("in_flight", written.in_flight.is_some()),
            ("in_flight_per_key", written.in_flight_per_key.is_some()),
            ("parts", written.parts.is_some()),
        ];
        let hint = || Some("move it to `limits` at the top".to_owned());
        for (field, _) in elsewhere.into_iter().filter(|(_, written)| *written) {
            self.error(format!("{path}.limits.{field}"), "this limit is not one of a model", hint());
        }
        if !written.body.is_empty() {
            let problem = "the body limit belongs to an endpoint, not to a model";
            self.error(format!("{path}.limits.body"), problem, hint());
        }
    }

    pub(super) fn body_limits(&mut self, written: &source::Limits) -> BodyLimits {
        let mut limits = BodyLimits::default();
        for (name, text) in &written.body {
            let path = format!("limits.body.{name}");
            let size = match units::size(text) {
                Ok(size) if (1..=256 << 20).contains(&size) => size,
                Ok(_) => {
                    self.error(path, "a body limit is between 1B and 256MiB", Some("such as 16MiB".to_owned()));
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

    /// The limit of requests under way in this field.
    pub(super) fn in_flight(&mut self, field: &str, written: Option<u32>, default: u32) -> u32 {
        if written == Some(0) {
            let hint = Some("use 1 or more".to_owned());
            self.error(format!("limits.{field}"), "nothing could ever be asked", hint);
        }
        written.unwrap_or(default)
    }

    pub(super) fn parts(&mut self, written: &source::Limits) -> u64 {
        /// With more, a context of a million tokens would have room for only a few tokens in each.
        const DEFAULT: u32 = 50_000;
        let most = written.parts.unwrap_or(DEFAULT);
        if most == 0 {
            self.error("limits.parts", "no request has no message", Some(format!("such as {DEFAULT}")));
        }
        most.into()
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
            let hint = Some(format!("keep the first {MAX_TARGETS}"));
            self.error(format!("{path}.targets"), format!("a model has {MAX_TARGETS} targets at most"), hint);
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
            targets.push((entry.simulated, Target { provider: entry.name.clone(), model }));
        }
        // A simulated answer must never replace a real one that failed.
        let real = targets.iter().any(|(simulated, _)| !simulated);
        if real && targets.extract_if(.., |(simulated, _)| *simulated).count() > 0 {
            self.left_out.push(format!("model {name}: its simulated targets, since a real one can be asked"));
        }
        targets.into_iter().map(|(_, target)| target).collect()
    }

    pub(super) fn local(&mut self, written: &source::Local) -> LocalSettings {
        for name in written.models.keys() {
            if name.is_empty() || name.contains(['/', '\\']) || name == "." || name == ".." {
                let hint = "write the folder's name alone; `local.folder` says where it is";
                self.error(
                    format!("local.models.{name}"),
                    "a local model is named as its folder is",
                    Some(hint.to_owned()),
                );
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
            max_waiting: written.max_waiting.unwrap_or(4096),
            threads: written.threads,
        }
    }

    /// The origins of the web pages that may call.
    pub(super) fn cors(&mut self, written: &source::Cors) -> Vec<String> {
        for (at, origin) in written.origins.iter().enumerate() {
            if origin != "*" && !is_origin(origin) {
                self.error(
                    format!("cors.origins[{at}]"),
                    format!("\"{origin}\" is no origin of a page"),
                    Some(
                        "a scheme and a host in lower case, without a path, such as https://app.example.com; or *"
                            .to_owned(),
                    ),
                );
            }
        }
        written.origins.clone()
    }

    pub(super) fn name(&mut self, path: &str, name: &str) {
        if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
            let hint = if name.is_empty() { "give it a name" } else { "shorten it, or remove what cannot be seen" };
            let problem = "a model's name has 1 to 256 characters, none of them a control character";
            self.error(path, problem, Some(hint.to_owned()));
        }
    }
}

/// Whether `text` is an origin in the form that browsers send.
///
/// <https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin>
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let names = |text: &str, also: &[u8]| {
        let may_stand = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || also.contains(&byte);
        !text.is_empty() && text.bytes().all(may_stand)
    };
    let is_usual =
        matches!(scheme, "http" if host.ends_with(":80")) || matches!(scheme, "https" if host.ends_with(":443"));
    names(scheme, b"+-.") && names(host, b"-._:[]") && !is_usual
}
