//! One cluster a provider, named as the provider.

use std::net::IpAddr;

use serde_json::{Value, json};
use weir_core::config::ProviderEntry;
use weir_core::upstream::{Scheme, Url};

use super::routes::seconds;
use super::{Paths, RenderError, filters, sidecar, tls};

/// `entry`'s cluster.
///
/// Without outlier detection: it would eject the only host of a cluster, and then answer for it with 503s that tell
/// nothing. Which target rests, and for how long, is the edge role's to decide; it knows whose fault it was.
pub(super) fn cluster(entry: &ProviderEntry, paths: &Paths) -> Result<Value, RenderError> {
    let mut cluster = match &entry.url {
        Some(url) => network(&entry.name, url),
        None => sidecar::by_internal_listener(&entry.name),
    };
    let socket = match &entry.url {
        Some(url) => tls::socket(url, entry.ca.as_deref(), &entry.name, paths)?,
        None => None,
    };
    let https = entry.url.as_ref().is_some_and(|url| url.scheme == Scheme::Https);
    if let Some(cluster) = cluster.as_object_mut() {
        if let Some(socket) = socket {
            cluster.insert("transport_socket".to_owned(), socket);
        }
        cluster.insert("circuit_breakers".to_owned(), breakers(entry.max_in_flight));
        if entry.url.is_some() {
            cluster.insert("connect_timeout".to_owned(), seconds(entry.connect_timeout));
        }
        let protocol = if https {
            // ALPN decides.
            json!({ "auto_config": { "http_protocol_options": {}, "http2_protocol_options": {} } })
        } else {
            json!({ "explicit_http_config": { "http_protocol_options": {} } })
        };
        cluster.insert("typed_extension_protocol_options".to_owned(), protocol_options(protocol, entry, paths));
    }
    Ok(cluster)
}

/// A cluster at `url`: its endpoint's hostname is what `auto_host_rewrite` writes into `host` on every try.
pub(super) fn network(name: &str, url: &Url) -> Value {
    let is_address = url.host.parse::<IpAddr>().is_ok();
    let endpoint = json!({ "address": super::socket(&url.host, url.port), "hostname": url.authority() });
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
    let endpoint = json!({ "address": super::socket("127.0.0.1", 1), "hostname": hostname });
    json!({ "priority": 1, "lb_endpoints": [{ "endpoint": endpoint }] })
}

/// At most `most` requests under way. Envoy's defaults would allow three retries at once: with a dead target and a hundred
/// callers, 97 would see its error.
///
/// Connections are not limited: a request that waits for one waits without a limit in time, since a try's limit begins
/// when it has its connection. One beyond `most` is refused at once, and Envoy never takes that to the next target.
pub(super) fn breakers(most: u32) -> Value {
    json!({
        "thresholds": [{
            "max_connections": 1_000_000,
            "max_pending_requests": most,
            "max_requests": most,
            "max_retries": most,
        }],
    })
}

fn protocol_options(protocol: Value, entry: &ProviderEntry, paths: &Paths) -> Value {
    let mut options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": { "idle_timeout": seconds(entry.keep_idle) },
        "http_filters": filters::upstream_chain(entry, paths),
    });
    if let (Some(options), Value::Object(protocol)) = (options.as_object_mut(), protocol) {
        options.extend(protocol);
    }
    json!({ "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options })
}
