//! One child process: how it is started, and how it is ended.

mod pipe;

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long a child may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(5);
/// The variables that programs other than Envoy may need. No provider's credential is among them.
const NEEDED: [&str; 21] = [
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
    "ORT_DYLIB_PATH",
    "WEIR_SIM_TOKEN",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    // Where Weir keeps things.
    "WEIR_STATE",
    "WEIR_CACHE",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
];

/// The programs that a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// The proxy, with the filter inside.
    Envoy,
    /// Inference of local models.
    Sidecar,
    /// The simulated provider.
    Sim,
    /// Keeps limits, and fills the ledger.
    Control,
}

impl Program {
    /// Every program.
    pub(crate) const ALL: [Self; 4] = [Self::Envoy, Self::Sidecar, Self::Sim, Self::Control];

    /// Its name in messages, in the name of its log, and in the ready file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Envoy => "envoy",
            Self::Sidecar => "sidecar",
            Self::Sim => "sim",
            Self::Control => "control",
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which variables of our environment a child inherits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inherit {
    /// All. Envoy reads credentials from variables, and a changed configuration may name any of them.
    All,
    /// Only those that any program needs.
    Needed,
}

/// Where a child's standard output goes. Its standard error always goes to its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// To its log as well.
    Log,
    /// To our own. Envoy writes there only what `access_log: stdout` asks for, and a change may ask for that at any time.
    Ours,
}

/// How a child is started.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) program: Program,
    pub(crate) executable: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) inherit: Inherit,
    pub(crate) output: Output,
    pub(crate) log: PathBuf,
}

/// A running child.
pub(crate) struct Started {
    pub(crate) child: Child,
    /// Completes once all of the child's output is copied to ours. `None` if the output goes to the log.
    pub(crate) copied: Option<oneshot::Receiver<()>>,
}

impl Spec {
    /// Starts the child in a process group of its own: Ctrl-C then reaches only us, and we end the children in order.
    ///
    /// The child dies with the thread that started it, so that must be the main thread.
    pub(crate) fn start(&self) -> io::Result<Started> {
        if let Some(folder) = self.log.parent() {
            // Somebody may have removed the folder. If it cannot be made, opening the log says why.
            let _ = fs::create_dir_all(folder);
        }
        let with_path = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.log.display()));
        let log = File::options().create(true).append(true).open(&self.log).map_err(with_path)?;
        // The binary of this process, even if a newer one has replaced it on disk.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("weir").args(["launch", "--parent", &std::process::id().to_string(), "--"]);
        command.arg(&self.executable).args(&self.arguments);
        if self.inherit == Inherit::Needed {
            command.env_clear();
            command.envs(NEEDED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        }
        let (output, copied): (Stdio, _) = match self.output {
            Output::Log => (log.try_clone()?.into(), None),
            // A pipe, not our output itself. Envoy opens its output by path, which fails for a socket such as systemd's journal,
            // and two processes that write to one file at offsets of their own would garble it.
            Output::Ours => {
                let (from, to) = io::pipe()?;
                (to.into(), Some(pipe::copy(from)?))
            }
        };
        // Envoy gets this too: a filter of the operator's own may load ONNX Runtime, which must not send telemetry.
        let (name, value) = weir_sidecar::engine::onnx::QUIET;
        command.env(name, value);
        command.stdin(Stdio::null()).stdout(output).stderr(log);
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        Ok(Started { child, copied })
    }
}

/// Ends a child: with SIGTERM, then with SIGKILL if it does not end in time.
pub(crate) async fn end(mut child: Child) {
    signal(&child, Signal::TERM);
    if timeout(PATIENCE, child.wait()).await.is_err() {
        signal(&child, Signal::KILL);
        // SIGKILL always ends it. Waiting removes the entry from the process table.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The sidecar says to name ONNX Runtime's library by a variable, which then did not reach it.
    #[test]
    fn the_sidecar_has_the_variable_that_it_tells_to_set() {
        let told = weir_sidecar::engine::EngineError::Runtime(String::new()).to_string();
        assert!(told.contains("ORT_DYLIB_PATH"), "{told}");
        assert!(NEEDED.contains(&"ORT_DYLIB_PATH"));
    }
}
