//! What is rendered: accepted by Envoy, the same to the byte each time, without a secret.

use std::path::Path;

use crate::common::{configurations, copy, environment, native, node, validate, wasm};
use serde_json::Value;
use weir_control::render::{Kind, Module, Node, Resources, render};

/// Loads and renders `file` as if it stood in `folder`.
fn rendered(file: &Path, folder: &Path) -> Resources {
    with_filter(file, folder, Module::Wasm(wasm()))
}

fn with_filter(file: &Path, folder: &Path, filter: Module) -> Resources {
    let environment = environment(folder);
    let file = copy(file, folder);
    let loaded = weir_control::load(&file, &environment).unwrap_or_else(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}", errors.join("\n"))
    });
    render(&loaded.gateway, &Node { filter, ..node(folder, &environment) }).unwrap()
}

#[test]
fn every_configuration_that_ships_is_accepted_by_envoy() {
    all_are_accepted(&Module::Wasm(wasm()));
}

#[test]
fn every_configuration_that_ships_is_accepted_with_the_native_filter_too() {
    all_are_accepted(&Module::Native(native()));
}

fn all_are_accepted(filter: &Module) {
    for file in configurations() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let resources = with_filter(&file, folder, filter.clone());
        let environment = environment(folder);
        let in_one = folder.join("in-one.json");
        std::fs::write(&in_one, resources.in_one().to_string()).unwrap();
        validate(&in_one, &environment);
        std::fs::create_dir_all(folder.join("envoy")).unwrap();
        for (_, name, text) in resources.files() {
            std::fs::write(folder.join("envoy").join(name), text).unwrap();
        }
        validate(&folder.join("envoy").join(Kind::Bootstrap.file()), &environment);
    }
}

#[test]
fn nothing_rendered_holds_a_secret() {
    for file in configurations() {
        let folder = tempfile::tempdir().unwrap();
        let resources = rendered(&file, folder.path());
        let texts: Vec<String> = resources.files().into_iter().map(|(_, _, text)| text).collect();
        let all = texts.join("\n") + &resources.in_one().to_string();
        assert!(!all.contains("-secret"), "{} leaks a credential", file.display());
    }
}

#[test]
fn the_same_configuration_is_rendered_the_same_to_the_byte() {
    for file in configurations() {
        let folder = tempfile::tempdir().unwrap();
        let one = rendered(&file, folder.path());
        let other = rendered(&file, folder.path());
        assert_eq!(one.files(), other.files());
    }
}

/// The clusters that are rendered for the default configuration and every example.
fn clusters() -> Vec<Value> {
    let clusters = configurations().into_iter().flat_map(|file| {
        let folder = tempfile::tempdir().unwrap();
        let resources = rendered(&file, folder.path());
        let (_, text) = resources.files_of(Kind::Clusters).remove(0);
        let clusters: Value = serde_json::from_str(&text).unwrap();
        clusters["resources"].as_array().unwrap().clone()
    });
    clusters.filter(|cluster| cluster["name"] != "weir-otlp").collect()
}

fn chain(cluster: &Value) -> &Vec<Value> {
    let options = "/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    cluster.pointer(options).unwrap()["http_filters"].as_array().unwrap()
}

#[test]
fn an_https_provider_is_always_verified_by_name() {
    let mut seen = 0;
    for cluster in clusters().iter().filter(|cluster| cluster.get("transport_socket").is_some()) {
        let context = &cluster["transport_socket"]["typed_config"];
        let validation = &context["common_tls_context"]["validation_context"];
        assert!(validation["trusted_ca"]["filename"].is_string(), "{cluster}");
        let host =
            cluster.pointer("/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/address");
        assert_eq!(Some(&validation["match_typed_subject_alt_names"][0]["matcher"]["exact"]), host);
        assert_eq!(Some(&context["sni"]), host);
        seen += 1;
    }
    assert!(seen > 3);
}

#[test]
fn each_chain_begins_with_the_attempt_role_and_ends_with_the_codec() {
    for cluster in clusters() {
        let chain = chain(&cluster);
        // Before the key is written, and before anything could fail.
        assert_eq!(chain[0]["name"], "weir-attempt");
        assert_eq!(chain[0]["typed_config"]["config"]["failure_policy"], "FAIL_RELOAD");
        assert_eq!(chain.last().unwrap()["name"], "envoy.filters.http.upstream_codec");
    }
}

#[test]
fn a_try_never_has_both_of_envoys_timers() {
    // Envoy 1.40 deletes the idle timer when the other passes, and a stalled stream would then never be cut.
    for file in configurations() {
        let folder = tempfile::tempdir().unwrap();
        let (_, text) = rendered(&file, folder.path()).files_of(Kind::Routes).remove(0);
        let routes: Value = serde_json::from_str(&text).unwrap();
        let routes = routes["resources"][0]["virtual_hosts"][0]["routes"].as_array().unwrap();
        for route in routes.iter().filter(|route| route["name"] != "no-plan") {
            let retry = route["route"]["retry_policy"].as_object().unwrap();
            let timers = ["per_try_timeout", "per_try_idle_timeout"].iter().filter(|timer| retry.contains_key(**timer));
            assert_eq!(timers.count(), 1, "{}", route["name"]);
            let whole = route["name"].as_str().unwrap().starts_with("whole");
            let until_read = if whole { "flush_timeout" } else { "idle_timeout" };
            assert_ne!(
                route["route"][until_read].as_str(),
                Some("0.000s"),
                "a caller who stops reading is not waited for"
            );
            assert!(route["route"][until_read].is_string());
        }
    }
}
