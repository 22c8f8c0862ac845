//! `weir sim`.

use weir_node::sim::{Keep, Keyless, Options, faults};
use weir_node::{Outcome, say, serve};

use crate::args;

/// Serves a simulated provider, or lists the faults it knows.
pub(crate) fn run(args: args::Sim) -> Outcome {
    if args.list_faults {
        for listed in faults() {
            say::result(&format!("{:<22} {}", listed.name, listed.what))?;
        }
        return Ok(());
    }
    // This is not a flag, because every process on the machine can read flags.
    let token = std::env::var("WEIR_SIM_TOKEN").ok().filter(|token| !token.is_empty());
    let options = Options {
        keep: if token.is_some() { Keep::default() } else { Keep::NOTHING },
        token,
        listen: args.listen,
        keys: args.keys,
        keyless: if args.keyless { Keyless::Admit } else { Keyless::Refuse },
        faults: args.faults,
        pace: args.pace,
        tokens: args.tokens,
        fixtures: args.fixtures,
        ..Options::default()
    };
    serve::sim(options)
}
