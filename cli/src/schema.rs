//! `weir schema`.

use std::fs;
use std::path::Path;

use weir_node::problem::at;
use weir_node::{Outcome, Problem, say};

/// Writes the configuration's JSON schema, or checks that a file is up to date.
pub(crate) fn run(file: Option<&Path>, check: bool) -> Outcome {
    let fresh = weir_control::schema::schema();
    let Some(file) = file else {
        return say::result(fresh.trim_end());
    };
    if fs::read_to_string(file).is_ok_and(|held| held == fresh) {
        return Ok(());
    }
    if check {
        return Err(Problem::Failed(format!("{}: stale; `cargo xtask schema` writes it anew", file.display())));
    }
    fs::write(file, fresh).map_err(at(file))
}
