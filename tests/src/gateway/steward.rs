//! The steward of a gateway, as a test wants it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::Gateway;
use crate::PATIENCE;
use crate::envoy::admin;

/// What becomes of the steward that a bootstrap has.
#[derive(Clone, Debug, Default)]
pub(crate) enum Steward {
    /// It stays as it was rendered.
    #[default]
    Rendered,
    /// It is left out, as by an operator who did not add it.
    LeftOut,
    /// It gets other settings.
    With(Value),
}

impl Steward {
    /// Writes the bootstrap anew, with the steward that is wanted, and with these clusters.
    pub(crate) fn write(&self, bootstrap: &Path, clusters: &[(String, SocketAddr)]) {
        let text = fs::read(bootstrap).expect("the bootstrap");
        let mut whole: Value = serde_json::from_slice(&text).expect("JSON");
        let extensions = whole["bootstrap_extensions"].as_array_mut().expect("extensions");
        let is_steward = |extension: &Value| {
            let name = extension["name"].as_str();
            matches!(name, Some("envoy.bootstrap.wasm" | "envoy.bootstrap.dynamic_modules"))
        };
        let at = extensions.iter().position(is_steward).expect("a steward is rendered");
        match self {
            Self::Rendered => {}
            Self::LeftOut => drop(extensions.remove(at)),
            Self::With(settings) => {
                let config = &mut extensions[at]["typed_config"];
                let native = config.pointer("/extension_config").is_some();
                let place = if native { "/extension_config/value" } else { "/config/configuration/value" };
                *config.pointer_mut(place).expect("its settings") = json!(json!({ "steward": settings }).to_string());
            }
        }
        let all = whole["static_resources"]["clusters"].as_array_mut().expect("clusters");
        all.extend(clusters.iter().map(|(name, at)| cluster(name, *at)));
        fs::write(bootstrap, whole.to_string()).expect("the bootstrap");
    }
}

fn cluster(name: &str, at: SocketAddr) -> Value {
    let address = json!({ "socket_address": { "address": at.ip(), "port_value": at.port() } });
    let endpoint = json!({ "lb_endpoints": [{ "endpoint": { "address": address } }] });
    json!({ "name": name, "load_assignment": { "cluster_name": name, "endpoints": [endpoint] } })
}

impl Gateway {
    /// One of the steward's statistics.
    pub async fn steward_stat(&self, name: &str) -> u64 {
        self.stat(&self.steward_stat_name(name)).await
    }

    /// Waits until one of the steward's statistics has this value.
    pub async fn until_steward_stat(&self, name: &str, value: u64) {
        self.until_stat(&self.steward_stat_name(name), value).await;
    }

    /// Waits until the steward has ticked once more.
    pub async fn until_tick(&self) {
        let ticks = self.steward_stat("weir_steward_ticks").await;
        let deadline = Instant::now() + PATIENCE;
        while self.steward_stat("weir_steward_ticks").await == ticks {
            assert!(Instant::now() < deadline, "the steward does not tick");
        }
    }

    fn steward_stat_name(&self, name: &str) -> String {
        let prefix = if self.has_heaps() { "wasmcustom" } else { "dynamicmodulescustom" };
        format!("{prefix}.{name}")
    }

    /// Has the edge take another file with the same code in place of the one that it runs, as a new version of the filter would.
    pub async fn takes_new_code(&self) {
        let old = self.paths.filter.path();
        let new = self.paths.folder.join(format!("new-{}", old.file_name().expect("a file").display()));
        let mut code = fs::read(old).expect("the module");
        if self.has_heaps() {
            // A custom section, which means nothing.
            code.extend_from_slice(b"\0\x04\x03new");
        }
        fs::write(&new, code).expect("the new module");
        let [old, new] = [old, &new].map(|path| path.to_str().expect("a path"));
        self.rewrite_edge(|edge| edge.replace(old, new));
        let deadline = Instant::now() + PATIENCE;
        while !admin(&self.paths.admin_socket, "/config_dump").await.to_string().contains(new) {
            assert!(Instant::now() < deadline, "Envoy does not take the new code");
        }
    }

    /// Gives the edge's filter the steward's settings, as an operator might who took one for the other.
    pub fn mistakes_the_edge_for_the_steward(&self) {
        self.rewrite_edge(|edge| {
            let (before, settings) = edge.split_once("{\\\"edge\\\":").expect("the edge's settings");
            let (_, after) = settings.split_once("}\"").expect("their end");
            format!("{before}{{\\\"steward\\\":{{}}}}\"{after}")
        });
    }

    /// Writes the edge's filter anew, as a publication would.
    fn rewrite_edge(&self, anew: impl FnOnce(&str) -> String) {
        let file = self.paths.folder.join("edge.json");
        let text = anew(&fs::read_to_string(&file).expect("the edge"));
        let text = text.replace("\"version_info\": \"", "\"version_info\": \"new-");
        let beside = file.with_extension("new");
        fs::write(&beside, text).expect("the edge");
        fs::rename(&beside, &file).expect("the edge");
    }
}
