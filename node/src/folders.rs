//! The folders of one `weir up`: found again by whoever names the same configuration.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use weir_control::Environment;
use weir_control::render::{Door, Module, Node};
use weir_core::key::KeyHash;
use weir_places::Places;

use crate::configuration;
use crate::problem::{Outcome, Problem, at};

/// What the kernel allows for the name of a Unix socket.
const LONGEST_SOCKET: usize = 107;

/// Where one `weir up` keeps what it needs while it runs.
#[derive(Clone, Debug)]
pub struct Folders {
    /// Sockets and Envoy's files.
    pub run: PathBuf,
    /// Logs of every child.
    pub logs: PathBuf,
}

impl Folders {
    /// The folders of a configuration, or below `run` where that is given.
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

    /// Makes them, and takes them for this process alone until the returned file is dropped.
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
        made(&self.run, private_if_ours(&self.run))?;
        for folder in [&self.logs, &self.envoy()] {
            made(folder, private(folder))?;
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
    pub fn socket(&self) -> PathBuf {
        self.run.join("sidecar.sock")
    }

    /// The socket of Envoy's admin interface.
    pub(crate) fn admin(&self) -> PathBuf {
        self.run.join("admin.sock")
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
    pub(crate) fn paths(&self, filter: Module, environment: &Environment, connections: u32) -> Node {
        Node {
            folder: self.envoy(),
            filter,
            sidecar_socket: self.socket(),
            admin_socket: self.admin(),
            access_log: self.access_log(),
            ca_bundle: environment.ca_bundle().map(Path::to_owned),
            connections,
            door: Door::Port,
        }
    }

    /// The log of one child.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }
}

/// Makes a folder that only this user can look into, with all above it that is not there. What stands in it already is closed to
/// others too: earlier versions let everybody read it.
pub(crate) fn private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    close(folder);
    for entry in fs::read_dir(folder)?.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())) {
        close(&entry.path());
    }
    Ok(())
}

/// The same for a folder that a person may have named. One that holds other things than ours stays as open as it is: others may
/// have to get at those. What we put there is closed by itself.
pub(crate) fn private_if_ours(folder: &Path) -> io::Result<()> {
    const OURS: [&str; 8] =
        ["admin.sock", "envoy", "lock", "logs", "run", "sidecar.json", "sidecar.sock", "sidecar.tmp"];
    let ours = |name: &str| OURS.contains(&name) || name.starts_with("key");
    let shared = fs::read_dir(folder).is_ok_and(|entries| {
        let mut names = entries.flatten().map(|entry| entry.file_name());
        names.any(|name| !name.to_str().is_some_and(ours))
    });
    if shared { Ok(()) } else { private(folder) }
}

/// Takes all rights from others. What belongs to somebody else is left to them.
fn close(path: &Path) {
    let Ok(mode) = fs::metadata(path).map(|found| found.permissions().mode()) else { return };
    if mode & 0o077 != 0 {
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7700));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_closed_with_what_stands_in_it_unless_others_have_things_there() {
        let home = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = |name: &str, file: &str| {
            let folder = home.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(file), "").unwrap();
            for path in [&folder, &folder.join(file)] {
                fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
            }
            folder
        };
        let (ours, theirs) = (folder("ours", "lock"), folder("theirs", "report.txt"));
        private_if_ours(&ours).unwrap();
        private_if_ours(&theirs).unwrap();
        assert_eq!([mode(&ours), mode(&ours.join("lock"))], [0o700, 0o700]);
        assert_eq!([mode(&theirs), mode(&theirs.join("report.txt"))], [0o755, 0o755]);
        private(&theirs).unwrap();
        assert_eq!([mode(&theirs), mode(&theirs.join("report.txt"))], [0o700, 0o700]);
        private_if_ours(&home.path().join("a/b")).unwrap();
        assert_eq!([mode(&home.path().join("a")), mode(&home.path().join("a/b"))], [0o700, 0o700]);
    }
}
