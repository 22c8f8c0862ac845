//! `weir up`.

use weir_node::{Options, Outcome, node};

use crate::args;

/// Starts everything a configuration needs, and keeps it running.
pub(crate) fn run(args: args::Up) -> Outcome {
    node::run(Options {
        file: args.file.or(args.config),
        cache: args.cache,
        run: args.run,
        node: args.node,
        filter: args.filter,
        drain: args.drain,
        wait: args.wait,
        sim: Some(args.sim).filter(|_| !args.no_sim),
        sidecar_admin: args.sidecar_admin,
        concurrency: args.concurrency,
        log_level: args.log_level,
        component_log_level: args.component_log_level,
        ready_file: args.ready_file,
    })
}
