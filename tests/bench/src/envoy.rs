//! Envoys under measurement: one worker each, on a core of its own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_tests::Process;
use weir_tests::envoy::Start;

/// The key that the callers send, and that an Envoy finds in `BENCH_KEY` for its providers.
pub(crate) const KEY: &str = "sk-bench";

/// How an Envoy runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On one core.
    Core(usize),
    /// Wherever the system puts it.
    Anywhere,
    /// The same, with so many workers.
    Workers(u32),
    /// Under callgrind, which counts instructions once it is [told to](crate::count).
    Callgrind,
}

/// A process that ends with this one.
pub(crate) struct Running {
    process: Process,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Running {
    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Processor time that it has used so far, in microseconds.
    pub(crate) fn cpu_us(&self) -> io::Result<f64> {
        stat(format!("/proc/{}/stat", self.process.id()).as_ref()).map(|(_, us)| us)
    }

    /// The same by the names of its threads, those of a kind together.
    pub(crate) fn threads_cpu_us(&self) -> io::Result<BTreeMap<String, f64>> {
        let mut threads = BTreeMap::new();
        for entry in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let (name, us) = stat(&entry?.path().join("stat"))?;
            *threads.entry(name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned()).or_default() +=
                us;
        }
        Ok(threads)
    }

    /// Moves the threads whose names begin like this to one core.
    pub(crate) fn pin_threads(&self, prefix: &str, core: usize) -> io::Result<()> {
        for entry in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
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

/// Starts Envoy with one worker, if `place` does not say how many, and waits until `address` answers.
pub(crate) fn start(bootstrap: &Path, address: SocketAddr, place: Place) -> io::Result<Running> {
    let mut env: BTreeMap<String, String> = std::env::vars().collect();
    env.insert("BENCH_KEY".to_owned(), KEY.to_owned());
    let mut under = on_core(if let Place::Core(core) = place { Some(core) } else { None });
    if place == Place::Callgrind {
        let out = std::path::absolute(bootstrap)?.with_file_name("callgrind.out.%p");
        let out = format!("--callgrind-out-file={}", out.display());
        under.extend(["valgrind", "--tool=callgrind", "--instr-atstart=no", &out].map(OsString::from));
    }
    let flags = ["-l", "error", "--disable-hot-restart"].map(str::to_owned).to_vec();
    let log = bootstrap.with_extension("log");
    let concurrency = if let Place::Workers(workers) = place { workers } else { 1 };
    let start = Start { bootstrap: bootstrap.to_owned(), log, env, concurrency, flags, under };
    until_listening(start.spawn(), address)
}

/// Starts a program, on core `core` if one is named, and waits until `address` accepts connections.
pub(crate) fn spawn(program: &[&OsStr], log: &Path, address: SocketAddr, core: Option<usize>) -> io::Result<Running> {
    let mut command = Process::tied();
    command.args(on_core(core)).args(program);
    until_listening(Process::start(command, log, log), address)
}

/// What runs a program on this core, or on all: else it would stay on the one of the thread that starts it.
fn on_core(core: Option<usize>) -> Vec<OsString> {
    let list = core.map_or_else(|| "0-1023".to_owned(), |core| core.to_string());
    ["taskset", "--cpu-list", &list].map(OsString::from).to_vec()
}

fn until_listening(process: Process, address: SocketAddr) -> io::Result<Running> {
    let until = Instant::now() + Duration::from_secs(120);
    while TcpStream::connect_timeout(&address, Duration::from_millis(50)).is_err() {
        if Instant::now() > until || process.has_ended().is_some() {
            return Err(io::Error::other(format!("nothing listens at {address}; see the log of what was started")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(Running { process, address })
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
