//! All resources of one Envoy by name: as files that Envoy watches, joined with older ones, or in one bootstrap.

mod in_one;
mod response;

use std::collections::BTreeMap;

use serde_json::Value;

use self::response::{pretty, response, typed, version};
use super::kind::Kind;
use super::routes::Routes;
use super::secrets;

/// The file beside the bootstrap with the fields that the operator's connection manager needs.
const MANAGER: &str = "manager.json";

/// Everything that Envoy is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Resources {
    pub(super) bootstrap: Value,
    pub(super) listeners: BTreeMap<String, Value>,
    /// The fields that the operator's connection manager needs, if Weir has no listener.
    pub(super) manager: Option<Value>,
    pub(super) clusters: BTreeMap<String, Value>,
    pub(super) routes: Routes,
    pub(super) edge: Value,
    pub(super) secrets: BTreeMap<String, Value>,
}

impl Resources {
    /// These resources, and the clusters, secrets and routes of `older` that they do not have. So requests that were planned before a
    /// change find their clusters.
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

    /// The longest time for which a plan can ask for clusters: all its tries, each up to its limit.
    ///
    /// An answer that has begun may take longer, but no longer needs its cluster.
    pub fn longest(&self) -> std::time::Duration {
        self.routes.longest()
    }

    /// The version of the resources of one kind, as Envoy reports it. `None` if Envoy reports none.
    pub fn version(&self, kind: Kind) -> Option<String> {
        match kind {
            Kind::Clusters => Some(version(&typed(CLUSTER, self.clusters.values()))),
            Kind::Routes => Some(version(&typed(ROUTES, [&self.routes.value()]))),
            Kind::Edge => Some(version(&typed(EXTENSION, [&self.edge]))),
            Kind::Listeners => Some(version(&typed(LISTENER, self.listeners.values()))),
            Kind::Secrets | Kind::Bootstrap => None,
        }
    }

    /// Every file, in the order of [`Kind::ALL`]: kind, name in the folder, content.
    pub fn files(&self) -> Vec<(Kind, String, String)> {
        let files = Kind::ALL
            .into_iter()
            .map(|kind| self.files_of(kind).into_iter().map(move |(name, text)| (kind, name, text)));
        files.flatten().collect()
    }

    /// The files of one kind: name in the folder, content.
    pub fn files_of(&self, kind: Kind) -> Vec<(String, String)> {
        let one = |text| vec![(kind.file().to_owned(), text)];
        match kind {
            Kind::Bootstrap => {
                let manager = self.manager.iter().map(|manager| (MANAGER.to_owned(), pretty(manager)));
                one(pretty(&self.bootstrap)).into_iter().chain(manager).collect()
            }
            Kind::Secrets => {
                let secrets = self.secrets.iter();
                secrets.map(|(name, secret)| (secrets::file(name), response(&typed(SECRET, [secret])))).collect()
            }
            Kind::Clusters => one(response(&typed(CLUSTER, self.clusters.values()))),
            Kind::Routes => one(response(&typed(ROUTES, [&self.routes.value()]))),
            Kind::Edge => one(response(&typed(EXTENSION, [&self.edge]))),
            Kind::Listeners => one(response(&typed(LISTENER, self.listeners.values()))),
        }
    }
}

const SECRET: &str = "envoy.extensions.transport_sockets.tls.v3.Secret";
const CLUSTER: &str = "envoy.config.cluster.v3.Cluster";
const ROUTES: &str = "envoy.config.route.v3.RouteConfiguration";
const EXTENSION: &str = "envoy.config.core.v3.TypedExtensionConfig";
const LISTENER: &str = "envoy.config.listener.v3.Listener";
