//! The filter in its roles.

use std::path::Path;

use serde_json::{Value, json};
use weir_core::config::{LedgerPlace, Role, Routing};
use weir_core::steward::{Control, Settings};

use crate::render::kind::Kind;
use crate::render::message::source;
use crate::render::names::{CONTROL, EDGE_FILTER};
use crate::render::node::{Door, Module, Node};

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const NATIVE: &str = "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter";

/// The edge role as the resource that ECDS delivers.
pub(crate) fn edge(routing: &Routing, node: &Node) -> Value {
    // In an operator's own Envoy, rules before Weir judge the path as the caller wrote it.
    let forgives_paths = node.door == Door::Port;
    let ledger = node.control.as_ref().map_or(LedgerPlace::None, |_| LedgerPlace::AtControl);
    let routing = Routing { forgives_paths, ledger, ..routing.clone() };
    json!({ "name": EDGE_FILTER, "typed_config": filter("edge", &Role::Edge(routing), node) })
}

/// The edge role's place in the listener's chain.
///
/// It has no default: the listener opens only when the first configuration is there, so that no request passes unchecked.
pub(crate) fn edge_slot(node: &Node) -> Value {
    let kind = match node.filter {
        Module::Wasm(_) => WASM,
        Module::Native(_) => NATIVE,
    };
    json!({
        "name": EDGE_FILTER,
        "config_discovery": { "config_source": source(&node.folder, Kind::Edge.file()), "type_urls": [kind] },
    })
}

/// The steward: a bootstrap extension, one for each process. In wasm it also keeps the shared data alive when no worker has a VM.
pub(crate) fn steward(node: &Node) -> Value {
    let control =
        node.control.as_ref().map(|control| Control { cluster: CONTROL.to_owned(), node: control.node.clone() });
    let role = Role::Steward(Settings { control, ..Settings::default() });
    match &node.filter {
        Module::Wasm(module) => json!({
            "name": "envoy.bootstrap.wasm",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.wasm.v3.WasmService",
                "config": plugin("steward", &role, module),
                "singleton": true,
            },
        }),
        Module::Native(module) => json!({
            "name": "envoy.bootstrap.dynamic_modules",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.bootstrap.dynamic_modules.v3.DynamicModuleBootstrapExtension",
                "dynamic_module_config": dynamic(module),
                "extension_name": "steward",
                "extension_config": string(&role),
            },
        }),
    }
}

pub(super) fn filter(role: &str, configuration: &Role, node: &Node) -> Value {
    match &node.filter {
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
        // The module holds the data that workers share.
        "do_not_close": true,
    })
}

/// One instance of the wasm filter. On a worker all instances share a VM, because code, `vm_id` and VM configuration are the same.
fn plugin(role: &str, configuration: &Role, module: &Path) -> Value {
    json!({
        "name": format!("weir-{role}"),
        "root_id": role,
        // Otherwise a body whose headers are held is never delivered.
        "allow_on_headers_stop_iteration": true,
        // After a panic the next request gets a fresh VM. Until then requests fail; none passes unfiltered.
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
