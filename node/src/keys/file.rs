//! The keys file on disk: read, locked for a change, and replaced as a whole.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

use super::register::Register;
use crate::problem::{Outcome, Problem, at};

/// Reads a keys file. A missing file has no keys.
pub(super) fn read(path: &Path) -> Outcome<Register> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(at(path)(error)),
    };
    Register::read(&text).map_err(|line| {
        Problem::Failed(format!(
            "{}:{line}: not written by `weir keys`; edit this file by hand, or move these keys to `keys` in the \
             configuration",
            path.display()
        ))
    })
}

/// Writes a new file and renames it: a reader sees the old keys or the new ones. Owner and permissions stay, because a gateway
/// often runs as another user than the one who makes its keys. A symbolic link stays, and its target is replaced.
pub(super) fn write(path: &Path, text: &str) -> Outcome {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let fresh = path.with_extension(format!("{}.tmp", std::process::id()));
    let keep_owner_and_mode = || match fs::metadata(path) {
        Ok(held) => {
            // Only root can change the owner. Others can still write the file.
            let _ = chown(&fresh, Some(held.uid()), Some(held.gid()));
            fs::set_permissions(&fresh, held.permissions())
        }
        Err(_) => Ok(()),
    };
    let written = private(&fresh, text)
        .and_then(|()| keep_owner_and_mode().and_then(|()| fs::rename(&fresh, path)).map_err(at(path)));
    if written.is_err() {
        // The new file may not exist.
        let _ = fs::remove_file(&fresh);
    }
    written
}

/// Writes a file that only this user can read.
pub(super) fn private(path: &Path, text: &str) -> Outcome {
    folder(path)?;
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(at(path))?;
    // The file may be older, with other permissions.
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(at(path))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(at(path))
}

/// Locks the keys file for one change. Dropping the returned file unlocks it.
pub(super) fn lock(path: &Path) -> Outcome<File> {
    folder(path)?;
    let beside = path.with_extension("lock");
    let file = File::options().create(true).append(true).mode(0o600).open(&beside).map_err(at(&beside))?;
    file.lock().map_err(at(&beside))?;
    Ok(file)
}

fn folder(path: &Path) -> Outcome {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => fs::create_dir_all(folder).map_err(at(folder)),
        _ => Ok(()),
    }
}
