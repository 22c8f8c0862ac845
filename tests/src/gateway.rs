//! A gateway as its operator would run it: a configuration, read and rendered by `weir_control`, in a real Envoy.

mod builder;
mod fail;
mod own;
mod plan;
mod steward;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::port::Port;
use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_control::publisher::Publisher;
use weir_control::render::{Door, MOST_CONNECTIONS, Module, Node, Resources, render};
use weir_control::{AdminAddress, Environment, load};
use weir_core::quota::Limit;

use crate::client::Ask;
use crate::envoy::{Start, admin, heaps, module};
use crate::folder::Folder;
use crate::logs;
use crate::process::Process;
use crate::provider::Provider;
use crate::record::Record;
use crate::{PATIENCE, eventually};

pub use self::builder::{Builder, KEY};

/// A running gateway, gone with its Envoy when dropped.
#[derive(Debug)]
pub struct Gateway {
    envoy: Process,
    port: Port,
    builder: Builder,
    paths: Node,
    /// Removed last.
    folder: Folder,
}

impl Gateway {
    /// Begins the description of a gateway with one provider.
    pub fn with(provider: impl Into<Provider>) -> Builder {
        Builder::new(provider)
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
            control: builder.control.clone(),
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
        if let Some(model) = &builder.fails_on {
            fail::on(&paths.folder, model);
        }
        if let Some(text) = &builder.plan {
            plan::replace(&paths.folder, text);
        }

        let mut bootstrap = paths.folder.join("bootstrap.json");
        builder.steward.write(&bootstrap, &builder.clusters);
        if builder.inside {
            bootstrap = own::bootstrap(&bootstrap, port.address(), &paths.admin_socket);
        }
        let log = folder.path().join("envoy.log");
        let level = std::env::var("WEIR_TESTS_LOG").unwrap_or_else(|_| "warning".to_owned());
        let flags = ["--file-flush-interval-msec", "10", "--log-level", &level].map(str::to_owned).to_vec();
        let concurrency = builder.concurrency;
        let start = Start { bootstrap, log: log.clone(), env: vars, concurrency, flags, under: Vec::new() };
        let envoy = start.spawn_in_background().await;
        logs::show_on_failure(&log);
        let address = port.address();
        let deadline = Instant::now() + PATIENCE;
        while !answers(address).await {
            assert!(envoy.has_ended().is_none(), "Envoy has ended at its start");
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

    /// Tells Envoy to end, as a supervisor does.
    pub fn ends(&self) {
        crate::signal(self.envoy.id(), "TERM");
    }

    /// Kills Envoy.
    pub fn is_killed(&self) {
        crate::signal(self.envoy.id(), "KILL");
    }

    /// The limits of its configuration, as control is told them.
    pub fn limits(&self) -> Vec<Limit> {
        self.builder.limits()
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
        heaps(self.envoy.id())
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

    /// Where the access log is.
    pub fn access_log_file(&self) -> PathBuf {
        self.paths.access_log.clone()
    }

    /// The access log's text.
    pub fn access_log(&self) -> String {
        logs::since(&self.paths.access_log, 0)
    }

    /// Where the access log is.
    pub(crate) fn log_file(&self) -> &Path {
        &self.paths.access_log
    }

    /// What Envoy has logged.
    pub fn envoy_log(&self) -> String {
        logs::since(&self.log(), 0)
    }

    /// Whether a file that Envoy was given has this text.
    pub fn has_in_files(&self, text: &str) -> bool {
        let files = fs::read_dir(&self.paths.folder).expect("Envoy's folder").flatten();
        files.into_iter().any(|file| fs::read_to_string(file.path()).is_ok_and(|file| file.contains(text)))
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

impl Builder {
    /// The limits of its configuration, as control is told them.
    pub fn limits(&self) -> Vec<Limit> {
        let (configuration, vars) = self.configuration(SocketAddr::from(([127, 0, 0, 1], 1)), Folder::new().path());
        let folder = Folder::new();
        let file = folder.path().join("weir.yaml");
        fs::write(&file, format!("{configuration:#}")).expect("weir.yaml");
        let loaded = load(&file, &Environment::new(vars)).expect("a configuration without errors");
        loaded.gateway.routing().quotas.all().to_vec()
    }
}

async fn answers(address: SocketAddr) -> bool {
    let answer = AdminAddress::Tcp(address).ask(Method::GET, "/readyz").await;
    answer.is_ok_and(|answer| answer.status == 200)
}
