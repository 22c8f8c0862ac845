//! The files of one log: the one that Envoy writes, and those that were rotated away beside it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Which files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The log, and the files beside it that a rotation has renamed or copied.
    Family,
    /// This one file.
    File,
}

/// A file that is there.
#[derive(Clone, Debug)]
pub(super) struct Present {
    pub(super) path: PathBuf,
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    changed: SystemTime,
    /// Whether it is at the log's own path.
    pub(super) current: bool,
}

impl Present {
    /// A file with this metadata.
    pub(super) fn of(path: PathBuf, metadata: &Metadata, current: bool) -> Self {
        Self {
            path,
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            changed: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            current,
        }
    }
}

/// The files of a log, the oldest first, and the one that Envoy writes last.
pub(super) fn list(log: &Path, scope: Scope) -> io::Result<Vec<Present>> {
    let mut found = Vec::new();
    if scope == Scope::Family {
        let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let own = log.file_name().unwrap_or_default().to_string_lossy();
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            let rotated = path.file_name().is_some_and(|name| is_rotated(&own, &name.to_string_lossy()));
            // It may be renamed or removed at any time.
            if rotated && let Ok(metadata) = fs::metadata(&path) {
                found.push(Present::of(path, &metadata, false));
            }
        }
    }
    match fs::metadata(log) {
        Ok(metadata) => found.push(Present::of(log.to_owned(), &metadata, true)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && scope == Scope::Family => {}
        Err(error) => return Err(error),
    }
    found.retain(|one| one.path.is_file());
    found.sort_by_key(|one| (one.current, one.changed));
    // A file that was renamed while the folder was read is listed twice; a link is the same file.
    let mut seen = Vec::new();
    found.retain(|one| {
        let new = !seen.contains(&(one.device, one.inode));
        seen.push((one.device, one.inode));
        new
    });
    Ok(found)
}

/// Whether a file is one of a log, by its path.
pub(super) fn belongs(log: &Path, path: &Path) -> bool {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path == log || (path.parent() == log.parent() && is_rotated(&name(log), &name(path)))
}

/// Whether a file's name is that of a rotated log: `access.log.1`, `access.log-20261201`, `access.log.old`,
/// `access-20261201.log`. A compressed one cannot be read.
fn is_rotated(own: &str, name: &str) -> bool {
    let dated = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | ':' | 'T' | 'Z'))
    };
    let marked = |rest: &str| rest.strip_prefix(['.', '-']).map(str::to_owned);
    if let Some(mark) = name.strip_prefix(own).and_then(marked) {
        return dated(&mark) || matches!(mark.as_str(), "old" | "bak" | "prev");
    }
    let Some((stem, ending)) = own.rsplit_once('.') else { return false };
    let between = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(ending)?.strip_suffix('.'));
    between.and_then(marked).is_some_and(|mark| dated(&mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_logs_are_told_from_other_files() {
        for name in
            ["access.log.1", "access.log-20261201", "access.log.2026-12-01", "access.log.old", "access-20261201.log"]
        {
            assert!(is_rotated("access.log", name), "{name}");
        }
        for name in
            ["access.log", "access.log.1.gz", "access-admin.log", "access.log.tmp", "envoy.log.1", "access.logs"]
        {
            assert!(!is_rotated("access.log", name), "{name}");
        }
    }
}
