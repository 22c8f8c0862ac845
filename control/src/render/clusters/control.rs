//! The cluster of the process that shares limits among Envoys.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::breakers::breakers;
use crate::render::error::RenderError;
use crate::render::filters::control_chain;
use crate::render::message::socket;
use crate::render::names::CONTROL;
use crate::render::node::{Control, ControlAddress, Node};
use crate::render::tls::verified;

/// Control. The steward calls it, and each worker when a lease runs short.
pub(crate) fn control(control: &Control, node: &Node) -> Result<Value, RenderError> {
    let (kind, address) = match &control.at {
        ControlAddress::Socket(path) => ("STATIC", json!({ "pipe": { "path": path } })),
        ControlAddress::Host(host, port) | ControlAddress::Tls(host, port) => {
            let kind = if host.parse::<IpAddr>().is_ok() { "STATIC" } else { "STRICT_DNS" };
            (kind, socket(host, *port))
        }
    };
    let mut cluster = json!({
        "name": CONTROL,
        "type": kind,
        "connect_timeout": "1s",
        // A worker has one call under way, and waits for none.
        "circuit_breakers": breakers(10_000),
        "load_assignment": {
            "cluster_name": CONTROL,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                // Shorter than control's: otherwise control could end a connection just as a report gets it.
                "common_http_protocol_options": { "idle_timeout": "5s" },
                "explicit_http_config": { "http_protocol_options": {} },
                "http_filters": control_chain(control, node),
            },
        },
    });
    if let (Some(cluster), ControlAddress::Tls(host, _)) = (cluster.as_object_mut(), &control.at) {
        let ca = control.ca.as_ref().or(node.ca_bundle.as_ref()).ok_or(RenderError::NoCaForControl)?;
        cluster.insert("transport_socket".to_owned(), verified(host, &ca.display().to_string()));
    }
    Ok(cluster)
}
