//! `weir admin`.

use weir_node::admin::{Verb, answer};
use weir_node::folders::Folders;
use weir_node::{Outcome, say};

use crate::args;

/// Asks Envoy's admin interface, and prints the answer.
pub(crate) fn run(args: &args::Admin) -> Outcome {
    let folders = Folders::find(args.config.as_deref(), args.run.as_deref())?;
    let verb = if args.post { Verb::Change } else { Verb::Look };
    say::result(&answer(&folders, verb, &args.path)?)
}
