//! Files and folders that only this user can read: logs name tenants, and may hold more.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use rustix::fs::Mode;
use rustix::process::umask;
use weir_control::ledger;
use weir_control::state::store;

/// From now on this process and its children, Envoy among them, make files that only this user can read.
pub(crate) fn from_now_on() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Makes a private folder, with the folders above it that are missing. Files that are in it already become private too, because
/// earlier versions let everybody read them.
pub(crate) fn folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    close(folder);
    for entry in fs::read_dir(folder)?.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())) {
        close(&entry.path());
    }
    Ok(())
}

/// The same for a folder that a person may have named. A folder that holds anything else than our files keeps its permissions,
/// because other users may need what is in it. The files that we put there are private in any case.
pub(crate) fn folder_if_ours(path: &Path) -> io::Result<()> {
    const OURS: [&str; 9] =
        ["admin.sock", "control.sock", "envoy", "lock", "logs", "run", "sidecar.json", "sidecar.sock", "sidecar.tmp"];
    // SQLite keeps files beside its own.
    let begins = ["key", store::FILE, ledger::FILE];
    let is_ours = |name: &str| OURS.contains(&name) || begins.iter().any(|begin| name.starts_with(begin));
    let shared = fs::read_dir(path).is_ok_and(|entries| {
        let mut names = entries.flatten().map(|entry| entry.file_name());
        names.any(|name| !name.to_str().is_some_and(is_ours))
    });
    if shared { Ok(()) } else { folder(path) }
}

/// Takes all rights from others. Another user's file stays as it is.
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
        let open = |name: &str, file: &str| {
            let folder = home.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(file), "").unwrap();
            for path in [&folder, &folder.join(file)] {
                fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
            }
            folder
        };
        let (ours, theirs) = (open("ours", "lock"), open("theirs", "report.txt"));
        folder_if_ours(&ours).unwrap();
        folder_if_ours(&theirs).unwrap();
        assert_eq!([mode(&ours), mode(&ours.join("lock"))], [0o700, 0o700]);
        assert_eq!([mode(&theirs), mode(&theirs.join("report.txt"))], [0o755, 0o755]);
        folder(&theirs).unwrap();
        assert_eq!([mode(&theirs), mode(&theirs.join("report.txt"))], [0o700, 0o700]);
        folder_if_ours(&home.path().join("a/b")).unwrap();
        assert_eq!([mode(&home.path().join("a")), mode(&home.path().join("a/b"))], [0o700, 0o700]);
    }
}
