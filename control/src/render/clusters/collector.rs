//! The cluster of the collector of traces.

use serde_json::{Value, json};
use weir_core::upstream::Url;

use super::host::network;
use crate::render::error::RenderError;
use crate::render::names::COLLECTOR;
use crate::render::node::Node;
use crate::render::tls;

/// The collector at `otlp`.
pub(crate) fn collector(otlp: &Url, node: &Node) -> Result<Value, RenderError> {
    let mut cluster = network(COLLECTOR, otlp);
    let socket = tls::socket(otlp, None, COLLECTOR, node)?;
    if let Some(cluster) = cluster.as_object_mut() {
        if let Some(socket) = socket {
            cluster.insert("transport_socket".to_owned(), socket);
        }
        let options = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { "http2_protocol_options": {} },
            },
        });
        cluster.insert("typed_extension_protocol_options".to_owned(), options);
    }
    Ok(cluster)
}
