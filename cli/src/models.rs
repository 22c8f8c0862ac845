//! `weir models`.

use weir_node::folders::Folders;
use weir_node::{Outcome, models, say};

use crate::args;

/// Prints what a running sidecar has loaded.
pub(crate) fn run(args: &args::Models) -> Outcome {
    let socket = match &args.socket {
        Some(socket) => socket.clone(),
        None => Folders::find(args.file.as_deref(), args.run.as_deref())?.socket(),
    };
    models::listed(&socket)?.iter().try_for_each(|line| say::result(line))
}
