//! The cluster of a provider, which has the provider's name.

use serde_json::{Value, json};
use weir_core::config::ProviderEntry;
use weir_core::upstream::Scheme;

use super::breakers::breakers;
use super::host;
use crate::render::error::RenderError;
use crate::render::message::seconds;
use crate::render::node::Node;
use crate::render::{filters, tls};

/// `entry`'s cluster.
///
/// It has no outlier detection, which would eject the only host of a cluster and then answer 503 without a reason. The edge role
/// decides which target rests and for how long, because it knows whose fault a failure was.
pub(crate) fn provider(entry: &ProviderEntry, node: &Node) -> Result<Value, RenderError> {
    let mut cluster = match &entry.url {
        Some(url) => host::network(&entry.name, url),
        None => host::by_internal_listener(&entry.name),
    };
    let socket = match &entry.url {
        Some(url) => tls::socket(url, entry.ca.as_deref(), &entry.name, node)?,
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
            // ALPN decides between the two.
            json!({ "auto_config": { "http_protocol_options": {}, "http2_protocol_options": {} } })
        } else {
            json!({ "explicit_http_config": { "http_protocol_options": {} } })
        };
        cluster.insert("typed_extension_protocol_options".to_owned(), protocol_options(protocol, entry, node));
    }
    Ok(cluster)
}

fn protocol_options(protocol: Value, entry: &ProviderEntry, node: &Node) -> Value {
    let mut options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": { "idle_timeout": seconds(entry.keep_idle) },
        "http_filters": filters::upstream_chain(entry, node),
    });
    if let (Some(options), Value::Object(protocol)) = (options.as_object_mut(), protocol) {
        options.extend(protocol);
    }
    json!({ "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options })
}
