//! The filter in its roles, and the filters of a provider's upstream chain.

use std::path::Path;

use serde_json::{Value, json};
use weir_core::config::{ProviderEntry, Role, Routing, Signing};
use weir_core::provider::{self, Provider};
use weir_core::upstream::Url;

use super::secrets;
use super::{Door, File, Module, Paths, source};

/// The edge role's name: as a filter, and as the resource that ECDS delivers.
pub(super) const EDGE: &str = "weir-edge";
const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const NATIVE: &str = "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter";

/// The edge role as the resource that ECDS delivers.
pub(super) fn edge(routing: &Routing, paths: &Paths) -> Value {
    // In an operator's Envoy, rules before Weir have judged the path that the caller wrote.
    let routing = Routing { forgives_paths: paths.door == Door::Port, ..routing.clone() };
    json!({ "name": EDGE, "typed_config": filter("edge", &Role::Edge(routing), paths) })
}

/// The edge role's place in the listener's chain.
///
/// Without a default: until the first configuration is there the listener does not open, so it never fails open.
pub(super) fn edge_slot(paths: &Paths) -> Value {
    let kind = match paths.filter {
        Module::Wasm(_) => WASM,
        Module::Native(_) => NATIVE,
    };
    json!({
        "name": EDGE,
        "config_discovery": { "config_source": source(&paths.folder, File::Edge.name()), "type_urls": [kind] },
    })
}

/// The steward: keeps the shared data alive when no worker has a VM. A native filter is never unloaded.
pub(super) fn steward(paths: &Paths) -> Option<Value> {
    let Module::Wasm(module) = &paths.filter else { return None };
    Some(json!({
        "name": "envoy.bootstrap.wasm",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.wasm.v3.WasmService",
            "config": plugin("steward", &Role::Steward, module),
            "singleton": true,
        },
    }))
}

/// What a request passes on its way to `entry`, once per try.
pub(super) fn upstream_chain(entry: &ProviderEntry, paths: &Paths) -> Value {
    let speaks = provider::by_name(entry.dialect);
    let attempt = filter("attempt", &Role::Attempt(entry.upstream()), paths);
    let mut chain = vec![json!({ "name": "weir-attempt", "typed_config": attempt })];
    if let (Some(header), Some(name)) = (speaks.and_then(Provider::credential), secrets::name(entry)) {
        chain.push(inject(header, &name, paths));
    }
    if let Some(signing) = &entry.signing {
        chain.push(sign(signing, entry.url.as_ref().map(Url::authority)));
    }
    chain.push(json!({
        "name": "envoy.filters.http.upstream_codec",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
        },
    }));
    json!(chain)
}

/// Writes the credential. A request for which there is none goes out without: its provider refuses it as one with a wrong key, so that
/// the next target is asked. Envoy's own refusal would be the caller's answer, with no other target tried.
fn inject(header: provider::CredentialHeader, secret: &str, paths: &Paths) -> Value {
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
                    "credential": { "name": secret, "sds_config": source(&paths.folder, &secrets::file(secret)) },
                    "header": header.name,
                    "header_value_prefix": header.prefix,
                },
            },
        },
    })
}

/// Signs the request as it then is, body and all; without credentials it goes out unsigned, and AWS refuses it.
///
/// `host` is what the route will write into the header of that name: it does so only once there is a connection, which is
/// after this filter, and what would be signed is the host that the caller asked.
fn sign(signing: &Signing, host: Option<String>) -> Value {
    let mut config = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.aws_request_signing.v3.AwsRequestSigning",
        "service_name": signing.service,
        "region": signing.region,
        // What proxies on the way may change is not signed.
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

/// Lets the secrets in `cluster` be looked up in the bootstrap.
pub(super) fn inline_secrets(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("sds_config");
            map.values_mut().for_each(inline_secrets);
        }
        Value::Array(items) => items.iter_mut().for_each(inline_secrets),
        _ => {}
    }
}

fn filter(role: &str, configuration: &Role, paths: &Paths) -> Value {
    match &paths.filter {
        Module::Wasm(module) => json!({ "@type": WASM, "config": plugin(role, configuration, module) }),
        Module::Native(module) => json!({
            "@type": NATIVE,
            "dynamic_module_config": dynamic(module),
            "filter_name": role,
            "filter_config": string(configuration),
        }),
    }
}

fn dynamic(module: &Path) -> Value {
    json!({
        "module": { "local": { "filename": module } },
        // It holds what the workers share.
        "do_not_close": true,
    })
}

/// One instance of the wasm filter. All share one VM per worker: same code, same `vm_id`, same VM configuration.
fn plugin(role: &str, configuration: &Role, module: &Path) -> Value {
    json!({
        "name": format!("weir-{role}"),
        "root_id": role,
        // Else a held header holds the body too, forever.
        "allow_on_headers_stop_iteration": true,
        // After a panic the next request gets a fresh VM; until then requests fail, and none passes unfiltered.
        "failure_policy": "FAIL_RELOAD",
        "configuration": string(configuration),
        "vm_config": {
            "vm_id": "weir",
            "runtime": "envoy.wasm.runtime.v8",
            "code": { "local": { "filename": module } },
        },
    })
}

fn string(configuration: &Role) -> Value {
    json!({
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        "value": serde_json::to_string(configuration).unwrap_or_default(),
    })
}
