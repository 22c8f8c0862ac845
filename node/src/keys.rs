//! Callers' keys. A key is made here, shown once, and kept as a hash. The configuration's watch applies a change at once.

mod file;
pub(crate) mod first;
pub mod moment;
mod register;
mod secret;

use std::path::{Path, PathBuf};
use std::time::Duration;

use weir_core::config::{Network, did_you_mean};
use weir_core::key::KeyHash;
use weir_core::usage::NAME as USAGE;
use weir_hub::endpoint::Endpoint;
use weir_places::Places;

use crate::private;
use crate::problem::{Outcome, Problem, at};
use file::{lock, read, write};
pub use register::Entry;
use register::Register;

/// The keys file that is used if none is named.
pub fn usual() -> Outcome<PathBuf> {
    let places = Places::here().map_err(|error| Problem::Failed(error.to_string()))?;
    private::folder_if_ours(&places.state).map_err(at(&places.state))?;
    Ok(places.keys())
}

/// The keys, the oldest first.
pub fn list(path: &Path) -> Outcome<Vec<Entry>> {
    Ok(read(path)?.entries().cloned().collect())
}

/// Makes a key as `entry` describes it, and adds its hash to the file at `path`.
pub fn new(path: &Path, entry: Entry) -> Outcome<String> {
    let name = &entry.name;
    if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
        return Err(Problem::Usage("a key's name has 1 to 128 characters, no control characters".to_owned()));
    }
    if name.starts_with("jwt:") || name.starts_with("spiffe:") {
        let problem = "names that begin with jwt: or spiffe: belong to callers without a key";
        return Err(Problem::Usage(problem.to_owned()));
    }
    let _lock = lock(path)?;
    let mut register = read(path)?;
    if register.entries().any(|entry| entry.name == *name) {
        let problem = format!(
            "{}: \"{name}\" has a key; choose another name, `weir keys rotate {name}` for another key, or `weir keys remove` that one first",
            path.display()
        );
        return Err(Problem::Failed(problem));
    }
    let (key, sha256) = fresh()?;
    register.add(&Entry { sha256, ..entry });
    write(path, register.text())?;
    Ok(key)
}

/// Adds another key for `name`, which may do what the latest one may, and is valid even if that one is disabled. The earlier keys end after `overlap`, if not before.
///
/// Returns the key, and the file as it was: [`restore`] takes that.
pub fn rotate(path: &Path, name: &str, overlap: Duration) -> Outcome<(String, String)> {
    let _lock = lock(path)?;
    let mut register = read(path)?;
    let before = register.text().to_owned();
    let latest = register.entries().filter(|entry| entry.name == name).last().cloned();
    let Some(latest) = latest else { return Err(unknown(path, name, &register)) };
    let end = moment::after(overlap);
    register.change(name, |entry| entry.expires = Some(moment::earlier(entry.expires.take(), end.clone())));
    let (key, sha256) = fresh()?;
    register.add(&Entry { sha256, expires: None, disabled: false, ..latest });
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

/// Puts a file back as it was.
pub fn restore(path: &Path, before: &str) -> Outcome {
    write(path, before)
}

/// Removes the keys of `name` from the file at `path`.
pub fn remove(path: &Path, name: &str) -> Outcome {
    let _lock = lock(path)?;
    let mut register = read(path)?;
    if !register.remove(name) {
        return Err(unknown(path, name, &register));
    }
    write(path, register.text())
}

/// Reads the name of an endpoint that a key may use.
pub fn endpoint(text: &str) -> Result<String, String> {
    let name = text.trim();
    if let Some(endpoint) = Endpoint::from_name(name) {
        return Ok(endpoint.name().to_owned());
    }
    let known = || Endpoint::ALL.into_iter().map(Endpoint::name).chain([USAGE]);
    if name == USAGE {
        return Ok(USAGE.to_owned());
    }
    let all = || format!("the endpoints are {}", known().collect::<Vec<_>>().join(", "));
    Err(did_you_mean(name, known()).unwrap_or_else(all))
}

/// Reads a network that a key may be used from.
pub fn network(text: &str) -> Result<String, String> {
    let text = text.trim();
    Network::parse(text).map(|_| text.to_owned()).map_err(|none| match none.meant {
        Some(meant) => format!("did you mean {meant}?"),
        None => "write it as 10.0.0.0/8, 2001:db8::/32, or as one address".to_owned(),
    })
}

/// The command that makes another key in the keys file `keys`, ready to paste.
pub(crate) fn how(places: &Places, keys: &Path) -> String {
    if keys == places.keys() {
        return "weir keys new NAME".to_owned();
    }
    // In a shell's single quotes every character stands for itself, except the quote.
    let keys = keys.display().to_string().replace('\'', r"'\''");
    format!("weir keys --file '{keys}' new NAME")
}

/// A new key and its hash.
fn fresh() -> Outcome<(String, String)> {
    let key =
        secret::random().map_err(|error| Problem::Failed(format!("the system gives no random numbers: {error}")))?;
    let sha256 = KeyHash::of(key.as_bytes()).to_string();
    Ok((key, sha256))
}

fn unknown(path: &Path, name: &str, register: &Register) -> Problem {
    let known: Vec<_> = register.entries().map(|entry| entry.name.as_str()).collect();
    let hint = did_you_mean(name, known).map(|hint| format!(" ({hint})"));
    Problem::Failed(format!("{}: no key belongs to \"{name}\"{}", path.display(), hint.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_called_as_in_the_configuration() {
        for name in ["chat", " usage "] {
            assert_eq!(endpoint(name), Ok(name.trim().to_owned()));
        }
        assert_eq!(endpoint("usages"), Err("did you mean \"usage\"?".to_owned()));
        assert!(endpoint("else").unwrap_err().ends_with("rerank, usage"));
    }

    #[test]
    fn the_command_for_another_key_can_be_pasted() {
        let places = Places { cache: "/c".into(), state: "/s".into(), run: "/r".into() };
        assert_eq!(how(&places, &places.keys()), "weir keys new NAME");
        assert_eq!(how(&places, Path::new("/a b/it's.yaml")), r"weir keys --file '/a b/it'\''s.yaml' new NAME");
    }
}
