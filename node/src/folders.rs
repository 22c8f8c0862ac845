//! The folders of one node. Whoever names the same configuration finds the same folders.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use weir_control::Environment;
use weir_control::render::{Control, ControlAddress, Door, Module, Node};
use weir_core::key::KeyHash;
use weir_places::Places;

use crate::child::Program;
use crate::configuration;
use crate::private;
use crate::problem::{Outcome, Problem, at};

/// The longest path of a Unix socket that the kernel allows.
const LONGEST_SOCKET: usize = 107;

/// Where one node keeps what it needs while it runs.
#[derive(Clone, Debug)]
pub struct Folders {
    /// Sockets and Envoy's files.
    pub run: PathBuf,
    /// The logs of every program.
    pub logs: PathBuf,
}

impl Folders {
    /// The folders of a configuration, or below `run` if that is given.
    pub fn find(file: Option<&Path>, run: Option<&Path>) -> Outcome<Self> {
        if let Some(run) = run {
            let run = std::path::absolute(run).map_err(at(run))?;
            return Ok(Self { logs: run.join("logs"), run });
        }
        let places = Places::here().map_err(|error| Problem::Failed(error.to_string()))?;
        Self::of(&places, &configuration::find(file)?)
    }

    /// The folders of the configuration at `file`.
    pub(crate) fn of(places: &Places, file: &Path) -> Outcome<Self> {
        let file = fs::canonicalize(file).map_err(at(file))?;
        let hash = KeyHash::of(file.as_os_str().as_encoded_bytes()).to_string();
        let stem = file.file_stem().unwrap_or_default().display().to_string();
        let name = format!("{stem}-{}", hash.get(..8).unwrap_or_default());
        Ok(Self { run: places.run.join(&name), logs: places.state.join("logs").join(name) })
    }

    /// Makes the folders, and locks them for this process until the returned file is dropped.
    pub(crate) fn take(&self) -> Outcome<File> {
        let socket = self.socket();
        if socket.as_os_str().len() > LONGEST_SOCKET {
            return Err(Problem::Failed(format!(
                "{}: too long for a socket's name (at most {LONGEST_SOCKET} bytes); name a shorter folder with --run",
                socket.display()
            )));
        }
        let made = |folder: &Path, made: io::Result<()>| {
            made.map_err(|error| {
                let folder = folder.display();
                Problem::Failed(format!(
                    "{folder}: {error}; name a folder that this user may write with --run, or with WEIR_STATE for keys as well"
                ))
            })
        };
        made(&self.run, private::folder_if_ours(&self.run))?;
        for folder in [&self.logs, &self.envoy()] {
            made(folder, private::folder(folder))?;
        }
        let path = self.lock();
        let mut lock =
            File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(at(&path))?;
        if lock.try_lock().is_err() {
            let mut holder = String::new();
            // The message is more useful with the process id, but works without it.
            let _ = lock.read_to_string(&mut holder);
            return Err(Problem::Failed(format!(
                "this configuration is running already, as process {}; stop that one (kill {0}), or give this one \
                 another folder (--run) and other ports",
                holder.trim()
            )));
        }
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(at(&path))?;
        Ok(lock)
    }

    /// When the last run of this node began, if it has not ended by itself.
    pub(crate) fn unended(&self) -> Option<SystemTime> {
        let lock = fs::metadata(self.lock()).ok().filter(|lock| lock.len() > 0)?;
        lock.modified().ok()
    }

    fn lock(&self) -> PathBuf {
        self.run.join("lock")
    }

    /// The sidecar's socket.
    pub fn socket(&self) -> PathBuf {
        self.run.join("sidecar.sock")
    }

    /// Control's socket.
    pub fn control(&self) -> PathBuf {
        self.run.join("control.sock")
    }

    /// The socket of Envoy's admin interface.
    pub(crate) fn admin(&self) -> PathBuf {
        self.run.join("admin.sock")
    }

    /// The file of the sidecar's settings.
    pub(crate) fn sidecar_settings(&self) -> PathBuf {
        self.run.join("sidecar.json")
    }

    /// The folder that Envoy watches.
    pub(crate) fn envoy(&self) -> PathBuf {
        self.run.join("envoy")
    }

    /// Envoy's access log, if the configuration names none.
    pub(crate) fn access_log(&self) -> PathBuf {
        self.logs.join("access.log")
    }

    /// The name of the Envoy that runs here, unless it is given another one: of this machine, the state folder and the run folder.
    /// No other Envoy that shares limits with it may have it.
    pub(crate) fn name(&self, places: &Places) -> String {
        let system = rustix::system::uname();
        let host = system.nodename().to_string_lossy();
        let folders = [&places.state, &self.run].map(|folder| folder.as_os_str().as_encoded_bytes());
        let hash = KeyHash::of(&folders.join(&0)).to_string();
        format!("{host}-{}", hash.get(..8).unwrap_or_default())
    }

    /// The Envoy called `name` as rendered files see it.
    pub(crate) fn node(&self, name: String, filter: Module, environment: &Environment, connections: u32) -> Node {
        Node {
            folder: self.envoy(),
            filter,
            sidecar_socket: self.socket(),
            admin_socket: self.admin(),
            access_log: self.access_log(),
            ca_bundle: environment.ca_bundle().map(Path::to_owned),
            connections,
            control: Some(Control::at(ControlAddress::Socket(self.control()), name)),
            door: Door::Port,
        }
    }

    /// The log of one program.
    pub(crate) fn log(&self, program: Program) -> PathBuf {
        self.logs.join(format!("{program}.log"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two Envoys with one name would take each other's leases.
    #[test]
    fn nodes_of_other_folders_have_other_names_and_a_node_keeps_its_own() {
        let name = |state: &str, run: &str| {
            let places = Places { cache: "/c".into(), state: state.into(), run: "/r".into() };
            Folders { run: run.into(), logs: "/l".into() }.name(&places)
        };
        assert_eq!(name("/s", "/r/a"), name("/s", "/r/a"));
        let names = std::collections::BTreeSet::from([name("/s", "/r/a"), name("/t", "/r/a"), name("/s", "/r/b")]);
        assert_eq!(names.len(), 3, "{names:?}");
    }
}
