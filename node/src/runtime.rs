//! The two kinds of runtime that commands need.

use tokio::runtime::{Builder, Runtime};

use crate::problem::{Outcome, Problem};

/// All in one thread: for a command that mostly waits.
pub(crate) fn single() -> Outcome<Runtime> {
    build(Builder::new_current_thread())
}

/// A thread for each core: for a server.
pub(crate) fn threads() -> Outcome<Runtime> {
    build(Builder::new_multi_thread())
}

fn build(mut builder: Builder) -> Outcome<Runtime> {
    builder.enable_all().build().map_err(|error| Problem::Failed(format!("cannot start: {error}")))
}
