//! The one host of a cluster: at an address, or behind the internal listener.

use std::net::IpAddr;

use serde_json::{Value, json};
use weir_core::upstream::Url;

use crate::render::message::socket;
use crate::render::names::LOCAL_LISTENER;

/// A cluster at `url`. On every try `auto_host_rewrite` writes the hostname of its endpoint into the header `host`.
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

/// A second host where nothing listens. Envoy uses it only while the name does not resolve.
///
/// A request to a cluster without hosts fails without a retry, so that the next target would never be asked. A refused connection is
/// retried.
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
