//! Callers' keys: made here, shown once, kept as hashes. Weir's configuration watch takes changes up at once.

pub mod moment;
mod register;
mod secret;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use weir_core::key::KeyHash;
use weir_places::Places;

use crate::folders::private_if_ours;
use crate::problem::{Outcome, Problem, at};
pub use register::Entry;
use register::Register;

/// The name of the key that the first start makes.
const FIRST: &str = "default";

/// The keys file, if none is named.
pub fn usual() -> Outcome<PathBuf> {
    let places = Places::here().map_err(|error| Problem::Failed(error.to_string()))?;
    private_if_ours(&places.state).map_err(at(&places.state))?;
    Ok(places.keys())
}

/// Makes a key for `name` and adds its hash to the file at `path`.
pub fn new(path: &Path, name: &str, models: Option<Vec<String>>, expires: Option<Duration>) -> Outcome<String> {
    if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
        return Err(Problem::Usage("a key's name has 1 to 128 characters, no control characters".to_owned()));
    }
    let _lock = lock(path)?;
    let mut register = read(path)?;
    if register.entries().any(|entry| entry.name == name) {
        let problem = format!(
            "{}: \"{name}\" has a key; choose another name, `weir keys rotate {name}` for another key, or `weir keys revoke` that one first",
            path.display()
        );
        return Err(Problem::Failed(problem));
    }
    let (key, sha256) = fresh()?;
    register.add(&Entry { name: name.to_owned(), sha256, models, expires: expires.map(moment::after) });
    write(path, register.text())?;
    Ok(key)
}

/// A key, and its hash.
fn fresh() -> Outcome<(String, String)> {
    let key =
        secret::random().map_err(|error| Problem::Failed(format!("the system gives no random numbers: {error}")))?;
    let sha256 = KeyHash::of(key.as_bytes()).to_string();
    Ok((key, sha256))
}

/// Adds another key for `name`, which may do what the latest may; those before live so long at most. The key, and the file as it was.
pub fn rotate(path: &Path, name: &str, overlap: Duration) -> Outcome<(String, String)> {
    let _lock = lock(path)?;
    let mut register = read(path)?;
    let before = register.text().to_owned();
    let latest = register.entries().filter(|entry| entry.name == name).last().cloned();
    let Some(latest) = latest else { return Err(unknown(path, name, &register)) };
    let end = moment::after(overlap);
    register.change(name, |entry| entry.expires = Some(moment::earlier(entry.expires.take(), end.clone())));
    let (key, sha256) = fresh()?;
    register.add(&Entry { sha256, expires: None, ..latest });
    write(path, register.text())?;
    Ok((key, before))
}

/// Changes every key of `name`.
pub fn edit(path: &Path, name: &str, change: impl Fn(&mut Entry)) -> Outcome {
    let _lock = lock(path)?;
    let mut register = read(path)?;
    if !register.change(name, change) {
        return Err(unknown(path, name, &register));
    }
    write(path, register.text())
}

fn unknown(path: &Path, name: &str, register: &Register) -> Problem {
    let known: Vec<_> = register.entries().map(|entry| entry.name.as_str()).collect();
    let hint = weir_core::config::did_you_mean(name, known).map(|hint| format!(" ({hint})"));
    Problem::Failed(format!("{}: no key belongs to \"{name}\"{}", path.display(), hint.unwrap_or_default()))
}

/// Takes the key of `name` out of the file at `path`.
pub fn revoke(path: &Path, name: &str) -> Outcome {
    let _lock = lock(path)?;
    let mut register = read(path)?;
    if !register.remove(name) {
        return Err(unknown(path, name, &register));
    }
    write(path, register.text())
}

/// The key that the first start with the keys file `keys` made, kept for the person whose machine this is.
pub(crate) fn kept(places: &Places, keys: &Path) -> Option<String> {
    let key = fs::read_to_string(place(places, keys)).ok()?;
    Some(key.trim().to_owned()).filter(|key| !key.is_empty())
}

/// Makes the first key, and keeps it where only its owner can read it.
pub(crate) fn first(places: &Places, keys: &Path) -> Outcome<String> {
    let key = new(keys, FIRST, None, None)?;
    // One that is kept nowhere opens nothing.
    private(&place(places, keys), &key).inspect_err(|_| drop(revoke(keys, FIRST)))?;
    Ok(key)
}

/// Where the first key of a keys file is kept: always in the state folder. A keys file of one's own holds hashes and may be
/// shared, or checked in; a key beside it would go with it.
pub(crate) fn place(places: &Places, keys: &Path) -> PathBuf {
    if keys == places.keys() {
        return places.state.join("key");
    }
    let hash = KeyHash::of(keys.as_os_str().as_encoded_bytes()).to_string();
    let stem = keys.file_stem().unwrap_or_default().display().to_string();
    places.state.join(format!("key-{stem}-{}", hash.get(..8).unwrap_or_default()))
}

/// How a person makes another key in the keys file `keys`, as it can be pasted.
pub(crate) fn how(places: &Places, keys: &Path) -> String {
    if keys == places.keys() {
        return "weir keys new NAME".to_owned();
    }
    // As a shell takes one word: all but the quote itself can stand in quotes.
    let keys = keys.display().to_string().replace('\'', r"'\''");
    format!("weir keys --file '{keys}' new NAME")
}

/// The keys, oldest first.
pub fn list(path: &Path) -> Outcome<Vec<Entry>> {
    Ok(read(path)?.entries().cloned().collect())
}

/// Puts a file back as it was.
pub fn restore(path: &Path, before: &str) -> Outcome {
    write(path, before)
}

fn read(path: &Path) -> Outcome<Register> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
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

/// Writes beside and renames: whoever reads sees the old file or the new one. Whose it is and who may read it stays, because
/// a gateway often runs as somebody else than who makes its keys; a link goes on leading to it.
fn write(path: &Path, text: &str) -> Outcome {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let fresh = path.with_extension(format!("{}.tmp", std::process::id()));
    let like_before = || match fs::metadata(path) {
        Ok(held) => {
            // Only root may give a file away; who may not still has the right to write it.
            let _ = chown(&fresh, Some(held.uid()), Some(held.gid()));
            fs::set_permissions(&fresh, held.permissions())
        }
        Err(_) => Ok(()),
    };
    let written =
        private(&fresh, text).and_then(|()| like_before().and_then(|()| fs::rename(&fresh, path)).map_err(at(path)));
    if written.is_err() {
        // It may not even have been made.
        let _ = fs::remove_file(&fresh);
    }
    written
}

fn private(path: &Path, text: &str) -> Outcome {
    folder(path)?;
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(at(path))?;
    // The file may be an old one with other permissions.
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(at(path))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(at(path))
}

/// One change at a time; the lock goes with the returned file.
fn lock(path: &Path) -> Outcome<File> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_keys_file_has_a_first_key_of_its_own() {
        let places = Places { cache: "/c".into(), state: "/s".into(), run: "/r".into() };
        assert_eq!(place(&places, &places.keys()), Path::new("/s/key"));
        assert_eq!(how(&places, &places.keys()), "weir keys new NAME");
        let (one, other) = (place(&places, Path::new("/a/keys.yaml")), place(&places, Path::new("/b/keys.yaml")));
        assert!(one != other && one.parent() == other.parent(), "{} {}", one.display(), other.display());
        assert_eq!(how(&places, Path::new("/a b/it's.yaml")), r"weir keys --file '/a b/it'\''s.yaml' new NAME");
    }
}
