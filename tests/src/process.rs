//! A program that ends with its test.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

/// Ties a program to this process without `unsafe`. A watcher beside it kills it as soon as our end of the pipe on its standard
/// input closes: on drop, and also when this process is killed, because the kernel closes the pipe then.
const TIED: &str = r#"exec 3<&0; (read -r _ <&3; kill -9 $$) 2>/dev/null & exec "$@" 3<&- </dev/null"#;

/// A running program, killed on drop.
#[derive(Debug)]
pub struct Process {
    child: Mutex<Child>,
    id: u32,
}

impl Process {
    /// The beginning of a command. Its arguments are the program and what that is told; [`start`](Self::start) starts it.
    pub fn tied() -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", TIED, "sh"]);
        command
    }

    /// Starts a command that began as [`tied`](Self::tied), with its output in these files.
    pub fn start(mut command: Command, out: &Path, err: &Path) -> Self {
        let create = |path: &Path| File::create(path).expect("a log");
        let out_file = create(out);
        let err_file = if err == out { out_file.try_clone().expect("a log") } else { create(err) };
        let child = command.stdin(Stdio::piped()).stdout(out_file).stderr(err_file).spawn().expect("a shell");
        Self { id: child.id(), child: Mutex::new(child) }
    }

    /// The program's process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// How it ended, if it has ended by itself.
    pub fn has_ended(&self) -> Option<ExitStatus> {
        self.child.lock().expect("nobody panicked with it").try_wait().expect("a child")
    }

    /// How much memory it has from the system, in bytes.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id)).expect("the state of the process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("what is resident");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(child.stdin.take());
        let _ = child.wait();
    }
}

/// Whether a process runs. One that has ended, and whose parent has not asked yet how, does not.
pub fn lives(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}
