//! One child: how it is started, and how it is ended.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, PipeReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long a child may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(5);
/// What our own children may need: no provider's credential is among these.
const NEEDED: [&str; 16] = [
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
];

/// What a child inherits of our environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inherit {
    /// Everything: Envoy reads credentials from variables, and a changed configuration may name any of them.
    All,
    /// Only what any program needs.
    Needed,
}

/// Where a child's standard output goes; its standard error is always its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// To its log, too.
    Log,
    /// To ours: Envoy writes nothing there but what `access_log: stdout` asks for, which a change may do at any time.
    Ours,
}

/// How a child is started.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) inherit: Inherit,
    pub(crate) output: Output,
    pub(crate) log: PathBuf,
}

/// A child that runs.
pub(crate) struct Started {
    pub(crate) child: Child,
    /// Completes when all of its output has been passed on, where that goes to ours.
    pub(crate) passed: Option<oneshot::Receiver<()>>,
}

impl Spec {
    /// Starts it, in a process group of its own, so that Ctrl-C reaches only us and we can end it in order.
    ///
    /// It dies when the thread that starts it does: that must be the main one.
    pub(crate) fn start(&self) -> io::Result<Started> {
        if let Some(folder) = self.log.parent() {
            // Somebody may have cleared it away; whether it is there is told by what follows.
            let _ = fs::create_dir_all(folder);
        }
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.log.display()));
        let log = File::options().create(true).append(true).open(&self.log).map_err(named)?;
        // This very binary, even if a newer one has taken its place on disk.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("weir").args(["launch", "--parent", &std::process::id().to_string(), "--"]);
        command.arg(&self.program).args(&self.arguments);
        if self.inherit == Inherit::Needed {
            command.env_clear();
            command.envs(NEEDED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        }
        let (output, passed): (Stdio, _) = match self.output {
            Output::Log => (log.try_clone()?.into(), None),
            // Not ours itself: Envoy opens it by its path, which a socket, such as systemd's journal, does not allow; and a
            // file that two write to at places of their own is garbled.
            Output::Ours => {
                let (from, to) = io::pipe()?;
                (to.into(), Some(pass_on(from)?))
            }
        };
        // Whatever loads ONNX Runtime, or a filter of somebody's, sends nothing.
        let (name, value) = weir_sidecar::engine::onnx::QUIET;
        command.env(name, value);
        command.stdin(Stdio::null()).stdout(output).stderr(log);
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        Ok(Started { child, passed })
    }
}

/// Writes what comes from a child to our standard output until it ends; the receiver learns of that.
///
/// A thread of its own: whoever reads our output may be slow, and we must not be.
fn pass_on(mut from: PipeReader) -> io::Result<oneshot::Receiver<()>> {
    let (done, passed) = oneshot::channel();
    let work = move || {
        let (mut to, mut held) = (io::stdout(), [0; 16 << 10]);
        while let Ok(read @ 1..) = from.read(&mut held) {
            // It is read also when nobody listens to us any more, or the child would wait for ever.
            let _ = to.write_all(held.get(..read).unwrap_or_default()).and_then(|()| to.flush());
        }
        // Nobody may be waiting.
        let _ = done.send(());
    };
    thread::Builder::new().name("output".to_owned()).spawn(work).map(|_| passed)
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

/// The last lines of a log, indented; of a crash of Envoy's what it says, and not the frames that come after it.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let frame = |line: &str| line.contains("[backtrace] [") || line.contains("[envoy_bug] [");
    let lines: Vec<_> = text.lines().filter(|line| !frame(line)).collect();
    let last = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
    if last.is_empty() {
        return format!("      ({} is empty)", log.display());
    }
    format!("      the end of {}:\n      | {}", log.display(), last.join("\n      | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What to do about too few inotify instances stood 40 lines above the end of the log.
    #[test]
    fn a_crash_of_envoys_shows_what_it_says_and_no_frames() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("envoy.log");
        let frames = "[9][error][envoy_bug] [assert.h:66] #1 UNKNOWN [0x5]\n[9][critical][backtrace] [backtrace.h:1] #0: [0x7]\n";
        fs::write(&log, format!("[9][critical][assert] [a.cc:25] raise a limit\n{}", frames.repeat(20))).unwrap();
        let shown = tail(&log);
        assert!(shown.ends_with("| [9][critical][assert] [a.cc:25] raise a limit"), "{shown}");
    }

    /// The sidecar says to name ONNX Runtime's library by a variable, which then did not reach it.
    #[test]
    fn the_sidecar_has_the_variable_that_it_tells_to_set() {
        let told = weir_sidecar::engine::EngineError::Runtime(String::new()).to_string();
        assert!(told.contains("ORT_DYLIB_PATH"), "{told}");
        assert!(NEEDED.contains(&"ORT_DYLIB_PATH"));
    }
}
