//! What this process and its children may use.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files to the highest that this user may have, and returns it.
pub(crate) fn raise_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // If the limit cannot be raised, the present one is returned.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
