//! The key that the first start makes, and keeps for the person whose machine this is.

use std::fs;
use std::path::{Path, PathBuf};

use weir_core::key::KeyHash;
use weir_places::Places;

use super::file::private;
use super::{Entry, new, remove};
use crate::problem::Outcome;

/// The name of that key.
const NAME: &str = "default";

/// Makes the first key of the keys file `keys`, and keeps it in a file that only its owner can read.
pub(crate) fn make(places: &Places, keys: &Path) -> Outcome {
    let key = new(keys, Entry { name: NAME.to_owned(), ..Entry::default() })?;
    // A key that could not be kept must not be valid.
    private(&place(places, keys), &key).inspect_err(|_| drop(remove(keys, NAME)))
}

/// The first key of the keys file `keys`, if it was made and kept.
pub(crate) fn kept(places: &Places, keys: &Path) -> Option<String> {
    let key = fs::read_to_string(place(places, keys)).ok()?;
    Some(key.trim().to_owned()).filter(|key| !key.is_empty())
}

/// The file that keeps the first key of a keys file. It is always in the state folder: a keys file of the operator's own holds
/// only hashes and may be shared or checked in, and a key beside it would be too.
pub(crate) fn place(places: &Places, keys: &Path) -> PathBuf {
    if keys == places.keys() {
        return places.state.join("key");
    }
    let hash = KeyHash::of(keys.as_os_str().as_encoded_bytes()).to_string();
    let stem = keys.file_stem().unwrap_or_default().display().to_string();
    places.state.join(format!("key-{stem}-{}", hash.get(..8).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_keys_file_has_a_first_key_of_its_own() {
        let places = Places { cache: "/c".into(), state: "/s".into(), run: "/r".into() };
        assert_eq!(place(&places, &places.keys()), Path::new("/s/key"));
        let (one, other) = (place(&places, Path::new("/a/keys.yaml")), place(&places, Path::new("/b/keys.yaml")));
        assert!(one != other && one.parent() == other.parent(), "{} {}", one.display(), other.display());
    }
}
