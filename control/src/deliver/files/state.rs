//! What Envoy has taken and refused, as its admin interface says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

use serde_json::Value;

use crate::admin::Admin;
use crate::render::Kind;

/// What Envoy has taken and refused so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The version of each kind that is in force.
    pub(super) versions: BTreeMap<Kind, String>,
    /// How often each kind was refused.
    pub(super) refused: BTreeMap<Kind, u64>,
}

/// Why Envoy does not say what it has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// Nobody listens: it does not run.
    Down,
    /// It runs, and has not answered in time, or not as it should.
    Busy,
}

impl State {
    /// The state now. `routes` is the name by which Envoy asks for its routes.
    pub(super) async fn of(admin: &Admin, routes: &str) -> Result<Self, Unanswered> {
        let told = get(admin, "/stats?format=json&filter=(version_text|update_rejected|config_fail)$").await?;
        Self::read(&told, routes).ok_or(Unanswered::Busy)
    }

    fn read(told: &Value, routes: &str) -> Option<Self> {
        let mut state = Self::default();
        for stat in told.get("stats")?.as_array()? {
            let Some(name) = stat.get("name").and_then(Value::as_str) else { continue };
            let about = |kind| Some((kind, about(kind, routes, name)?));
            let Some((kind, what)) = Kind::ALL.into_iter().find_map(about) else { continue };
            match (what, stat.get("value")) {
                ("version_text", Some(Value::String(version))) => {
                    state.versions.insert(kind, version.clone());
                }
                ("update_rejected" | "config_fail", Some(Value::Number(count))) => {
                    *state.refused.entry(kind).or_default() += count.as_u64().unwrap_or_default();
                }
                _ => {}
            }
        }
        Some(state)
    }
}

/// The clusters that requests can be sent to now.
pub(super) async fn clusters(admin: &Admin) -> Option<BTreeSet<String>> {
    let clusters = get(admin, "/clusters?format=json").await.ok()?;
    let clusters = clusters.get("cluster_statuses").and_then(Value::as_array);
    Some(clusters.into_iter().flatten().filter_map(|one| Some(one.get("name")?.as_str()?.to_owned())).collect())
}

/// What Envoy says about what it refused last.
pub(super) async fn reasons(admin: &Admin) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Ok(dump) = get(admin, "/config_dump").await {
        collect(&dump, &mut reasons);
    }
    reasons
}

/// The JSON at `path`.
async fn get(admin: &Admin, path: &str) -> Result<Value, Unanswered> {
    let answer = admin.get(path).await.map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::NotFound => Unanswered::Down,
        _ => Unanswered::Busy,
    })?;
    let body = answer.is_success().then(|| serde_json::from_slice(&answer.body).ok()).flatten();
    body.ok_or(Unanswered::Busy)
}

/// What the statistic `name` says about `kind`, if it is about that.
fn about<'n>(kind: Kind, routes: &str, name: &'n str) -> Option<&'n str> {
    match kind {
        Kind::Clusters => name.strip_prefix("cluster_manager.cds."),
        // Between the two stands the prefix that the connection manager gives its statistics.
        Kind::Routes => name.strip_prefix("http.")?.split_once(&format!(".rds.{routes}.")).map(|(_, what)| what),
        Kind::Edge => name.strip_prefix("extension_config_discovery.http_filter.weir-edge."),
        Kind::Listeners => name.strip_prefix("listener_manager.lds."),
        Kind::Bootstrap | Kind::Secrets => None,
    }
}

fn collect(value: &Value, reasons: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let details = map.get("error_state").and_then(|state| state.get("details")).and_then(Value::as_str);
            // Envoy lists the reason of a listener with the listener, and once more beside it.
            reasons.extend(details.map(str::to_owned).filter(|reason| !reasons.contains(reason)));
            map.values().for_each(|value| collect(value, reasons));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, reasons)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn statistics_tell_what_was_taken_and_what_was_refused() {
        let told = json!({ "stats": [
            { "name": "cluster_manager.cds.version_text", "value": "c1" },
            { "name": "cluster_manager.cds.update_rejected", "value": 2 },
            { "name": "http.edge.rds.weir.version_text", "value": "r1" },
            { "name": "http.edge.rds.other.version_text", "value": "r2" },
            { "name": "extension_config_discovery.http_filter.weir-edge.update_rejected", "value": 1 },
            { "name": "extension_config_discovery.http_filter.weir-edge.config_fail", "value": 3 },
            { "name": "listener_manager.lds.version_text", "value": "l1" },
            { "histograms": {} },
        ] });
        let state = State::read(&told, "weir").unwrap();
        let versions = [(Kind::Clusters, "c1"), (Kind::Routes, "r1"), (Kind::Listeners, "l1")];
        assert_eq!(state.versions, versions.map(|(kind, version)| (kind, version.to_owned())).into());
        assert_eq!(state.refused, [(Kind::Clusters, 2), (Kind::Edge, 4)].into());
        assert_eq!(State::read(&json!({}), "weir"), None);
    }
}
