//! An operator's own Envoy around Weir's part.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// The bootstrap of an operator whose only route leads to what the one in `part` has.
pub(super) fn bootstrap(part: &Path, listen: SocketAddr, admin: &Path) -> PathBuf {
    let text = fs::read(part).expect("Weir's part of the bootstrap");
    let mut whole: Value = serde_json::from_slice(&text).expect("JSON");
    let socket = |port: u16| json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
    let route = json!({ "cluster": "weir", "timeout": "0s", "idle_timeout": "0s" });
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "own",
        "route_config": { "virtual_hosts": [{
            "name": "own", "domains": ["*"], "routes": [{ "match": { "prefix": "/" }, "route": route }],
        }] },
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        }],
    });
    whole["node"] = json!({ "id": "own", "cluster": "own" });
    whole["admin"] = json!({ "address": { "pipe": { "path": admin } } });
    whole["static_resources"]["listeners"] = json!([{
        "name": "own",
        "address": socket(listen.port()),
        "filter_chains": [{ "filters": [{ "name": "manager", "typed_config": manager }] }],
    }]);
    let file = part.with_file_name("own.json");
    fs::write(&file, whole.to_string()).expect("the operator's bootstrap");
    file
}
