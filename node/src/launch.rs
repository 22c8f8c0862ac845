//! The last step before a child of `weir up` becomes its program: it ties its life to its parent's, so that even a
//! `kill -9` of `weir up` leaves nothing behind.
//!
//! A process of our own, because between fork and exec Rust allows this only as `unsafe`. The tie survives exec.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::problem::{Outcome, Problem};

/// Becomes the program. Returns only if that fails.
pub fn run(parent: i32, command: &[OsString]) -> Outcome {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Problem::Failed(format!("cannot be tied to its parent: {error}")))?;
    // The parent may have died before the tie was made.
    if getppid().is_none_or(|alive| alive.as_raw_nonzero().get() != parent) {
        return Err(Problem::Failed("its parent is gone".to_owned()));
    }
    let [program, arguments @ ..] = command else {
        return Err(Problem::Usage("launch: no program".to_owned()));
    };
    let error = Command::new(program).args(arguments).exec();
    Err(Problem::Failed(format!("{}: {error}", program.display())))
}
