//! What Envoy says of itself: which versions it has taken, which clusters it has, what it has refused.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use serde_json::Value;

use crate::AdminAddress;
use crate::render::File;

/// Envoy's admin interface.
#[derive(Clone, Debug)]
pub(super) struct Admin(AdminAddress);

/// How long one question may take.
const PATIENCE: Duration = Duration::from_millis(500);

impl Admin {
    /// The admin interface at `address`.
    pub(super) fn new(address: AdminAddress) -> Self {
        Self(address)
    }

    /// The body of what is at `path`; `None` if Envoy does not answer.
    async fn get(&self, path: &str) -> Option<Bytes> {
        let answer = tokio::time::timeout(PATIENCE, self.0.ask(Method::GET, path)).await.ok()?.ok()?;
        (200..300).contains(&answer.status).then_some(answer.body)
    }

    /// What Envoy has taken and refused so far; its routes are those of this name.
    pub(super) async fn state(&self, routes: &str) -> Option<State> {
        let told = self.get("/stats?format=json&filter=(version_text|update_rejected|config_fail)$").await?;
        let told: Value = serde_json::from_slice(&told).ok()?;
        let mut state = State::default();
        for stat in told.get("stats")?.as_array()? {
            let Some(name) = stat.get("name").and_then(Value::as_str) else { continue };
            let Some((file, what)) = File::ALL.into_iter().find_map(|file| Some((file, about(file, routes, name)?)))
            else {
                continue;
            };
            match (what, stat.get("value")) {
                ("version_text", Some(Value::String(version))) => {
                    state.versions.insert(file, version.clone());
                }
                ("update_rejected" | "config_fail", Some(Value::Number(count))) => {
                    *state.refused.entry(file).or_default() += count.as_u64().unwrap_or_default();
                }
                _ => {}
            }
        }
        Some(state)
    }

    /// The clusters that requests can be sent to, now.
    pub(super) async fn clusters(&self) -> Option<BTreeSet<String>> {
        let clusters: Value = serde_json::from_slice(&self.get("/clusters?format=json").await?).ok()?;
        let clusters = clusters.get("cluster_statuses").and_then(Value::as_array);
        Some(clusters.into_iter().flatten().filter_map(|one| Some(one.get("name")?.as_str()?.to_owned())).collect())
    }

    /// Why Envoy refused what it refused last, in its own words.
    pub(super) async fn reasons(&self) -> Vec<String> {
        let Some(dump) = self.get("/config_dump").await else { return Vec::new() };
        let Ok(dump) = serde_json::from_slice::<Value>(&dump) else { return Vec::new() };
        let mut reasons = Vec::new();
        collect(&dump, &mut reasons);
        reasons
    }
}

/// What Envoy has taken and refused so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The version of each file that is in force.
    pub(super) versions: BTreeMap<File, String>,
    /// How often each file was refused.
    pub(super) refused: BTreeMap<File, u64>,
}

/// What the statistic `name` tells of `file`, if it is about it.
fn about<'n>(file: File, routes: &str, name: &'n str) -> Option<&'n str> {
    match file {
        File::Clusters => name.strip_prefix("cluster_manager.cds."),
        // Between them stands what the connection manager calls its statistics.
        File::Routes => name.strip_prefix("http.")?.split_once(&format!(".rds.{routes}.")).map(|(_, what)| what),
        File::Edge => name.strip_prefix("extension_config_discovery.http_filter.weir-edge."),
        File::Listeners => name.strip_prefix("listener_manager.lds."),
        File::Bootstrap | File::Secrets => None,
    }
}

fn collect(value: &Value, reasons: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let details = map.get("error_state").and_then(|state| state.get("details")).and_then(Value::as_str);
            // Envoy lists a listener's with the listener, and once more beside it.
            reasons.extend(details.map(str::to_owned).filter(|reason| !reasons.contains(reason)));
            map.values().for_each(|value| collect(value, reasons));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, reasons)),
        _ => {}
    }
}
