//! One Envoy process, which ends with its test.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hyper::Method;
use serde_json::Value;
use weir_control::AdminAddress;
use weir_places::Places;

use crate::background;

/// Ties a process to ours without `unsafe`: a watcher beside it ends it as soon as our end of the pipe on its standard
/// input closes. That happens on drop, and the kernel sees to it when the test process is killed.
const TIED: &str = r#"exec 3<&0; (read -r _ <&3; kill -9 $$) & exec "$@" 3<&- </dev/null"#;

/// A running Envoy.
#[derive(Debug)]
pub(crate) struct Envoy {
    child: Child,
}

/// What an Envoy is started with.
pub(crate) struct Start {
    pub(crate) bootstrap: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) concurrency: u32,
}

impl Envoy {
    /// Starts from a thread that outlives the test: Envoy asks the kernel for a SIGTERM when its parent dies, and to the
    /// kernel the parent is the thread. A gateway that tests share would end with the first of them.
    pub(crate) async fn start(start: Start) -> Self {
        background::run(async move { Self::spawn(&start) }).await
    }

    fn spawn(start: &Start) -> Self {
        let log = File::create(&start.log).expect("Envoy's log");
        let child = Command::new("sh")
            .args(["-c", TIED, "sh"])
            .arg(binary())
            .arg("--config-path")
            .arg(&start.bootstrap)
            .args(["--use-dynamic-base-id", "--file-flush-interval-msec", "10", "--concurrency"])
            .arg(start.concurrency.to_string())
            .args(["--log-level", &env::var("WEIR_TESTS_LOG").unwrap_or_else(|_| "warning".to_owned())])
            .env_clear()
            .envs(&start.env)
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("Envoy's log"))
            .stderr(log)
            .spawn()
            .expect("a shell");
        Self { child }
    }

    /// How much memory each of its VMs has, in bytes.
    ///
    /// V8 sets 8 GiB of addresses aside for each and opens as much of them as the module has asked for. What is not open
    /// yet is one entry of the process's map, which may not be read or written. A module never gives memory back.
    pub(crate) fn heaps(&self) -> Vec<u64> {
        const ASIDE: u64 = 8 << 30;
        let map = fs::read_to_string(format!("/proc/{}/maps", self.child.id())).expect("the map of Envoy's memory");
        let unopened = map.lines().filter_map(|line| {
            let (range, rest) = line.split_once(' ')?;
            let (from, to) = range.split_once('-')?;
            let length = u64::from_str_radix(to, 16).ok()? - u64::from_str_radix(from, 16).ok()?;
            rest.starts_with("---p").then_some(length)
        });
        unopened.filter(|length| (ASIDE / 2..ASIDE).contains(length)).map(|length| ASIDE - length).collect()
    }

    /// How much memory it has of the system, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Envoy's state");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("what is resident");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// What Envoy's admin interface, which has this socket, says at a path, as JSON.
pub(crate) async fn admin(socket: &Path, path: &str) -> Value {
    let answer = AdminAddress::Socket(socket.to_owned()).ask(Method::GET, path).await.expect("Envoy's admin interface");
    serde_json::from_slice(&answer.body).expect("JSON")
}

/// The Envoy that `weir up` would run.
pub(crate) fn binary() -> PathBuf {
    let found = weir_places::envoy::find(&Places::here().expect("a home"));
    found.unwrap_or_else(|problem| panic!("{problem}")).path
}

/// The filter's module: what `WEIR_FILTER` names, else the wasm module.
pub(crate) fn module() -> PathBuf {
    if let Some(named) = env::var_os("WEIR_FILTER") {
        return Path::new(&named).canonicalize().expect("the filter that WEIR_FILTER names");
    }
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    let module = target.join("wasm32-unknown-unknown/wasm/weir_filter.wasm");
    assert!(module.is_file(), "there is no {}: run 'make wasm'", module.display());
    module.canonicalize().expect("a path")
}
