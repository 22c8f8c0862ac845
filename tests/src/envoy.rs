//! Envoy: the binary, how it is started, and what it says of itself.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use hyper::Method;
use serde_json::Value;
use weir_control::AdminAddress;
use weir_places::Places;

use crate::background;
use crate::process::Process;

/// An Envoy that is to be started.
#[derive(Clone, Debug)]
pub struct Start {
    /// Its bootstrap.
    pub bootstrap: PathBuf,
    /// The file of its output.
    pub log: PathBuf,
    /// All of its environment but `PATH`.
    pub env: BTreeMap<String, String>,
    /// How many workers it has.
    pub concurrency: u32,
    /// More of its arguments.
    pub flags: Vec<String>,
    /// The program, with arguments, that runs it; nothing: it runs by itself.
    pub under: Vec<OsString>,
}

impl Start {
    /// Starts it. It ends on drop.
    pub fn spawn(self) -> Process {
        let mut command = Process::tied();
        command.args(&self.under).arg(binary()).arg("--config-path").arg(&self.bootstrap);
        command.args(["--use-dynamic-base-id", "--concurrency", &self.concurrency.to_string()]).args(&self.flags);
        command.env_clear().envs(&self.env).env("PATH", env::var_os("PATH").unwrap_or_default());
        Process::start(command, &self.log, &self.log)
    }

    /// Starts it from a thread that outlives the test: Envoy asks the kernel for a SIGTERM when its parent dies, and to the
    /// kernel the parent is the thread. A gateway that tests share would end with the first of them.
    pub(crate) async fn spawn_in_background(self) -> Process {
        background::run(async move { self.spawn() }).await
    }
}

/// How much memory each VM of the Envoy with this process id has, in bytes.
///
/// V8 sets 8 GiB of addresses aside for each and opens as much of them as the module has asked for. What is not open
/// yet is one entry of the process's map, which may not be read or written. A module never gives memory back.
pub(crate) fn heaps(id: u32) -> Vec<u64> {
    const ASIDE: u64 = 8 << 30;
    let map = fs::read_to_string(format!("/proc/{id}/maps")).expect("the map of Envoy's memory");
    let unopened = map.lines().filter_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let length = u64::from_str_radix(to, 16).ok()? - u64::from_str_radix(from, 16).ok()?;
        rest.starts_with("---p").then_some(length)
    });
    unopened.filter(|length| (ASIDE / 2..ASIDE).contains(length)).map(|length| ASIDE - length).collect()
}

/// What Envoy's admin interface, which has this socket, says at a path, as JSON.
pub(crate) async fn admin(socket: &Path, path: &str) -> Value {
    let answer = AdminAddress::Socket(socket.to_owned()).ask(Method::GET, path).await.expect("Envoy's admin interface");
    serde_json::from_slice(&answer.body).expect("JSON")
}

/// The Envoy that `weir up` would run.
pub fn binary() -> PathBuf {
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
