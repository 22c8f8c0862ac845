//! Files that Envoy reads by itself, and changes of them that it does not notice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use weir_core::config::Gateway;
use weir_core::upstream::Credential;

use super::changes::How;

/// A file that Envoy reads by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Read {
    /// Read again when something is moved into its folder.
    Credential(PathBuf),
    /// Never read again.
    Ca(PathBuf),
}

/// The files that an Envoy which runs `gateway` reads by itself.
pub(super) fn read_by_envoy(gateway: &Gateway) -> BTreeSet<Read> {
    let files = gateway.providers().flat_map(|provider| {
        let credential = match &provider.credential {
            Some(Credential::File(file)) => Some(Read::Credential(file.into())),
            _ => None,
        };
        credential.into_iter().chain(provider.ca.as_ref().map(|file| Read::Ca(file.into())))
    });
    files.collect()
}

/// The files in `fresh` whose new content Envoy ignores, and what to do about each. `read` is what it has read before and still
/// needs.
pub(super) fn unnoticed<'r>(
    read: impl Iterator<Item = &'r Read>,
    fresh: &BTreeMap<PathBuf, How>,
) -> Vec<(PathBuf, &'static str)> {
    let ignored = read.filter_map(|read| {
        let (file, hint) = match read {
            Read::Credential(file) => (file, "write the new credential beside it, and mv it there"),
            Read::Ca(file) => (file, "name another file as `ca`, or restart weir"),
        };
        let how = fresh.get(file).or_else(|| fresh.get(&std::fs::canonicalize(file).ok()?))?;
        let noticed = *how == How::Moved && matches!(read, Read::Credential(_));
        (!noticed).then(|| (file.clone(), hint))
    });
    ignored.collect()
}
