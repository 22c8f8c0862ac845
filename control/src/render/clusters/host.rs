//! Clusters without their protocol: where their one host is.

use std::net::IpAddr;

use serde_json::{Value, json};
use weir_core::upstream::Url;

use crate::render::message::socket;
use crate::render::names::LOCAL_LISTENER;

/// A cluster at `url`: its endpoint's hostname is what `auto_host_rewrite` writes into `host` on every try.
pub(super) fn network(name: &str, url: &Url) -> Value {
    let is_address = url.host.parse::<IpAddr>().is_ok();
    let endpoint = json!({ "address": socket(&url.host, url.port), "hostname": url.authority() });
    let mut cluster = json!({
        "name": name,
        "connect_timeout": "5s",
        "upstream_connection_options": {
            "tcp_keepalive": { "keepalive_time": 30, "keepalive_interval": 10, "keepalive_probes": 3 },
        },
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [{ "endpoint": endpoint }] }] },
    });
    let (field, kind) = if is_address {
        ("type", json!("STATIC"))
    } else {
        let dns = json!({
            "@type": "type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster",
            "dns_lookup_family": "V4_PREFERRED",
            "respect_dns_ttl": true,
        });
        ("cluster_type", json!({ "name": "envoy.cluster.dns", "typed_config": dns }))
    };
    if let Some(cluster) = cluster.as_object_mut() {
        cluster.insert(field.to_owned(), kind);
    }
    if !is_address && let Some(Value::Array(localities)) = cluster.pointer_mut("/load_assignment/endpoints") {
        localities.push(refusing(&url.authority()));
    }
    cluster
}

/// What takes the place of a name that does not resolve: nothing listens there.
///
/// A cluster without a host fails without a retry, and the next target would never be asked; a refused connection
/// is retried. With any host of the first priority, nobody is ever sent here.
fn refusing(hostname: &str) -> Value {
    let endpoint = json!({ "address": socket("127.0.0.1", 1), "hostname": hostname });
    json!({ "priority": 1, "lb_endpoints": [{ "endpoint": endpoint }] })
}

/// A cluster whose only endpoint is the internal listener.
pub(super) fn by_internal_listener(name: &str) -> Value {
    let address = json!({ "envoy_internal_address": { "server_listener_name": LOCAL_LISTENER, "endpoint_id": name } });
    let endpoint = json!({ "address": address, "hostname": "local" });
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [{ "endpoint": endpoint }] }] },
    })
}
