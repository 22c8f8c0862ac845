//! The filters of a provider's upstream chain.

use serde_json::{Value, json};
use weir_core::config::{ProviderEntry, Role, Signing};
use weir_core::provider::{self, Provider};
use weir_core::upstream::Url;

use super::roles::filter;
use crate::render::message::source;
use crate::render::node::{Control, Node};
use crate::render::secrets;

/// What a request passes on its way to `entry`, once per try.
pub(crate) fn upstream_chain(entry: &ProviderEntry, node: &Node) -> Value {
    let speaks = provider::by_name(entry.dialect);
    let attempt = filter("attempt", &Role::Attempt(entry.upstream()), node);
    let mut chain = vec![json!({ "name": "weir-attempt", "typed_config": attempt })];
    if let (Some(header), Some(name)) = (speaks.and_then(Provider::credential), secrets::name(entry)) {
        chain.push(inject(header, &name, node));
    }
    if let Some(signing) = &entry.signing {
        chain.push(sign(signing, entry.url.as_ref().map(Url::authority)));
    }
    chain.push(codec());
    json!(chain)
}

/// What a call to control passes: the token is written there, so neither the filter nor a rendered file has it.
pub(crate) fn control_chain(control: &Control, node: &Node) -> Value {
    let header = provider::CredentialHeader { name: "authorization", prefix: "Bearer " };
    let token = control.token.as_ref().map(|_| inject(header, secrets::CONTROL, node));
    json!(token.into_iter().chain([codec()]).collect::<Vec<_>>())
}

fn codec() -> Value {
    json!({
        "name": "envoy.filters.http.upstream_codec",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
        },
    })
}

/// Writes the credential. If there is none, the request goes out without it: the provider refuses it like a wrong key, and the next
/// target is asked. If Envoy refused it, the caller would get that answer and no other target would be tried.
fn inject(header: provider::CredentialHeader, secret: &str, node: &Node) -> Value {
    json!({
        "name": "envoy.filters.http.credential_injector",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
            "overwrite": true,
            "allow_request_without_credential": true,
            "credential": {
                "name": "envoy.http.injected_credentials.generic",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
                    "credential": { "name": secret, "sds_config": source(&node.folder, &secrets::file(secret)) },
                    "header": header.name,
                    "header_value_prefix": header.prefix,
                },
            },
        },
    })
}

/// Signs the request, body included, as it is after the filters before this one. Without credentials it goes out unsigned, and AWS
/// refuses it.
///
/// `host` is the value that the route will write into the header `host`. The route writes it only once there is a connection, which
/// is after this filter: otherwise the signature would cover the host that the caller asked.
fn sign(signing: &Signing, host: Option<String>) -> Value {
    let mut config = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.aws_request_signing.v3.AwsRequestSigning",
        "service_name": signing.service,
        "region": signing.region,
        // Proxies on the way may change these.
        "match_excluded_headers": [
            { "prefix": "x-envoy" }, { "prefix": "x-forwarded" }, { "exact": "x-request-id" },
            { "exact": "traceparent" }, { "exact": "tracestate" }, { "exact": "user-agent" },
        ],
    });
    if let (Some(config), Some(host)) = (config.as_object_mut(), host) {
        config.insert("host_rewrite".to_owned(), json!(host));
    }
    if let (Some(config), Some(file)) = (config.as_object_mut(), &signing.credentials_file) {
        let mut provider = json!({ "credentials_data_source": { "filename": file } });
        if let (Some(provider), Some(profile)) = (provider.as_object_mut(), &signing.profile) {
            provider.insert("profile".to_owned(), json!(profile));
        }
        let chain = json!({ "custom_credential_provider_chain": true, "credentials_file_provider": provider });
        config.insert("credential_provider".to_owned(), chain);
    }
    json!({ "name": "envoy.filters.http.aws_request_signing", "typed_config": config })
}
