//! A gateway as its operator would run it: a configuration, read and rendered by `weir_control`, in a real Envoy.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{fs, ops};

use hyper::Method;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_control::publisher::Publisher;
use weir_control::render::{Door, MOST_CONNECTIONS, Module, Node, Resources, render};
use weir_control::{AdminAddress, Environment, load};
use weir_core::key::KeyHash;

use crate::client::Ask;
use crate::envoy::{Envoy, Start, admin, module};
use crate::folder::Folder;
use crate::logs;
use crate::port::Port;
use crate::upstream::{Credential, Provider};
use crate::{PATIENCE, eventually};

/// The key that may use every model; it belongs to `team`.
pub const KEY: &str = "weir-test-key-of-the-team";

/// A gateway to be started.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    providers: Vec<Provider>,
    models: Map<String, Value>,
    /// The model that was added last.
    latest: String,
    limits: Map<String, Value>,
    keys: Vec<Value>,
    pages: Vec<String>,
    telemetry: Map<String, Value>,
    local: Map<String, Value>,
    concurrency: u32,
    /// What Envoy holds of a body, where that is less than what the filter is told.
    holds: Option<u64>,
    inside: bool,
}

impl Builder {
    /// Adds a provider.
    #[must_use]
    pub fn and(mut self, provider: impl Into<Provider>) -> Self {
        self.providers.push(provider.into());
        self
    }

    /// Takes a provider in place of the one of the same name.
    #[must_use]
    pub fn instead(mut self, provider: Provider) -> Self {
        self.providers.retain(|known| known.name != provider.name);
        self.and(provider)
    }

    /// Adds a model with its targets, best first: `provider/model`.
    #[must_use]
    pub fn model<'t>(mut self, name: &str, targets: impl IntoIterator<Item = &'t str>) -> Self {
        let target = |target: &str| {
            let (provider, model) = target.split_once('/').expect("provider/model");
            json!({ "provider": provider, "model": model })
        };
        let targets: Vec<Value> = targets.into_iter().map(target).collect();
        self.models.insert(name.to_owned(), json!({ "targets": targets }));
        name.clone_into(&mut self.latest);
        self
    }

    /// Limits the model that was added last; names are those of the configuration, such as `first_token`.
    #[must_use]
    pub fn within(mut self, limits: Value) -> Self {
        self.models[&self.latest]["limits"] = limits;
        self
    }

    /// Sets a general limit, such as `first_token` or `body`.
    #[must_use]
    pub fn limit(mut self, name: &str, limit: impl Into<Value>) -> Self {
        self.limits.insert(name.to_owned(), limit.into());
        self
    }

    /// Adds a key that may use these models only.
    #[must_use]
    pub fn key(mut self, name: &str, key: &str, models: &[&str]) -> Self {
        self.keys.push(json!({ "name": name, "sha256": KeyHash::of(key.as_bytes()).to_string(), "models": models }));
        self
    }

    /// Lets pages of this origin call from a browser.
    #[must_use]
    pub fn page(mut self, origin: &str) -> Self {
        self.pages.push(origin.to_owned());
        self
    }

    /// Lets no page call any more.
    #[must_use]
    pub fn no_pages(self) -> Self {
        Self { pages: Vec::new(), ..self }
    }

    /// Sends spans to this collector.
    #[must_use]
    pub fn traced(mut self, otlp: &str) -> Self {
        self.telemetry.insert("otlp".to_owned(), json!(otlp));
        self
    }

    /// Adds a local model, and `local`, the provider of it: a sidecar at [`Gateway::sidecar_socket`], which a test has to start.
    #[must_use]
    pub fn local(mut self, model: &str) -> Self {
        self.local.insert(model.to_owned(), json!({}));
        self
    }

    /// Runs Envoy with this many workers instead of one.
    #[must_use]
    pub fn workers(mut self, concurrency: u32) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Has Envoy hold no more than so many bytes of a body, though the filter is told of more.
    #[must_use]
    pub fn holding(mut self, bytes: u64) -> Self {
        self.holds = Some(bytes);
        self
    }

    /// Has a route of an operator's Envoy lead to it, by an internal listener; else it has a port of its own.
    #[must_use]
    pub fn inside(mut self) -> Self {
        self.inside = true;
        self
    }

    /// Starts it, and returns once it answers.
    pub async fn start(self) -> Gateway {
        Gateway::start(self).await
    }

    /// The configuration as an operator would write it, and the variables that it refers to.
    fn configuration(&self, listen: SocketAddr, folder: &std::path::Path) -> (Value, BTreeMap<String, String>) {
        let mut vars = BTreeMap::new();
        let mut providers = Map::new();
        for provider in &self.providers {
            let mut entry = json!({ "dialect": provider.dialect, "endpoint": provider.endpoint });
            match &provider.credential {
                Some(Credential::Env(key)) => {
                    let name = provider.variable();
                    entry["credential"] = json!(format!("env:{name}"));
                    vars.insert(name, key.clone());
                }
                Some(Credential::File(key)) => {
                    let file = format!("{}.key", provider.name);
                    fs::write(folder.join(&file), key).expect("the key's file");
                    entry["credential"] = json!(format!("file:{file}"));
                }
                Some(Credential::Aws(access, secret)) => {
                    let file = format!("{}.aws", provider.name);
                    let profile = format!("[default]\naws_access_key_id={access}\naws_secret_access_key={secret}\n");
                    fs::write(folder.join(&file), profile).expect("the credentials' file");
                    entry["aws"] = json!({ "region": "us-east-1", "credentials_file": file });
                }
                None => {}
            }
            if let Some(ca) = &provider.ca {
                let file = format!("{}.pem", provider.name);
                fs::write(folder.join(&file), ca).expect("the bundle");
                entry["ca"] = json!(file);
            }
            if let Some(most) = provider.max_in_flight {
                entry["max_in_flight"] = json!(most);
            }
            for (field, value) in &provider.settings {
                entry[field] = value.clone();
            }
            providers.insert(provider.name.clone(), entry);
        }
        if !self.local.is_empty() {
            providers.insert("local".to_owned(), json!({ "dialect": "local" }));
        }
        let mut keys = vec![json!({ "name": "team", "sha256": KeyHash::of(KEY.as_bytes()).to_string() })];
        keys.extend(self.keys.iter().cloned());
        let source = json!({
            "listen": listen.to_string(),
            "limits": self.limits,
            "providers": providers,
            "models": self.models,
            "keys": keys,
            "cors": { "origins": self.pages },
            "telemetry": self.telemetry,
            "local": { "models": self.local },
        });
        (source, vars)
    }
}

/// A running gateway, gone with its Envoy when dropped.
#[derive(Debug)]
pub struct Gateway {
    envoy: Envoy,
    port: Port,
    builder: Builder,
    paths: Node,
    /// Removed last.
    folder: Folder,
}

/// One line of the access log.
#[derive(Clone, Debug)]
pub struct Record(Value);

impl Record {
    /// Every record in an access log. Fails if a line is no JSON.
    pub(crate) fn all(log: &Path) -> Vec<Self> {
        let text = logs::since(log, 0);
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        whole.lines().map(read).map(Self).collect()
    }

    /// The targets tried and what became of each, as `provider/model outcome`.
    pub fn tries(&self) -> Vec<String> {
        let tries = self["tries"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        tries.map(|one| format!("{} {}", text(&one["target"]), text(&one["outcome"]))).collect()
    }
}

impl ops::Deref for Record {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl Gateway {
    /// Begins the description of a gateway with one provider.
    pub fn with(provider: impl Into<Provider>) -> Builder {
        // For a run of all tests behind an operator's Envoy.
        let inside = std::env::var_os("WEIR_TESTS_INSIDE").is_some();
        Builder { concurrency: 1, inside, ..Builder::default() }.and(provider)
    }

    async fn start(builder: Builder) -> Self {
        let folder = Folder::new();
        let port = Port::reserve();
        let paths = Node {
            folder: folder.path().join("envoy"),
            filter: Module::at(module()),
            sidecar_socket: folder.path().join("sidecar.sock"),
            admin_socket: folder.path().join("admin.sock"),
            access_log: folder.path().join("access.log"),
            ca_bundle: None,
            connections: MOST_CONNECTIONS,
            door: if builder.inside { Door::Internal } else { Door::Port },
        };
        let (resources, mut vars) = rendered(&builder, &port, &folder, &paths);
        for provider in builder.providers.iter().filter(|provider| provider.lost) {
            let variable = vars.remove(&provider.variable());
            let file = fs::remove_file(folder.path().join(format!("{}.key", provider.name)));
            assert!(variable.is_some() || file.is_ok(), "{} has no credential to lose", provider.name);
        }
        let written = Publisher::new(&paths.folder, None).publish(resources, Instant::now()).await;
        written.expect("the folder that Envoy watches");
        if let Some(holds) = builder.holds {
            let file = paths.folder.join("rds.json");
            let mut routes: Value = serde_json::from_slice(&fs::read(&file).expect("the routes")).expect("JSON");
            let limit = routes.pointer_mut("/resources/0/virtual_hosts/0/request_body_buffer_limit");
            *limit.expect("the limit") = json!(holds);
            fs::write(&file, routes.to_string()).expect("the routes");
        }

        let mut bootstrap = paths.folder.join("bootstrap.json");
        if builder.inside {
            bootstrap = own(&bootstrap, port.address(), &paths.admin_socket);
        }
        let log = folder.path().join("envoy.log");
        let start = Start { bootstrap, log: log.clone(), env: vars, concurrency: builder.concurrency };
        let mut envoy = Envoy::start(start).await;
        logs::show_on_failure(&log);
        let address = port.address();
        let deadline = Instant::now() + PATIENCE;
        while !answers(address).await {
            assert!(!envoy.has_ended(), "Envoy has ended at its start");
            assert!(Instant::now() < deadline, "Envoy is not ready");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        Self { envoy, port, builder, paths, folder }
    }

    /// Has another configuration take the place of this one, as `weir up` does when its file changes.
    pub async fn becomes(&mut self, change: impl FnOnce(Builder) -> Builder) {
        let (before, _) = rendered(&self.builder, &self.port, &self.folder, &self.paths);
        let builder = change(self.builder.clone());
        let (after, _) = rendered(&builder, &self.port, &self.folder, &self.paths);
        let mut publisher =
            Publisher::new(&self.paths.folder, Some(AdminAddress::Socket(self.paths.admin_socket.clone())));
        publisher.publish(before, Instant::now()).await.expect("what is running");
        publisher.publish(after, Instant::now()).await.expect("Envoy takes the change");
        self.builder = builder;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Asks `model` to answer `text`.
    pub fn chat(&self, model: &str, text: &str) -> Ask {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": text }] });
        self.post("/v1/chat/completions", body)
    }

    /// Asks `model` for the embedding of `text`.
    pub fn embed(&self, model: &str, text: &str) -> Ask {
        self.post("/v1/embeddings", json!({ "model": model, "input": text }))
    }

    /// Posts JSON.
    pub fn post(&self, path: &str, body: Value) -> Ask {
        self.ask("POST", path).json(body)
    }

    /// Gets.
    pub fn get(&self, path: &str) -> Ask {
        self.ask("GET", path)
    }

    /// Asks by any method, without a body.
    pub fn ask(&self, method: &str, path: &str) -> Ask {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        Ask::new(self.address(), self.log(), KEY, method, path)
    }

    /// Sends these bytes on a connection and returns all that comes back until it is closed.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        logs::show_on_failure(&self.log());
        let mut tcp = tokio::net::TcpStream::connect(self.address()).await.expect("the gateway listens");
        tcp.write_all(bytes).await.expect("it reads");
        let mut back = Vec::new();
        let _ = tcp.read_to_end(&mut back).await;
        String::from_utf8_lossy(&back).into_owned()
    }

    /// Whether the filter has VMs: a native one has not.
    pub fn has_heaps(&self) -> bool {
        matches!(self.paths.filter, Module::Wasm(_))
    }

    /// How much memory each VM of the filter has, in bytes: one a worker, the steward's, and the main thread's.
    pub fn heaps(&self) -> Vec<u64> {
        self.envoy.heaps()
    }

    /// How much memory Envoy has of the system, in bytes.
    pub fn resident(&self) -> u64 {
        self.envoy.resident()
    }

    /// Where a sidecar is looked for.
    pub fn sidecar_socket(&self) -> PathBuf {
        self.paths.sidecar_socket.clone()
    }

    /// One of Envoy's counters or gauges.
    pub async fn stat(&self, name: &str) -> u64 {
        let path = format!("/stats?filter=^{}$&format=json", name.replace('.', "\\."));
        let answer = admin(&self.paths.admin_socket, &path).await;
        answer["stats"][0]["value"].as_u64().unwrap_or_default()
    }

    /// Waits until one of Envoy's counters or gauges has this value.
    pub async fn until_stat(&self, name: &str, value: u64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self.stat(name).await;
            if now == value {
                return;
            }
            assert!(Instant::now() < deadline, "{name} is {now} and not {value}");
        }
    }

    /// How much memory Envoy itself has in use, buffers included and VMs not, in bytes.
    pub async fn allocated(&self) -> u64 {
        let answer = admin(&self.paths.admin_socket, "/memory").await;
        answer["allocated"].as_str().and_then(|bytes| bytes.parse().ok()).expect("Envoy tells what is allocated")
    }

    /// Waits until Envoy has no more memory in use than `most` bytes.
    pub async fn until_allocated(&self, most: u64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let allocated = self.allocated().await;
            if allocated <= most {
                return;
            }
            assert!(Instant::now() < deadline, "{allocated} bytes are in use, where {most} would do");
        }
    }

    /// Waits for the record of the request with this id, which Weir or the caller gave it.
    pub async fn record(&self, id: &str) -> Record {
        assert!(!id.is_empty(), "an answer without x-request-id");
        let is = |record: &Record| record["request_id"] == id || record["caller_request_id"] == id;
        let find = || self.records().into_iter().find(is);
        eventually("the record", find).await
    }

    /// Every record so far. Fails if a line is no JSON.
    pub fn records(&self) -> Vec<Record> {
        Record::all(&self.paths.access_log)
    }

    /// The access log's text.
    pub fn access_log(&self) -> String {
        logs::since(&self.paths.access_log, 0)
    }

    /// What Envoy has logged.
    pub fn envoy_log(&self) -> String {
        logs::since(&self.log(), 0)
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("envoy.log")
    }
}

/// Whatever a test is about, no record calls a failure `ok`.
impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() || !self.paths.access_log.is_file() {
            return;
        }
        for record in self.records() {
            let failed = record["status"].as_u64().is_none_or(|status| status >= 400);
            assert!(!failed || record["outcome"] != "ok", "a failure is recorded as ok: {}", *record);
        }
    }
}

fn rendered(builder: &Builder, port: &Port, folder: &Folder, paths: &Node) -> (Resources, BTreeMap<String, String>) {
    let (configuration, mut vars) = builder.configuration(port.address(), folder.path());
    let file = folder.path().join("weir.yaml");
    fs::write(&file, format!("{configuration:#}")).expect("weir.yaml");
    vars.insert("HOME".to_owned(), folder.path().display().to_string());
    let environment = Environment::new(vars.clone());
    let loaded = load(&file, &environment).unwrap_or_else(|found| {
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        panic!("the configuration has errors:\n{}", lines.join("\n"))
    });
    let paths = Node { ca_bundle: environment.ca_bundle().map(ToOwned::to_owned), ..paths.clone() };
    (render(&loaded.gateway, &paths).expect("Envoy's resources"), vars)
}

/// The bootstrap of an operator whose only route leads to what the one in `part` has.
fn own(part: &Path, listen: SocketAddr, admin: &Path) -> PathBuf {
    let text = fs::read(part).expect("Weir's part of the bootstrap");
    let mut whole: Value = serde_json::from_slice(&text).expect("JSON");
    let socket = |port: u16| json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
    let route = json!({ "cluster": "weir", "timeout": "0s", "idle_timeout": "0s" });
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "own",
        "route_config": { "virtual_hosts": [{
            "name": "own", "domains": ["*"], "routes": [{ "match": { "prefix": "/" }, "route": route }],
        }] },
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        }],
    });
    whole["node"] = json!({ "id": "own", "cluster": "own" });
    whole["admin"] = json!({ "address": { "pipe": { "path": admin } } });
    whole["static_resources"]["listeners"] = json!([{
        "name": "own",
        "address": socket(listen.port()),
        "filter_chains": [{ "filters": [{ "name": "manager", "typed_config": manager }] }],
    }]);
    let file = part.with_file_name("own.json");
    fs::write(&file, whole.to_string()).expect("the operator's bootstrap");
    file
}

async fn answers(address: SocketAddr) -> bool {
    let asked = async {
        let mut tcp = tokio::net::TcpStream::connect(address).await.ok()?;
        tcp.write_all(b"GET /readyz HTTP/1.1\r\nhost: weir\r\nconnection: close\r\n\r\n").await.ok()?;
        let mut back = [0; 12];
        tcp.read_exact(&mut back).await.ok()?;
        Some(back == *b"HTTP/1.1 200")
    };
    asked.await.unwrap_or(false)
}
