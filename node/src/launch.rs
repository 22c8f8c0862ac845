//! The last step before a child becomes its program. It asks the kernel to kill the child when its parent dies, so that no child
//! is left even after `kill -9` of `weir up`.
//!
//! This is a process of its own, because Rust allows code between fork and exec only as `unsafe`. The request survives exec.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::problem::{Outcome, Problem};

/// Becomes this program. Returns only if that fails.
pub fn run(parent: i32, command: &[OsString]) -> Outcome {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Problem::Failed(format!("cannot ask to die with its parent: {error}")))?;
    // The parent may have died before the kernel was asked.
    if getppid().is_none_or(|alive| alive.as_raw_nonzero().get() != parent) {
        return Err(Problem::Failed("its parent is gone".to_owned()));
    }
    let [program, arguments @ ..] = command else {
        return Err(Problem::Usage("launch: no program".to_owned()));
    };
    let error = Command::new(program).args(arguments).exec();
    Err(Problem::Failed(format!("{}: {error}", program.display())))
}
