//! `weir up` as its users run it: the binary, with a home and ports of its own.

mod start;

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};
use weir_ports::free;

use crate::Ask;
use crate::envoy::admin;
use crate::home::{Home, SIM_TOKEN, binary};
use crate::logs;
use crate::process::Process;
use crate::record::Record;

pub use self::start::Start;

/// How long a test waits for processes: only one that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running `weir up`, gone when dropped.
#[derive(Debug)]
pub struct Up {
    process: Process,
    ports: Ports,
    start: Start,
    /// Removed last.
    home: Home,
}

/// Where things listen.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// The gateway.
    pub listen: SocketAddr,
    /// The simulated provider.
    pub sim: SocketAddr,
    /// The sidecar's health.
    pub sidecar: SocketAddr,
}

impl Ports {
    /// Free ones.
    pub fn free() -> Self {
        Self { listen: free(), sim: free(), sidecar: free() }
    }

    /// Replaces the usual ports in a configuration by these.
    pub fn replace(&self, configuration: &str) -> String {
        let usual = [("127.0.0.1:10000", self.listen), ("127.0.0.1:10002", self.sim)];
        usual.iter().fold(configuration.to_owned(), |text, (usual, own)| text.replace(usual, &own.to_string()))
    }
}

impl Up {
    /// Begins the description of one with this configuration, which is written for the usual ports.
    pub fn with(configuration: &str) -> Start {
        Start::new(configuration)
    }

    fn new(process: Process, ports: Ports, home: Home, start: Start) -> Self {
        for log in ["out", "err", "run/logs/envoy.log", "run/logs/sidecar.log"] {
            logs::show_on_failure(&home.path(log));
        }
        Self { process, ports, start, home }
    }

    async fn until_ready(&self) {
        let ready = self.path("ready.json");
        self.until("it is ready", async || ready.is_file().then_some(())).await;
    }

    /// Waits until it has ended by itself, and starts the same again, with a fresh output. Returns once all is ready.
    pub async fn again(&mut self) {
        self.ended().await;
        self.process = self.start.spawn(&self.home, &self.ports);
        self.until_ready().await;
    }

    /// Where things listen.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// Its home, where other commands can run too.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// A path in its home: `weir.yaml`, `out`, `err`, `run`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path(name)
    }

    /// Writes the configuration anew where it is, as some editors do.
    pub fn overwrite(&self, configuration: &str) {
        fs::write(self.path("weir.yaml"), self.ports.replace(configuration)).expect("the configuration");
    }

    /// Replaces the configuration, as other editors do: written beside it, and renamed.
    pub fn configure(&self, configuration: &str) {
        let beside = self.path("weir.yaml.new");
        fs::write(&beside, self.ports.replace(configuration)).expect("the configuration");
        fs::rename(beside, self.path("weir.yaml")).expect("the configuration");
    }

    /// Everything it has said.
    pub fn said(&self) -> String {
        format!("{}{}", logs::since(&self.path("out"), 0), logs::since(&self.path("err"), 0))
    }

    /// A program in the same home, which finds `weir` by its name.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let beside = binary().parent().map(Path::to_owned);
        let others = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(beside.into_iter().chain(env::split_paths(&others))).expect("a path");
        self.home.applies_to(&mut command).env("PATH", path).stdin(Stdio::null());
        command
    }

    /// The key that the first start made.
    pub fn key(&self) -> String {
        fs::read_to_string(self.path("state/key")).expect("the first key").trim().to_owned()
    }

    /// Asks `model` to answer `text`.
    pub fn chat(&self, model: &str, text: &str) -> Ask {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": text }] });
        self.post("/v1/chat/completions", body)
    }

    /// Asks `model` for embeddings: of a text, or of each in a list.
    pub fn embed(&self, model: &str, input: impl Into<Value>) -> Ask {
        self.post("/v1/embeddings", json!({ "model": model, "input": input.into() }))
    }

    /// Gets what is at a path, with the first key.
    pub fn get(&self, path: &str) -> Ask {
        Ask::new(self.ports.listen, self.path("run/logs/envoy.log"), &self.key(), Method::GET, path)
    }

    /// Posts JSON, with the first key.
    pub fn post(&self, path: &str, body: Value) -> Ask {
        let log = self.path("run/logs/envoy.log");
        Ask::new(self.ports.listen, log, &self.key(), Method::POST, path).json(body)
    }

    /// One of Envoy's counters or gauges.
    pub async fn stat(&self, name: &str) -> u64 {
        let path = format!("/stats?filter=^{}$&format=json", name.replace('.', "\\."));
        let answer = admin(&self.path("run/admin.sock"), &path).await;
        answer["stats"][0]["value"].as_u64().unwrap_or_default()
    }

    /// One of the sidecar's metrics, its labels left out; 0 before it has a value.
    pub async fn metric(&self, name: &str) -> f64 {
        let log = self.path("run/logs/sidecar.log");
        let answer = Ask::new(self.ports.sidecar, log, "", Method::GET, "/metrics").await;
        let text = answer.text();
        let line = text.lines().find(|line| line.starts_with(name) && !line.starts_with('#'));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
    }

    /// Asks the simulated provider itself, under `/_sim/`, with the token of tests.
    pub fn sim(&self, path: &str) -> Ask {
        let log = self.path("run/logs/sim.log");
        Ask::new(self.ports.sim, log, SIM_TOKEN, Method::GET, &format!("/_sim/{path}"))
    }

    /// Waits for the record of the request with this id.
    pub async fn record(&self, id: &str) -> Record {
        assert!(!id.is_empty(), "an answer without x-request-id");
        let log = self.path("run/logs/access.log");
        let find = || Record::all(&log).into_iter().find(|record| record["request_id"] == id);
        self.until("the record", async || find()).await
    }

    /// Every record so far.
    pub fn records(&self) -> Vec<Record> {
        Record::all(&self.path("run/logs/access.log"))
    }

    /// Its own process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The process id of `sim`, `sidecar` or `envoy`, as of its last start.
    pub fn child(&self, name: &str) -> u32 {
        let again = format!("{name} was restarted (process ");
        if let Some((_, after)) = self.said().rsplit_once(&again) {
            return after.split(')').next().and_then(|id| id.parse().ok()).expect("a process id");
        }
        id(&self.at_start()[name])
    }

    /// The process ids of all its children, as of their first start.
    pub fn children(&self) -> Vec<u32> {
        self.at_start().as_object().expect("an object").values().map(id).collect()
    }

    fn at_start(&self) -> Value {
        let ready = fs::read(self.path("ready.json")).expect("ready.json");
        let mut ready: Value = serde_json::from_slice(&ready).expect("JSON");
        ready["children"].take()
    }

    /// Every process that it has started and that still runs, found by what they were started with.
    pub fn processes(&self) -> Vec<String> {
        let marks = [self.path("").display().to_string(), self.ports.sim.to_string()];
        let mut found = Vec::new();
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            // The watcher of [`Process`] is ours.
            if marks.iter().any(|mark| line.contains(mark)) && !line.starts_with("sh ") {
                found.push(line);
            }
        }
        found
    }

    /// Waits until `found` finds something. Fails if it never does, or if `weir up` ends before.
    pub async fn until<T>(&self, what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = found().await {
                return found;
            }
            let ended = self.process.has_ended();
            assert!(ended.is_none(), "`weir up` has ended ({ended:?}) before {what}");
            assert!(Instant::now() < deadline, "waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until it has said this.
    pub async fn until_said(&self, words: &str) {
        let logs = [self.path("out"), self.path("err")];
        let said = || logs.iter().any(|log| logs::since(log, 0).contains(words));
        self.until(&format!("it says: {words}"), async || said().then_some(())).await;
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.has_ended() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Whether calls to the system can be watched here.
pub fn has_strace() -> bool {
    Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|done| done.success())
}

/// Sends a signal, by its name without SIG.
pub fn signal(process: u32, signal: &str) {
    // The shell's own `kill`: not every machine has it as a program.
    let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {process}")]).status();
    assert!(sent.is_ok_and(|status| status.success()), "no process {process} to send {signal} to");
}

fn id(value: &Value) -> u32 {
    value.as_u64().and_then(|id| u32::try_from(id).ok()).expect("a process id")
}
