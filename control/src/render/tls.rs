//! TLS to an upstream. The certificate is always verified; Envoy by itself verifies nothing.

use std::net::IpAddr;

use serde_json::{Value, json};
use weir_core::upstream::{Scheme, Url};

use super::error::RenderError;
use super::node::Node;

/// The transport socket for `url`, or `None` for plain http. `ca` is the provider's own bundle.
pub(super) fn socket(url: &Url, ca: Option<&str>, name: &str, node: &Node) -> Result<Option<Value>, RenderError> {
    if url.scheme == Scheme::Http {
        return Ok(None);
    }
    let system = || node.ca_bundle.as_ref().map(|path| path.display().to_string());
    let ca = ca.map(str::to_owned).or_else(system);
    let ca = ca.ok_or_else(|| RenderError::NoCaBundle(name.to_owned()))?;
    Ok(Some(verified(&url.host, &ca)))
}

/// The transport socket for a host whose certificate must be for its name or address, and signed by an authority in the file `ca`.
pub(super) fn verified(host: &str, ca: &str) -> Value {
    // An address is no server name: the certificate names the address itself.
    let is_address = host.parse::<IpAddr>().is_ok();
    let san = if is_address { "IP_ADDRESS" } else { "DNS" };
    let mut context = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {
            "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
            "validation_context": {
                "trusted_ca": { "filename": ca },
                // `exact` follows the rules of DNS names: a certificate for *.example.com is valid for a.example.com.
                "match_typed_subject_alt_names": [{ "san_type": san, "matcher": { "exact": host } }],
            },
        },
    });
    if !is_address && let Some(context) = context.as_object_mut() {
        context.insert("sni".to_owned(), json!(host));
    }
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": context })
}
