//! A gateway that is to be started, as its operator would write it down.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Map, Value, json};
use weir_control::render::{Control, ControlAddress};
use weir_core::key::KeyHash;

use super::Gateway;
use super::steward::Steward;
use crate::provider::{Credential, Provider};

/// The key that may use every model; it belongs to `team`.
pub const KEY: &str = "weir-test-key-of-the-team";

/// A gateway to be started.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    pub(super) providers: Vec<Provider>,
    models: Map<String, Value>,
    /// The model that was added last.
    latest: String,
    limits: Map<String, Value>,
    keys: Vec<Value>,
    quotas: Map<String, Value>,
    /// Sections of the configuration besides.
    sections: Map<String, Value>,
    pages: Vec<String>,
    telemetry: Map<String, Value>,
    local: Map<String, Value>,
    pub(super) concurrency: u32,
    /// The most that Envoy holds of a body, if that is less than the filter is told.
    pub(super) holds: Option<u64>,
    /// The plan that each request gets in place of its own.
    pub(super) plan: Option<String>,
    /// The model for which the edge fails.
    pub(super) fails_on: Option<String>,
    pub(super) inside: bool,
    pub(super) steward: Steward,
    pub(super) control: Option<Control>,
    /// Clusters that the bootstrap has besides.
    pub(super) clusters: Vec<(String, SocketAddr)>,
}

impl Builder {
    pub(super) fn new(provider: impl Into<Provider>) -> Self {
        // For a run of all tests behind an operator's Envoy.
        let inside = std::env::var_os("WEIR_TESTS_INSIDE").is_some();
        Self { concurrency: 1, inside, ..Self::default() }.and(provider)
    }

    /// Adds a provider.
    #[must_use]
    pub fn and(mut self, provider: impl Into<Provider>) -> Self {
        self.providers.push(provider.into());
        self
    }

    /// Takes a provider in place of the one of the same name.
    #[must_use]
    pub fn instead(mut self, provider: Provider) -> Self {
        self.providers.retain(|known| known.name != provider.name);
        self.and(provider)
    }

    /// Adds a model with its targets, best first: `provider/model`.
    #[must_use]
    pub fn model<'t>(mut self, name: &str, targets: impl IntoIterator<Item = &'t str>) -> Self {
        let target = |target: &str| {
            let (provider, model) = target.split_once('/').expect("provider/model");
            json!({ "provider": provider, "model": model })
        };
        let targets: Vec<Value> = targets.into_iter().map(target).collect();
        self.models.insert(name.to_owned(), json!({ "targets": targets }));
        name.clone_into(&mut self.latest);
        self
    }

    /// Limits the model that was added last; names are those of the configuration, such as `first_token`.
    #[must_use]
    pub fn within(mut self, limits: Value) -> Self {
        self.models[&self.latest]["limits"] = limits;
        self
    }

    /// Gives the targets of the model that was added last this price, as the configuration has it.
    #[must_use]
    pub fn costing(mut self, price: &Value) -> Self {
        for target in self.models[&self.latest]["targets"].as_array_mut().expect("targets") {
            target["price"] = price.clone();
        }
        self
    }

    /// Sets a general limit, such as `first_token` or `body`.
    #[must_use]
    pub fn limit(mut self, name: &str, limit: impl Into<Value>) -> Self {
        self.limits.insert(name.to_owned(), limit.into());
        self
    }

    /// Adds a key that may use these models only.
    #[must_use]
    pub fn key(mut self, name: &str, key: &str, models: &[&str]) -> Self {
        self.keys.push(json!({ "name": name, "sha256": KeyHash::of(key.as_bytes()).to_string(), "models": models }));
        self
    }

    /// Adds a limit of what callers may use, as the configuration has it.
    #[must_use]
    pub fn quota(mut self, name: &str, quota: Value) -> Self {
        self.quotas.insert(name.to_owned(), quota);
        self
    }

    /// Adds a key with these fields, such as `team` or `networks`.
    #[must_use]
    pub fn key_with(mut self, name: &str, key: &str, fields: Value) -> Self {
        let mut entry = json!({ "name": name, "sha256": KeyHash::of(key.as_bytes()).to_string() });
        if let (Some(entry), Value::Object(fields)) = (entry.as_object_mut(), fields) {
            entry.extend(fields);
        }
        self.keys.push(entry);
        self
    }

    /// Removes the keys that were added.
    #[must_use]
    pub fn without_keys(self) -> Self {
        Self { keys: Vec::new(), ..self }
    }

    /// Sets a section of the configuration, such as `teams` or `application_header`.
    #[must_use]
    pub fn section(mut self, name: &str, value: Value) -> Self {
        self.sections.insert(name.to_owned(), value);
        self
    }

    /// Lets pages of this origin call from a browser.
    #[must_use]
    pub fn page(mut self, origin: &str) -> Self {
        self.pages.push(origin.to_owned());
        self
    }

    /// Lets no page call any more.
    #[must_use]
    pub fn no_pages(self) -> Self {
        Self { pages: Vec::new(), ..self }
    }

    /// Sends spans to this collector.
    #[must_use]
    pub fn traced(mut self, otlp: &str) -> Self {
        self.telemetry.insert("otlp".to_owned(), json!(otlp));
        self
    }

    /// Adds a local model, and `local`, the provider of it: a sidecar at [`Gateway::sidecar_socket`], which a test has to start.
    #[must_use]
    pub fn local(mut self, model: &str) -> Self {
        self.local.insert(model.to_owned(), json!({}));
        self
    }

    /// Runs Envoy with this many workers instead of one.
    #[must_use]
    pub fn workers(mut self, concurrency: u32) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Lets Envoy hold at most `bytes` of a body, although the filter is told a larger limit.
    #[must_use]
    pub fn holding(mut self, bytes: u64) -> Self {
        self.holds = Some(bytes);
        self
    }

    /// Gives each request this plan in place of the edge's, as an edge of another version would write it; `{whole}` stands for the
    /// delivery class of a whole answer.
    #[must_use]
    pub fn with_plan(mut self, text: &str) -> Self {
        self.plan = Some(text.to_owned());
        self
    }

    /// Has the edge fail at each request for `model`, when it has reserved.
    #[must_use]
    pub fn failing_on(mut self, model: &str) -> Self {
        self.fails_on = Some(model.to_owned());
        self
    }

    /// Puts it behind a route of an operator's Envoy, by an internal listener. Without this it has a port of its own.
    #[must_use]
    pub fn inside(mut self) -> Self {
        self.inside = true;
        self
    }

    /// Leaves the steward out, as an operator may.
    #[must_use]
    pub fn without_steward(mut self) -> Self {
        self.steward = Steward::LeftOut;
        self
    }

    /// Gives the steward other settings than those that are rendered.
    #[must_use]
    pub fn steward(mut self, settings: Value) -> Self {
        self.steward = Steward::With(settings);
        self
    }

    /// Shares its limits with other Envoys by the control at this address, under this name.
    #[must_use]
    pub fn shares(mut self, at: ControlAddress, node: &str) -> Self {
        self.control = Some(Control::at(at, node));
        self
    }

    /// The same by TLS and with a token.
    #[must_use]
    pub fn shares_by(mut self, control: Control) -> Self {
        self.control = Some(control);
        self
    }

    /// Adds a cluster that is no provider's, for the steward to call.
    #[must_use]
    pub fn cluster(mut self, name: &str, at: SocketAddr) -> Self {
        self.clusters.push((name.to_owned(), at));
        self
    }

    /// Starts it, and returns once it answers.
    pub async fn start(self) -> Gateway {
        Gateway::start(self).await
    }

    /// The configuration as an operator would write it, and the variables that it refers to.
    pub(super) fn configuration(&self, listen: SocketAddr, folder: &Path) -> (Value, BTreeMap<String, String>) {
        let mut vars = BTreeMap::new();
        let mut providers = Map::new();
        for provider in &self.providers {
            let mut entry = json!({ "dialect": provider.dialect, "endpoint": provider.endpoint });
            match &provider.credential {
                Some(Credential::Env(key)) => {
                    let name = provider.variable();
                    entry["credential"] = json!(format!("env:{name}"));
                    vars.insert(name, key.clone());
                }
                Some(Credential::File(key)) => {
                    let file = format!("{}.key", provider.name);
                    fs::write(folder.join(&file), key).expect("the key's file");
                    entry["credential"] = json!(format!("file:{file}"));
                }
                Some(Credential::Aws(access, secret)) => {
                    let file = format!("{}.aws", provider.name);
                    let profile = format!("[default]\naws_access_key_id={access}\naws_secret_access_key={secret}\n");
                    fs::write(folder.join(&file), profile).expect("the credentials' file");
                    entry["aws"] = json!({ "region": "us-east-1", "credentials_file": file });
                }
                None => {}
            }
            if let Some(ca) = &provider.ca {
                let file = format!("{}.pem", provider.name);
                fs::write(folder.join(&file), ca).expect("the bundle");
                entry["ca"] = json!(file);
            }
            if let Some(most) = provider.max_in_flight {
                entry["max_in_flight"] = json!(most);
            }
            for (field, value) in &provider.settings {
                entry[field] = value.clone();
            }
            providers.insert(provider.name.clone(), entry);
        }
        if !self.local.is_empty() {
            providers.insert("local".to_owned(), json!({ "dialect": "local" }));
        }
        let mut keys = vec![json!({ "name": "team", "sha256": KeyHash::of(KEY.as_bytes()).to_string() })];
        keys.extend(self.keys.iter().cloned());
        let mut source = json!({
            "listen": listen.to_string(),
            "limits": self.limits,
            "providers": providers,
            "models": self.models,
            "keys": keys,
            "quotas": self.quotas,
            "cors": { "origins": self.pages },
            "telemetry": self.telemetry,
            "local": { "models": self.local },
        });
        if let Some(source) = source.as_object_mut() {
            source.extend(self.sections.clone());
        }
        (source, vars)
    }
}
