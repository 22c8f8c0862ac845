//! What is compared: bare Envoy, Envoy with a filter that does nothing, and Weir.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use weir_control::render::{Control, ControlAddress, Door, MOST_CONNECTIONS, Module, Node, render};
use weir_control::{Environment, load};
use weir_core::quota::Limit;

use crate::envoy::{self, KEY, Place, Running};

/// The filter as a proxy-wasm module.
pub(crate) const WASM: &str = "target/wasm32-unknown-unknown/wasm/weir_filter.wasm";
/// The filter as a dynamic module.
pub(crate) const NATIVE: &str = "target/release/libweir_filter.so";

/// Six limits that every request meets and none reaches.
const LIMITS: &str = "quotas:\n  key-rate: {key: each, rate: 100000000 requests per minute}\n  \
                      key-tokens: {key: each, rate: 1000000000000 tokens per minute}\n  \
                      key-parallel: {key: each, concurrency: 100000}\n  \
                      key-budget: {key: bench, budget: 1000000000000 tokens per month}\n  \
                      model-budget: {model: each, budget: 1000000000000 output tokens per day}\n  \
                      all: {budget: 1000000000 requests per day}\n";

/// How the names of the access logs end.
const ACCESS_LOG: &str = "-access.log";

/// Bare Envoy in front of `upstream`: one route, the same kind of access log, no retry policy.
pub(crate) fn bare(folder: &Path, upstream: SocketAddr, place: Place) -> io::Result<Running> {
    let address = weir_ports::free();
    let path = envoy::write(folder, "bare", &bootstrap(folder, address, upstream, None))?;
    envoy::start(&path, address, place)
}

/// Removes what the Envoys have written for each request.
pub(crate) fn remove_access_logs(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(ACCESS_LOG) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The same with the no-op filter in the listener's chain and in the cluster's.
pub(crate) fn noop(folder: &Path, upstream: SocketAddr, place: Place) -> io::Result<Running> {
    let address = weir_ports::free();
    let module = PathBuf::from("target/wasm32-unknown-unknown/wasm/weir_noop.wasm");
    let path = envoy::write(folder, "noop", &bootstrap(folder, address, upstream, Some(&module)))?;
    envoy::start(&path, address, place)
}

/// Weir, with `gpt-4o` answered by an upstream that speaks `dialect`.
pub(crate) fn weir(
    folder: &Path,
    name: &str,
    filter: &str,
    dialect: &str,
    upstream: SocketAddr,
    place: Place,
) -> io::Result<Running> {
    let provider = format!("{{dialect: {dialect}, endpoint: \"http://{upstream}/v1\", credential: \"env:BENCH_KEY\"}}");
    let setup = Setup { name, filter, model: "gpt-4o", provider: &provider, more: "", control: None };
    configured(folder, &setup, &folder.join("sidecar.sock"), place)
}

/// The same under six limits that every request meets and none reaches.
pub(crate) fn limited(
    folder: &Path,
    name: &str,
    filter: &str,
    upstream: SocketAddr,
    place: Place,
) -> io::Result<Running> {
    quotas(folder, (name, filter), LIMITS, upstream, (place, None))
}

/// The same, shared by control.
pub(crate) fn shared(folder: &Path, name: &str, upstream: SocketAddr, control: ControlAddress) -> io::Result<Running> {
    let control = Control::at(control, name);
    quotas(folder, (name, NATIVE), LIMITS, upstream, (Place::Workers(4), Some(control)))
}

/// The same with one budget of so many tokens for everybody.
pub(crate) fn budget(
    folder: &Path,
    name: &str,
    filter: &str,
    tokens: u64,
    upstream: SocketAddr,
) -> io::Result<Running> {
    let limits = format!("quotas:\n  all: {{budget: {tokens} tokens per month}}\n");
    quotas(folder, (name, filter), &limits, upstream, (Place::Workers(4), None))
}

fn quotas(
    folder: &Path,
    (name, filter): (&str, &str),
    limits: &str,
    upstream: SocketAddr,
    (place, control): (Place, Option<Control>),
) -> io::Result<Running> {
    let provider = format!("{{dialect: openai, endpoint: \"http://{upstream}/v1\", credential: \"env:BENCH_KEY\"}}");
    let setup = Setup { name, filter, model: "gpt-4o", provider: &provider, more: limits, control };
    configured(folder, &setup, &folder.join("sidecar.sock"), place)
}

/// Weir, with `model` answered by the sidecar at `socket`.
pub(crate) fn local(folder: &Path, model: &str, socket: &Path, place: Place) -> io::Result<Running> {
    let local = format!("local: {{models: {{{model}: {{engine: onnx}}}}}}\n");
    let provider = "{dialect: local}";
    let setup = Setup { name: "local", filter: NATIVE, model, provider, more: &local, control: None };
    configured(folder, &setup, socket, place)
}

/// One configuration of Weir.
struct Setup<'a> {
    /// What its files are called by.
    name: &'a str,
    /// The filter's file.
    filter: &'a str,
    /// The one model there is.
    model: &'a str,
    /// The one provider, in YAML.
    provider: &'a str,
    /// What else the configuration says.
    more: &'a str,
    /// Who shares its limits.
    control: Option<Control>,
}

fn configured(folder: &Path, setup: &Setup<'_>, socket: &Path, place: Place) -> io::Result<Running> {
    let Setup { name, filter, model, provider, more, control } = setup;
    let address = weir_ports::free();
    let hash = weir_core::key::KeyHash::of(KEY.as_bytes());
    let yaml = format!(
        "listen: {address}\nproviders:\n  up: {provider}\nmodels:\n  {model}: {{targets: [{{provider: up}}]}}\n\
         keys:\n  - {{name: bench, sha256: {hash}}}\nkeys_file: {}/keys.yaml\n{more}",
        folder.display()
    );
    let file = folder.join(format!("{name}.yaml"));
    std::fs::write(&file, yaml)?;
    let mut environment = Environment::of_process();
    environment.vars.insert("BENCH_KEY".to_owned(), KEY.to_owned());
    let loaded = load(&file, &environment).map_err(|errors| io::Error::other(format!("{errors:?}")))?;
    let paths = Node {
        folder: folder.to_owned(),
        filter: Module::at(std::path::absolute(filter)?),
        sidecar_socket: socket.to_owned(),
        admin_socket: admin(folder, name)?,
        access_log: folder.join(format!("{name}{ACCESS_LOG}")),
        ca_bundle: None,
        connections: MOST_CONNECTIONS,
        control: control.clone(),
        door: Door::Port,
    };
    let resources = render(&loaded.gateway, &paths).map_err(io::Error::other)?;
    envoy::start(&envoy::write(folder, name, &resources.in_one())?, address, place)
}

/// The socket of the admin interface of a setup's Envoy.
pub(crate) fn admin(folder: &Path, name: &str) -> io::Result<PathBuf> {
    std::path::absolute(folder.join(format!("{name}-admin.sock")))
}

/// The limits of a setup that was started.
pub(crate) fn limits(folder: &Path, name: &str) -> io::Result<Vec<Limit>> {
    let mut environment = Environment::of_process();
    environment.vars.insert("BENCH_KEY".to_owned(), KEY.to_owned());
    let loaded = load(&folder.join(format!("{name}.yaml")), &environment);
    let loaded = loaded.map_err(|errors| io::Error::other(format!("{errors:?}")))?;
    Ok(loaded.gateway.routing().quotas.all().to_vec())
}

/// Whatever this bootstrap says; its first listener is asked.
pub(crate) fn from_file(path: &Path, place: Place) -> io::Result<Running> {
    let bootstrap: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let socket = bootstrap.pointer("/static_resources/listeners/0/address/socket_address");
    let port = socket.and_then(|socket| socket.get("port_value")).and_then(Value::as_u64).unwrap_or_default();
    let port = u16::try_from(port).map_err(io::Error::other)?;
    envoy::start(path, SocketAddr::from(([127, 0, 0, 1], port)), place)
}

fn bootstrap(folder: &Path, address: SocketAddr, upstream: SocketAddr, module: Option<&Path>) -> Value {
    let name = if module.is_some() { "noop" } else { "bare" };
    let log = "{\"time\":\"%START_TIME%\",\"status\":%RESPONSE_CODE%,\"duration_ms\":%DURATION%,\"bytes_received\":\
               %BYTES_RECEIVED%,\"bytes_sent\":%BYTES_SENT%,\"flags\":\"%RESPONSE_FLAGS%\",\"id\":\"%REQ(X-REQUEST-ID)%\"}\n";
    let filters = |last: &str, kind: &str| {
        let mut chain: Vec<Value> = module.iter().map(|module| wasm(module)).collect();
        chain.push(json!({ "name": last, "typed_config": { "@type": format!("type.googleapis.com/{kind}") } }));
        chain
    };
    json!({
        "static_resources": {
            "listeners": [{
                "name": "edge",
                "address": { "socket_address": socket(address) },
                "filter_chains": [{ "filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                        "stat_prefix": "edge",
                        "access_log": [{
                            "name": "envoy.access_loggers.file",
                            "typed_config": {
                                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                                "path": folder.join(format!("{name}{ACCESS_LOG}")),
                                "log_format": { "text_format_source": { "inline_string": log } },
                            },
                        }],
                        "route_config": { "virtual_hosts": [{
                            "name": "all", "domains": ["*"],
                            "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "up", "timeout": "0s" } }],
                        }] },
                        "http_filters": filters("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router"),
                    },
                }] }],
            }],
            "clusters": [{
                "name": "up", "type": "STATIC",
                "circuit_breakers": { "thresholds": [{ "max_connections": 4096, "max_pending_requests": 4096, "max_requests": 4096 }] },
                "load_assignment": { "cluster_name": "up", "endpoints": [{ "lb_endpoints": [
                    { "endpoint": { "address": { "socket_address": socket(upstream) } } },
                ] }] },
                "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": { "http_protocol_options": {} },
                    "http_filters": filters(
                        "envoy.filters.http.upstream_codec",
                        "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
                    ),
                } },
            }],
        },
    })
}

fn wasm(module: &Path) -> Value {
    json!({
        "name": "noop",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": "noop",
                "root_id": "noop",
                "vm_config": {
                    "vm_id": "noop",
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": std::path::absolute(module).unwrap_or_default() } },
                },
            },
        },
    })
}

fn socket(address: SocketAddr) -> Value {
    json!({ "address": address.ip().to_string(), "port_value": address.port() })
}
