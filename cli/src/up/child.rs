//! One child: how it is started, and how it is ended.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long a child may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(5);
/// What our own children may need: no secret is among these.
const NEEDED: [&str; 14] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// What a child inherits of our environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inherit {
    /// Everything: Envoy reads credentials from variables, and a changed configuration may name any of them.
    All,
    /// Only what any program needs.
    Needed,
}

/// How a child is started.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) inherit: Inherit,
    pub(crate) log: PathBuf,
}

impl Spec {
    /// Starts it, in a process group of its own, so that Ctrl-C reaches only us and we can end it in order.
    ///
    /// It dies when the thread that starts it does: that must be the main one.
    pub(crate) fn start(&self) -> io::Result<Child> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        // This very binary, even if a newer one has taken its place on disk.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("weir").args(["launch", "--parent", &std::process::id().to_string(), "--"]);
        command.arg(&self.program).args(&self.arguments);
        if self.inherit == Inherit::Needed {
            command.env_clear();
            command.envs(NEEDED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.process_group(0).kill_on_drop(true).spawn()
    }
}

/// Ends a child: SIGTERM, and SIGKILL if it does not listen.
pub(crate) async fn end(mut child: Child) {
    signal(&child, Signal::TERM);
    if timeout(PATIENCE, child.wait()).await.is_err() {
        signal(&child, Signal::KILL);
        // Nothing survives SIGKILL, and what it leaves behind is reaped here.
        let _ = child.wait().await;
    }
}

fn signal(child: &Child, signal: Signal) {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(group) = id {
        // It may just have ended by itself.
        let _ = kill_process_group(group, signal);
    }
}

/// Puts an earlier run's log aside, so that the tail of a log is this run's.
pub(crate) fn rotate(log: &Path) {
    // No log yet is the usual reason for this to fail, and no log is worth not starting for.
    let _ = fs::rename(log, log.with_extension("log.old"));
}

/// The last lines of a log, indented.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
    if last.is_empty() {
        return format!("      ({} is empty)", log.display());
    }
    format!("      the end of {}:\n      | {}", log.display(), last.join("\n      | "))
}
