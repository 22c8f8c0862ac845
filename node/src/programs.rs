//! How each program of a node is started, and what it is told: a file for each.
//!
//! All but Envoy are this binary itself, started with another command.

pub(crate) mod control;
pub(crate) mod envoy;
pub(crate) mod sidecar;
pub(crate) mod sim;

use std::ffi::OsString;
use std::path::PathBuf;

use crate::child::{Inherit, Output, Program, Spec};
use crate::folders::Folders;

/// A program that is this binary itself.
fn own<const N: usize>(program: Program, folders: &Folders, arguments: [OsString; N]) -> Spec {
    let own = std::env::current_exe().ok().filter(|path| path.is_file());
    Spec {
        program,
        executable: own.unwrap_or_else(|| PathBuf::from("/proc/self/exe")),
        arguments: arguments.into(),
        inherit: Inherit::Needed,
        output: Output::Log,
        log: folders.log(program),
    }
}
