//! What the tests share: the files that Weir ships, and a real Envoy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use weir_control::Environment;
use weir_control::render::{Door, MOST_CONNECTIONS, Module, Node, Resources, render};
use weir_tests::Process;
use weir_tests::envoy::{self, Start};

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The default configuration and every example.
pub(crate) fn configurations() -> Vec<PathBuf> {
    let mut files = vec![repository().join("config/weir.yaml")];
    let examples = std::fs::read_dir(repository().join("config/examples")).unwrap();
    files.extend(
        examples.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "yaml")),
    );
    files.sort();
    files
}

/// An environment in which every credential that the examples name is set, and nothing else.
pub(crate) fn environment(folder: &Path) -> Environment {
    let mut environment = Environment::new(
        [
            ("HOME", folder.to_str().unwrap()),
            ("OPENAI_API_KEY", "sk-openai-secret"),
            ("ANTHROPIC_API_KEY", "sk-anthropic-secret"),
            ("EMBEDDINGS_API_KEY", "sk-embeddings-secret"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let bundle = folder.join("ca.pem");
    std::fs::write(&bundle, CA).unwrap();
    environment.ca_bundles = vec![bundle];
    environment
}

/// Copies `file` into `folder`, and puts beside it what the examples refer to.
pub(crate) fn copy(file: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join("weir.yaml");
    std::fs::copy(file, &copy).unwrap();
    std::fs::write(folder.join("gpu-1.key"), "sk-file-secret").unwrap();
    std::fs::write(folder.join("ca.pem"), CA).unwrap();
    copy
}

/// An Envoy whose files are below `folder`, with the module that was built.
pub(crate) fn node(folder: &Path, environment: &Environment) -> Node {
    Node {
        folder: folder.join("envoy"),
        filter: Module::Wasm(wasm()),
        sidecar_socket: folder.join("sidecar.sock"),
        admin_socket: folder.join("admin.sock"),
        access_log: folder.join("access.log"),
        ca_bundle: environment.ca_bundle().map(Path::to_owned),
        connections: MOST_CONNECTIONS,
        control: None,
        door: Door::Port,
    }
}

/// What is rendered in `folder` of a configuration, for an Envoy with this door.
pub(crate) fn resources(folder: &Path, text: &str, door: Door) -> Resources {
    let file = folder.join("weir.yaml");
    std::fs::write(&file, text).unwrap();
    let environment = environment(folder);
    let loaded = weir_control::load(&file, &environment).unwrap();
    render(&loaded.gateway, &Node { door, ..node(folder, &environment) }).unwrap()
}

/// The native filter, which Envoy loads to see whether a configuration holds.
pub(crate) fn native() -> PathBuf {
    let native = target().join("debug/libweir_filter.so");
    assert!(native.is_file(), "{} is not there: run `cargo build --package weir-filter`", native.display());
    native
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

pub(crate) fn wasm() -> PathBuf {
    let target = target();
    let built = target.join("wasm32-unknown-unknown/wasm/weir_filter.wasm");
    let named = std::env::var_os("WEIR_WASM").map(PathBuf::from);
    let wasm = named.unwrap_or(built);
    assert!(wasm.is_file(), "{} is not there: run `cargo xtask wasm`", wasm.display());
    wasm
}

/// A real Envoy with one worker, what it says in `envoy.log` of `folder`, and the environment of the configurations there.
pub(crate) fn running(bootstrap: &Path, folder: &Path, flags: &[&str]) -> Process {
    running_with(bootstrap, folder, flags, environment(folder).vars)
}

/// The same in another environment.
pub(crate) fn running_with(bootstrap: &Path, folder: &Path, flags: &[&str], env: BTreeMap<String, String>) -> Process {
    let flags = ["-l", "warning"].iter().chain(flags).map(|flag| (*flag).to_owned()).collect();
    let (bootstrap, log) = (bootstrap.to_owned(), folder.join("envoy.log"));
    Start { bootstrap, log, env, concurrency: 1, flags, under: Vec::new() }.spawn()
}

/// What Envoy says to `bootstrap`; panics with its words if it refuses.
pub(crate) fn validate(bootstrap: &Path, environment: &Environment) {
    validate_with(bootstrap, environment, &[]);
}

/// The same with more of Envoy's arguments.
pub(crate) fn validate_with(bootstrap: &Path, environment: &Environment, flags: &[&str]) {
    let output = Command::new(envoy::binary())
        .args(["--mode", "validate", "-l", "warning", "-c"])
        .arg(bootstrap)
        .args(flags)
        .env_clear()
        .envs(&environment.vars)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "Envoy refuses {}:\n{words}", bootstrap.display());
    for complaint in ["deprecated", "unknown field", "Unused"] {
        assert!(!words.contains(complaint), "Envoy warns about {}:\n{words}", bootstrap.display());
    }
}

/// A CA that signs nothing, for Envoy to read.
const CA: &str = include_str!("ca.pem");
