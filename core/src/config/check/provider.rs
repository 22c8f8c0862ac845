//! The checks of one provider.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Check, endpoint};
use crate::config::entry::{ProviderEntry, Signing};
use crate::config::hint::did_you_mean;
use crate::config::preset::Preset;
use crate::config::source;
use crate::provider::{self, Reach};
use crate::upstream::url::{Credential, Scheme, Url};
use crate::upstream::{LONGEST_REST, Quirks, Upstream};

/// Names of clusters that Weir renders itself.
const RESERVED: [&str; 6] = ["weir", "weir-sidecar", "weir-no-plan", "weir-nowhere", "weir-otlp", "weir-status"];

/// Whether `weir up` starts the simulator at this URL by default.
fn is_simulator(url: &Url) -> bool {
    url.scheme == Scheme::Http && url.port == 10002 && matches!(url.host.as_str(), "127.0.0.1" | "localhost")
}
/// The time limit for a connection, unless configured.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A provider's time limits.
struct Times {
    connect_timeout: Duration,
    keep_idle: Duration,
    longest_rest: Duration,
}

impl Check {
    /// The time limits of a provider's connections and rests; `plain` if it is asked without TLS.
    fn times(&mut self, path: &str, from: &source::Provider, plain: bool) -> Times {
        let second = Duration::from_secs(1);
        let mut time = |field: &str, text: &Option<String>, bounds, default| {
            self.duration(&format!("{path}.{field}"), text.as_deref(), bounds, default)
        };
        let idle = second * if plain { 4 } else { 50 };
        Times {
            connect_timeout: time(
                "connect_timeout",
                &from.connect_timeout,
                (second / 1000, second * 60),
                CONNECT_TIMEOUT,
            ),
            keep_idle: time("keep_idle", &from.keep_idle, (second / 10, second * 3600), idle),
            longest_rest: time("longest_rest", &from.longest_rest, (second, second * 86_400), LONGEST_REST),
        }
    }

    /// `None` if it is left out, or if it has errors, which are noted.
    pub(in crate::config) fn provider(
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
            let hint = Some("choose another".to_owned());
            self.error(path.clone(), format!("\"{name}\" is the name of a cluster of Weir's own"), hint);
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
                    let own = speaks.map(provider::Provider::endpoint).filter(|own| !own.is_empty());
                    let hint = format!("such as {}", own.unwrap_or("https://api.openai.com/v1"));
                    self.error(format!("{path}.endpoint"), problem, Some(hint));
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
        let quirks = from.quirks.clone().or(preset.map(|preset| preset.quirks)).unwrap_or_default();
        if let (Some(url), Some(speaks)) = (&url, speaks) {
            self.begins_at(&path, url, speaks, from, &quirks);
        }
        // A server without TLS is most often the operator's own, and such servers close a connection after five
        // seconds.
        let plain = url.as_ref().is_none_or(|url| url.scheme == Scheme::Http);
        let Times { connect_timeout, keep_idle, longest_rest } = self.times(&path, from, plain);
        if errors < self.errors.len() {
            return None;
        }
        if from.optional && credential.as_ref().is_some_and(|credential| unset.contains(credential)) {
            self.left_out.push(format!("provider {name}: its credential is not set"));
            return None;
        }
        let stands_in = credential.is_none() && url.as_ref().is_some_and(is_simulator);
        Some(ProviderEntry {
            name: name.to_owned(),
            dialect: speaks?.name(),
            simulated: from.simulated.unwrap_or(stands_in),
            url,
            credential,
            ca: from.ca.clone(),
            max_in_flight: from.max_in_flight.unwrap_or(4096),
            buffer: self.buffer,
            traced: self.traced,
            drop_unsupported: from.drop_unsupported,
            api_version: from.api_version.clone(),
            quirks,
            priced_as: from.priced_as.clone().or_else(|| from.preset.clone().filter(|_| from.endpoint.is_none())),
            connect_timeout,
            keep_idle,
            longest_rest,
            headers,
            signing,
        })
    }

    /// Checks that `url` is where the API begins.
    fn begins_at(
        &mut self,
        path: &str,
        url: &Url,
        speaks: &'static dyn provider::Provider,
        from: &source::Provider,
        quirks: &Quirks,
    ) {
        let upstream = Upstream {
            dialect: speaks.name().to_owned(),
            prefix: url.prefix.clone(),
            api_version: from.api_version.clone(),
            quirks: quirks.clone(),
            ..Upstream::default()
        };
        if let Some((problem, hint)) = endpoint::amiss(url, speaks, &upstream, &self.presets) {
            self.error(format!("{path}.endpoint"), problem, Some(hint));
        }
    }

    fn preset(&mut self, path: &str, from: &source::Provider) -> Option<Preset> {
        let name = from.preset.as_ref()?;
        let found = self.presets.get(name).cloned();
        if found.is_none() {
            let hint = did_you_mean(name, self.presets.keys().map(String::as_str));
            let hint = hint.or_else(|| Some("`weir presets` lists them".to_owned()));
            self.error(format!("{path}.preset"), format!("no preset is called \"{name}\""), hint);
        }
        found
    }

    /// How requests are signed, if the dialect can sign and no credential is given instead.
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
                let hint = Some("Envoy reads '%' as a command".to_owned());
                self.error(path, "a header's value is visible ASCII without '%'", hint);
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
}

/// Whether a URL can contain a character without escaping it.
fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._".contains(&b)
}
