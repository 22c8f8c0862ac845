//! What this process, and with it its children, may use, and what they let others see.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

/// Whatever is made from now on, by Envoy too, is this user's alone: logs name tenants, and may hold more.
pub(crate) fn close_to_others() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Has as many files open as this user may have; how many that is.
pub(crate) fn raise_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // Where even the own limit cannot be had, the one that is set holds.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
