//! The resources by name: as files that Envoy watches, joined with older ones, or all in one bootstrap.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::routes::Routes;
use super::{filters, listener, secrets};

/// A file of the folder that Envoy is started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum File {
    /// What Envoy starts with; read once.
    Bootstrap,
    /// SDS: where credentials are read from; one file each, because Envoy takes no file with two.
    Secrets,
    /// CDS: one cluster a provider.
    Clusters,
    /// RDS: one route a delivery class.
    Routes,
    /// ECDS: the edge role with its configuration.
    Edge,
    /// LDS: the door, and the way to the sidecar.
    Listeners,
}

impl File {
    /// Every file, in the order in which they are written: what is referred to comes first.
    pub const ALL: [Self; 6] =
        [Self::Secrets, Self::Clusters, Self::Routes, Self::Edge, Self::Listeners, Self::Bootstrap];

    /// Its name in the folder; of [`Secrets`](Self::Secrets), what each name begins with.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap.json",
            Self::Secrets => "sds-",
            Self::Clusters => "cds.json",
            Self::Routes => "rds.json",
            Self::Edge => "edge.json",
            Self::Listeners => "lds.json",
        }
    }
}

/// What a connection manager of the operator's needs, as a file beside the bootstrap.
const MANAGER: &str = "manager.json";

/// Everything that Envoy is told, by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Resources {
    pub(super) bootstrap: Value,
    pub(super) listeners: BTreeMap<String, Value>,
    /// What a connection manager of the operator's needs, where there is no listener of ours.
    pub(super) manager: Option<Value>,
    pub(super) clusters: BTreeMap<String, Value>,
    pub(super) routes: Routes,
    pub(super) edge: Value,
    pub(super) secrets: BTreeMap<String, Value>,
    pub(super) folder: PathBuf,
}

impl Resources {
    /// These, and from `older` what these do not have: requests planned before a change find what they were promised.
    ///
    /// The edge's configuration, the listeners and the bootstrap are these' own.
    #[must_use]
    pub fn with(&self, older: &Self) -> Self {
        let mut both = self.clone();
        for (name, cluster) in &older.clusters {
            both.clusters.entry(name.clone()).or_insert_with(|| cluster.clone());
        }
        for (name, secret) in &older.secrets {
            both.secrets.entry(name.clone()).or_insert_with(|| secret.clone());
        }
        both.routes.join(&older.routes);
        both
    }

    /// Names of the clusters.
    pub fn clusters(&self) -> impl Iterator<Item = &str> {
        self.clusters.keys().map(String::as_str)
    }

    /// The name by which Envoy asks for the routes.
    pub fn routes_name(&self) -> &str {
        self.routes.name()
    }

    /// Whether Envoy must be restarted to go from `older` to these.
    pub fn need_restart(&self, older: &Self) -> bool {
        self.bootstrap != older.bootstrap || self.manager != older.manager
    }

    /// The longest that a plan can go on asking for clusters: all its tries, each up to its limit.
    ///
    /// An answer that has begun may go on longer; it needs its cluster no more.
    pub fn longest(&self) -> std::time::Duration {
        self.routes.longest()
    }

    /// The version by which Envoy names one file's content; `None` where Envoy keeps no version.
    pub fn version(&self, file: File) -> Option<String> {
        match file {
            File::Clusters => Some(version(&typed(CLUSTER, self.clusters.values()))),
            File::Routes => Some(version(&typed(ROUTES, [&self.routes.value()]))),
            File::Edge => Some(version(&typed(EXTENSION, [&self.edge]))),
            File::Listeners => Some(version(&typed(LISTENER, self.listeners.values()))),
            File::Secrets | File::Bootstrap => None,
        }
    }

    /// Every file in the order in which they are written: kind, name in the folder, content.
    pub fn files(&self) -> Vec<(File, String, String)> {
        let files = File::ALL
            .into_iter()
            .map(|file| self.files_of(file).into_iter().map(move |(name, text)| (file, name, text)));
        files.flatten().collect()
    }

    /// The files of one kind: name in the folder, content.
    pub fn files_of(&self, file: File) -> Vec<(String, String)> {
        let one = |text| vec![(file.name().to_owned(), text)];
        match file {
            File::Bootstrap => {
                let manager = self.manager.iter().map(|manager| (MANAGER.to_owned(), pretty(manager)));
                one(pretty(&self.bootstrap)).into_iter().chain(manager).collect()
            }
            File::Secrets => {
                let secrets = self.secrets.iter();
                secrets.map(|(name, secret)| (secrets::file(name), response(&typed(SECRET, [secret])))).collect()
            }
            File::Clusters => one(response(&typed(CLUSTER, self.clusters.values()))),
            File::Routes => one(response(&typed(ROUTES, [&self.routes.value()]))),
            File::Edge => one(response(&typed(EXTENSION, [&self.edge]))),
            File::Listeners => one(response(&typed(LISTENER, self.listeners.values()))),
        }
    }

    /// Everything in one bootstrap, nothing watched: what `envoy --mode validate` checks to the last field.
    pub fn in_one(&self) -> Value {
        let mut all = self.bootstrap.clone();
        let clusters = all.pointer("/static_resources/clusters").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut own: Vec<Value> = self.clusters.values().cloned().collect();
        own.iter_mut().for_each(filters::inline_secrets);
        let clusters: Vec<Value> = clusters.into_iter().chain(own).collect();
        let listeners =
            self.listeners.values().map(|listener| listener::inline(listener, &self.routes.value(), &self.edge));
        if let Some(all) = all.as_object_mut() {
            all.remove("dynamic_resources");
            let resources = json!({
                "clusters": clusters,
                "listeners": listeners.collect::<Vec<_>>(),
                "secrets": self.secrets.values().collect::<Vec<_>>(),
            });
            all.insert("static_resources".to_owned(), resources);
        }
        all
    }
}

const SECRET: &str = "envoy.extensions.transport_sockets.tls.v3.Secret";
const CLUSTER: &str = "envoy.config.cluster.v3.Cluster";
const ROUTES: &str = "envoy.config.route.v3.RouteConfiguration";
const EXTENSION: &str = "envoy.config.core.v3.TypedExtensionConfig";
const LISTENER: &str = "envoy.config.listener.v3.Listener";

/// A discovery response whose version is its content's hash, so that Envoy tells us by it what it has taken.
fn response(resources: &Value) -> String {
    pretty(&json!({ "version_info": version(resources), "resources": resources }))
}

fn version(resources: &Value) -> String {
    let digest = Sha256::digest(pretty(resources));
    let short = digest.first_chunk::<8>().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(short))
}

/// `values`, each marked as what it is.
fn typed<'a>(kind: &str, values: impl IntoIterator<Item = &'a Value>) -> Value {
    let mark = |value: &Value| {
        let mut typed = Map::new();
        typed.insert("@type".to_owned(), json!(format!("type.googleapis.com/{kind}")));
        typed.extend(value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
        Value::Object(typed)
    };
    values.into_iter().map(mark).collect()
}

/// JSON with its keys in order, whatever order the map type keeps.
pub(super) fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(&sorted(value)).unwrap_or_default();
    text.push('\n');
    text
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: BTreeMap<&String, Value> = map.iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(map.into_iter().map(|(name, value)| (name.clone(), value)).collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
