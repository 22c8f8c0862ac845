//! `weir render`.

use weir_control::render::{Control, ControlAddress};
use weir_node::include::{self, Follow};
use weir_node::{Outcome, Problem, configuration, preview, say};

use crate::args;

/// Writes the Envoy resources of a configuration, to a folder or all together to standard output.
pub(crate) fn run(args: args::Render) -> Outcome {
    let args::Render { file, out, prefix, routes, control, node, control_token, control_ca, watch, admin } = args;
    let Some(out) = out else {
        let (loaded, places, environment) = configuration::load(&file)?;
        preview::hint_at_filter()?;
        let all = preview::resources(&file, &loaded, &places, &environment)?.in_one();
        return say::result(&serde_json::to_string_pretty(&all).unwrap_or_default());
    };
    if matches!(control, Some(ControlAddress::Tls(..))) && control_token.is_none() {
        return Err(Problem::Usage("a control on https:// wants a token: --control-token FILE".to_owned()));
    }
    let follow = if watch { Follow::Yes(admin) } else { Follow::No };
    let control = control.zip(node).map(|(at, node)| Control { at, node, token: control_token, ca: control_ca });
    include::run(&include::Options { file, out, prefix, routes, control, follow })
}
