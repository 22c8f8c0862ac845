//! The folders of one `weir up`: found again by whoever names the same configuration.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use weir_control::Environment;
use weir_control::render::{Module, Paths};
use weir_core::key::KeyHash;
use weir_places::Places;

use crate::problem::{Outcome, Problem, at};

/// What the kernel allows for the name of a Unix socket.
const LONGEST_SOCKET: usize = 107;

/// Where one `weir up` keeps what it needs while it runs.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    /// Sockets and Envoy's files.
    pub(crate) run: PathBuf,
    /// Logs of every child.
    pub(crate) logs: PathBuf,
}

impl Folders {
    /// The folders of a configuration, or below `run` where that is given.
    pub(crate) fn find(file: Option<&Path>, run: Option<&Path>) -> Outcome<Self> {
        if let Some(run) = run {
            let run = std::path::absolute(run).map_err(at(run))?;
            return Ok(Self { logs: run.join("logs"), run });
        }
        let places = Places::here().map_err(|error| Problem::Failed(error.to_string()))?;
        Self::of(&places, &config(file)?)
    }

    /// The folders of the configuration at `file`.
    pub(crate) fn of(places: &Places, file: &Path) -> Outcome<Self> {
        let file = fs::canonicalize(file).map_err(at(file))?;
        let hash = KeyHash::of(file.as_os_str().as_encoded_bytes()).to_string();
        let stem = file.file_stem().unwrap_or_default().display().to_string();
        let name = format!("{stem}-{}", hash.get(..8).unwrap_or_default());
        Ok(Self { run: places.run.join(&name), logs: places.state.join("logs").join(name) })
    }

    /// Makes them, and takes them for this process alone until the returned file is dropped.
    pub(crate) fn take(&self) -> Outcome<File> {
        let socket = self.socket();
        if socket.as_os_str().len() > LONGEST_SOCKET {
            return Err(Problem::Failed(format!(
                "{}: too long for a socket's name (at most {LONGEST_SOCKET} bytes); name a shorter folder with --run",
                socket.display()
            )));
        }
        for folder in [&self.run, &self.logs, &self.envoy()] {
            fs::create_dir_all(folder).map_err(|error| {
                let folder = folder.display();
                Problem::Failed(format!(
                    "{folder}: {error}; name a folder that this user may write with --run, or with WEIR_STATE for keys as well"
                ))
            })?;
        }
        let path = self.run.join("lock");
        let mut lock =
            File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(at(&path))?;
        if lock.try_lock().is_err() {
            let mut holder = String::new();
            // Who it is only makes the message better.
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

    /// The sidecar's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.run.join("sidecar.sock")
    }

    /// The sidecar's settings.
    pub(crate) fn sidecar_settings(&self) -> PathBuf {
        self.run.join("sidecar.json")
    }

    /// The folder that Envoy watches.
    pub(crate) fn envoy(&self) -> PathBuf {
        self.run.join("envoy")
    }

    /// Envoy's access log, where the configuration names none.
    pub(crate) fn access_log(&self) -> PathBuf {
        self.logs.join("access.log")
    }

    /// The places that rendered files name.
    pub(crate) fn paths(&self, filter: Module, environment: &Environment) -> Paths {
        Paths {
            folder: self.envoy(),
            filter,
            sidecar_socket: self.socket(),
            access_log: self.access_log(),
            ca_bundle: environment.ca_bundle().map(Path::to_owned),
        }
    }

    /// The log of one child.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }
}

/// The configuration: as named, or where a clone and a usual installation have it.
pub(crate) fn config(named: Option<&Path>) -> Outcome<PathBuf> {
    const USUAL: [&str; 2] = ["weir.yaml", "config/weir.yaml"];
    match named {
        Some(file) => Ok(file.to_owned()),
        None => USUAL.iter().map(PathBuf::from).find(|file| file.is_file()).ok_or_else(|| {
            Problem::Usage(format!("no configuration is named, and there is neither {} here", USUAL.join(" nor ")))
        }),
    }
}
