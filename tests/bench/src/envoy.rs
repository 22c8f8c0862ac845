//! Envoys under measurement: one worker each, on a core of its own.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The key that the callers send, and that an Envoy finds in `BENCH_KEY` for its providers.
pub(crate) const KEY: &str = "sk-bench";

/// How an Envoy runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On one core.
    Core(usize),
    /// Wherever the system puts it.
    Anywhere,
    /// Under callgrind, which counts instructions once it is [told to](crate::count).
    Callgrind,
}

/// A process that ends with this one.
pub(crate) struct Running {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Running {
    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Processor time that it has used so far, in microseconds.
    pub(crate) fn cpu_us(&self) -> io::Result<f64> {
        stat(format!("/proc/{}/stat", self.child.id()).as_ref()).map(|(_, us)| us)
    }

    /// The same by the names of its threads, those of a kind together.
    pub(crate) fn threads_cpu_us(&self) -> io::Result<BTreeMap<String, f64>> {
        let mut threads = BTreeMap::new();
        for entry in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let (name, us) = stat(&entry?.path().join("stat"))?;
            *threads.entry(name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned()).or_default() +=
                us;
        }
        Ok(threads)
    }

    /// Moves the threads whose names begin like this to one core.
    pub(crate) fn pin_threads(&self, prefix: &str, core: usize) -> io::Result<()> {
        for entry in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let entry = entry?;
            if stat(&entry.path().join("stat"))?.0.starts_with(prefix) {
                let id = entry.file_name().to_string_lossy().parse().map_err(io::Error::other)?;
                pin_thread(id, Some(core));
            }
        }
        Ok(())
    }
}

/// Processor time that this process has used so far, in microseconds.
pub(crate) fn own_cpu_us() -> io::Result<f64> {
    stat("/proc/self/stat".as_ref()).map(|(_, us)| us)
}

/// The name and the processor time, in microseconds, that a file like `/proc/self/stat` tells.
fn stat(path: &Path) -> io::Result<(String, f64)> {
    let stat = std::fs::read_to_string(path)?;
    let (before, after) = stat.rsplit_once(')').unwrap_or_default();
    let ticks: f64 = after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
    Ok((before.split_once('(').unwrap_or_default().1.to_owned(), ticks * 1e6 / 100.0))
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The Envoy to measure: `WEIR_ENVOY`, else the one in Weir's cache.
pub(crate) fn binary() -> PathBuf {
    let cached = weir_control::Environment::of_process().cache.join("envoy/envoy");
    std::env::var_os("WEIR_ENVOY").map_or(cached, PathBuf::from)
}

/// Starts Envoy with one worker and waits until `address` answers.
pub(crate) fn start(bootstrap: &Path, address: SocketAddr, place: Place) -> io::Result<Running> {
    let log = std::fs::File::create(bootstrap.with_extension("log"))?;
    let mut command = match place {
        Place::Callgrind => {
            let mut command = Command::new("valgrind");
            let out = std::path::absolute(bootstrap)?.with_file_name("callgrind.out.%p");
            command.args(["--tool=callgrind", "--instr-atstart=no"]);
            command.arg(format!("--callgrind-out-file={}", out.display())).arg(binary());
            command
        }
        Place::Core(_) | Place::Anywhere => Command::new(binary()),
    };
    command.args(["--concurrency", "1", "-l", "error", "--use-dynamic-base-id", "--disable-hot-restart", "-c"]);
    command.arg(bootstrap).env("BENCH_KEY", KEY).stdout(Stdio::null()).stderr(log);
    let core = if let Place::Core(core) = place { Some(core) } else { None };
    spawn(command, address, core)
}

/// Starts `command`, on core `core` if one is named, and waits until `address` accepts connections.
#[allow(unsafe_code, reason = "two system calls between fork and exec, both safe to make there")]
pub(crate) fn spawn(mut command: Command, address: SocketAddr, core: Option<usize>) -> io::Result<Running> {
    // SAFETY: only async-signal-safe calls are made in the child.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            pin(core);
            Ok(())
        });
    }
    let program = command.get_program().display().to_string();
    let child = command.spawn().map_err(|error| io::Error::other(format!("cannot run {program}: {error}")))?;
    let mut running = Running { child, address };
    let until = Instant::now() + Duration::from_secs(120);
    while TcpStream::connect_timeout(&address, Duration::from_millis(50)).is_err() {
        if Instant::now() > until || running.child.try_wait()?.is_some() {
            return Err(io::Error::other(format!("{command:?} did not come up; see its log")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(running)
}

/// Keeps the calling thread, and what it starts, on one core; `None` lets it run on all again.
pub(crate) fn pin(core: Option<usize>) {
    pin_thread(0, core);
}

/// The same for the thread of this id, 0 for the calling one.
#[allow(unsafe_code, reason = "only the system call knows about cores")]
fn pin_thread(id: libc::pid_t, core: Option<usize>) {
    // SAFETY: the set is a plain bit mask that outlives the call.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        match core {
            Some(core) => libc::CPU_SET(core, &mut set),
            None => (0..1024).for_each(|core| libc::CPU_SET(core, &mut set)),
        }
        libc::sched_setaffinity(id, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}

/// Writes a bootstrap.
pub(crate) fn write(folder: &Path, name: &str, bootstrap: &Value) -> io::Result<PathBuf> {
    let path = folder.join(format!("{name}.json"));
    std::fs::write(&path, bootstrap.to_string())?;
    Ok(path)
}
