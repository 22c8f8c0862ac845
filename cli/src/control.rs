//! `weir control`.

use weir_control::state::listen::Guard;
use weir_node::{Outcome, control};

use crate::args;

/// Lets several Envoys share the limits of a configuration, until asked to stop.
pub(crate) fn run(args: args::Control) -> Outcome {
    let args::Control { config, listen, store, ledger, tls_cert, tls_key, token_file } = args;
    let token = token_file.as_deref().map(control::token).transpose()?;
    let guard = Guard { tls: tls_cert.zip(tls_key), token };
    control::run(control::Options { config, listen, store, ledger, guard })
}
