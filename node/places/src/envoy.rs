//! Which Envoy runs: the one that `WEIR_ENVOY` names, else the first on `PATH` that is new enough, else the fetched one.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Places;

/// The oldest Envoy that looks a cluster up again on every retry.
pub const OLDEST: Version = Version { major: 1, minor: 39 };

/// Major and minor version of an Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 1, for every Envoy so far.
    pub major: u32,
    /// Counts the quarterly releases.
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// An Envoy that can be run, and why it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envoy {
    /// The binary.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// Who chose it.
    pub origin: Origin,
}

/// Who chose an Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The operator, with `WEIR_ENVOY`.
    Named,
    /// It is on `PATH`.
    OnPath,
    /// It was fetched into the cache.
    Fetched,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named => "named by WEIR_ENVOY",
            Self::OnPath => "found on PATH",
            Self::Fetched => "fetched",
        })
    }
}

/// Why there is no Envoy to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoEnvoy {
    /// `WEIR_ENVOY` names something that does not run or prints no version.
    Broken(PathBuf),
    /// `WEIR_ENVOY` names one that is too old.
    Old(PathBuf, Version),
    /// There is none, and it can be fetched to this path.
    Missing(PathBuf),
}

impl fmt::Display for NoEnvoy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(path) => write!(
                f,
                "WEIR_ENVOY: `{} --version` tells no version; name an Envoy {OLDEST} or later, or unset it",
                path.display()
            ),
            Self::Old(path, version) => write!(
                f,
                "WEIR_ENVOY: {} is Envoy {version}; name an Envoy {OLDEST} or later, or unset it",
                path.display()
            ),
            Self::Missing(path) => write!(
                f,
                "no Envoy: none {OLDEST} or later on PATH, and none that runs at {}; run `cargo xtask fetch` in a clone \
                 of Weir (`make up` does), or name one with WEIR_ENVOY",
                path.display()
            ),
        }
    }
}

impl std::error::Error for NoEnvoy {}

/// Finds the Envoy to run.
pub fn find(places: &Places) -> Result<Envoy, NoEnvoy> {
    if let Some(chosen) = chosen()? {
        return Ok(chosen);
    }
    let path = places.envoy();
    match version(&path) {
        Some(version) => Ok(Envoy { path, version, origin: Origin::Fetched }),
        None => Err(NoEnvoy::Missing(path)),
    }
}

/// The Envoy that is named, or that is on `PATH` and new enough. With it, none need be fetched.
pub fn chosen() -> Result<Option<Envoy>, NoEnvoy> {
    if let Some(path) = std::env::var_os("WEIR_ENVOY").filter(|path| !path.is_empty()).map(PathBuf::from) {
        return match version(&path) {
            None => Err(NoEnvoy::Broken(path)),
            Some(version) if version < OLDEST => Err(NoEnvoy::Old(path, version)),
            Some(version) => Ok(Some(Envoy { path, version, origin: Origin::Named })),
        };
    }
    let found = std::env::var_os("PATH").and_then(|folders| on_path(&folders));
    Ok(found.map(|(path, version)| Envoy { path, version, origin: Origin::OnPath }))
}

fn on_path(folders: &OsStr) -> Option<(PathBuf, Version)> {
    std::env::split_paths(folders)
        .map(|folder| folder.join("envoy"))
        .filter(|path| path.is_file())
        .filter_map(|path| version(&path).map(|version| (path, version)))
        .find(|(_, version)| *version >= OLDEST)
}

/// How long a program may take to print its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks an Envoy for its version. `None` if it does not run or prints none.
pub fn version(path: &Path) -> Option<Version> {
    ask(path, PATIENCE)
}

fn ask(path: &Path, patience: Duration) -> Option<Version> {
    let mut asked = Command::new(path);
    let asked = asked.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let (mut child, start) = (asked.spawn().ok()?, Instant::now());
    while child.try_wait().ok()?.is_none() {
        if start.elapsed() >= patience {
            // Any program can be called envoy, and it may never end.
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        sleep(Duration::from_millis(5));
    }
    read(&String::from_utf8_lossy(&child.wait_with_output().ok()?.stdout))
}

/// Reads `envoy  version: 6d9bb7d9…/1.40.0/Clean/RELEASE/BoringSSL`.
fn read(text: &str) -> Option<Version> {
    let build = text.split_once("version:")?.1.trim();
    build.split('/').find_map(|part| {
        let mut numbers = part.split(['.', '-']);
        let (major, minor) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        Some(Version { major, minor })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_envoy_prints() {
        let check = |text, expect| assert_eq!(read(text), expect, "{text}");
        let seen = "\nenvoy  version: 6d9bb7d9a85d616b220d1f8fe67b61f82bbdb8d3/1.40.0/Clean/RELEASE/BoringSSL\n\n";
        check(seen, Some(Version { major: 1, minor: 40 }));
        check("envoy  version: 0123/1.39.2-dev/Modified/DEBUG/BoringSSL", Some(Version { major: 1, minor: 39 }));
        check("GNU coreutils 9.1", None);
        check("", None);
    }

    #[test]
    fn a_program_that_never_ends_tells_nothing() {
        let script = std::env::temp_dir().join(format!("weir-endless-{}", std::process::id()));
        std::fs::write(&script, "#!/bin/sh\nexec sleep 1000\n").unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let told = ask(&script, Duration::from_millis(100));
        std::fs::remove_file(&script).unwrap();
        assert_eq!(told, None);
    }

    #[test]
    fn a_later_version_is_not_older() {
        assert!(Version { major: 1, minor: 40 } > OLDEST);
        assert!(Version { major: 2, minor: 0 } > OLDEST);
        assert!(Version { major: 1, minor: 9 } < OLDEST);
    }
}
