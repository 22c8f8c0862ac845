//! `weir control`.

use weir_control::state::listen::Guard;
use weir_node::Outcome;
use weir_node::control::{self, Follow};
use weir_node::ledger::node_of;
use weir_node::problem::at;

use crate::args;

/// Lets several Envoys share the limits of a configuration, until asked to stop.
pub(crate) fn run(args: args::Control) -> Outcome {
    let args::Control { config, listen, store, ledger, follow_log, node, admin, tls_cert, tls_key, token_file } = args;
    let token = token_file.as_deref().map(control::token).transpose()?;
    let guard = Guard { tls: tls_cert.zip(tls_key), token };
    let follow = follow_log.map(|log| std::path::absolute(&log).map_err(at(&log))).transpose()?;
    let follow = follow.map(|log| Follow { node: node.unwrap_or_else(|| node_of(&log)), log, admin });
    control::run(control::Options { config, listen, store, ledger, follow, guard })
}
