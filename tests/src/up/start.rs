//! A `weir up` that is to be started, as its user would write it down.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;

use crate::home::{Home, binary};
use crate::process::Process;

use super::{Ports, Up, has_strace};

/// A `weir up` that is to be started.
#[must_use = "it is started by `start`"]
#[derive(Clone, Debug)]
pub struct Start {
    configuration: String,
    files: Vec<(String, String)>,
    flags: Vec<String>,
    /// What is unset has no value.
    env: Vec<(String, Option<OsString>)>,
    open_files: Option<u32>,
    watched: bool,
}

impl Start {
    pub(super) fn new(configuration: &str) -> Self {
        Self {
            configuration: configuration.to_owned(),
            files: Vec::new(),
            flags: Vec::new(),
            env: Vec::new(),
            open_files: None,
            watched: false,
        }
    }

    /// With these flags.
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// With this file beside the configuration. The file [`AUTHORITY`](crate::AUTHORITY) has the certificate authority that is
    /// trusted in place of those of this machine.
    pub fn file(mut self, name: &str, content: &str) -> Self {
        self.files.push((name.to_owned(), content.to_owned()));
        self
    }

    /// With this variable in its environment.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Without this variable in its environment.
    pub fn without_env(mut self, name: &str) -> Self {
        self.env.push((name.to_owned(), None));
        self
    }

    /// Where no process may have more files open.
    pub fn open_files(mut self, most: u32) -> Self {
        self.open_files = Some(most);
        self
    }

    /// With a home folder of its own, under `strace` if the machine has it. The file `calls` then lists the network calls of it
    /// and its children.
    pub fn watched(mut self) -> Self {
        self.watched = true;
        self
    }

    /// Starts it, and returns once all is ready.
    pub async fn start(self) -> Up {
        let up = self.begin();
        up.until_ready().await;
        up
    }

    /// Starts it, and waits for nothing: for one that does not get ready.
    pub fn begin(self) -> Up {
        let (home, ports) = (Home::new(), Ports::free());
        for (name, content) in &self.files {
            home.write(name, content);
        }
        home.write("weir.yaml", &ports.replace(&self.configuration));
        Up::new(self.spawn(&home, &ports), ports, home, self)
    }

    pub(super) fn spawn(&self, home: &Home, ports: &Ports) -> Process {
        // One that was killed has left it there.
        let _ = fs::remove_file(home.path("ready.json"));
        let mut weir = Process::tied();
        home.applies_to(&mut weir).process_group(0);
        if self.watched {
            let cache = weir_places::Places::here().expect("a home").cache;
            weir.env("HOME", home.path("home")).env("WEIR_CACHE", cache).env_remove("XDG_CACHE_HOME");
            // What cargo sets for its own children.
            weir.env_remove("ORT_DISABLE_TELEMETRY");
            if has_strace() {
                // As a process beside it, so that it keeps its id and its parent.
                weir.args(["strace", "-D", "-f", "-qq", "-o", "calls", "-e", "trace=connect,sendto,sendmsg,sendmmsg"]);
            }
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => weir.env(name, value),
                None => weir.env_remove(name),
            };
        }
        if let Some(most) = self.open_files {
            weir.args(["sh", "-c", &format!("ulimit -n {most}; exec \"$@\""), "sh"]);
        }
        weir.arg(binary());
        weir.args(["up", "--config", "weir.yaml", "--run", "run", "--ready-file", "ready.json", "--concurrency", "2"]);
        let (sim, sidecar) = (ports.sim.to_string(), ports.sidecar.to_string());
        weir.args(["--sim", &sim, "--sidecar-admin", &sidecar]).args(&self.flags);
        Process::start(weir, &home.path("out"), &home.path("err"))
    }
}
