//! `weir render`.

use weir_control::render::Control;
use weir_node::include::{self, Follow};
use weir_node::{Outcome, configuration, preview, say};

use crate::args;

/// Writes the Envoy resources of a configuration, to a folder or all together to standard output.
pub(crate) fn run(args: args::Render) -> Outcome {
    let args::Render { file, out, prefix, routes, control, node, watch, admin } = args;
    let Some(out) = out else {
        let (loaded, places, environment) = configuration::load(&file)?;
        preview::hint_at_filter()?;
        let all = preview::resources(&file, &loaded, &places, &environment)?.in_one();
        return say::result(&serde_json::to_string_pretty(&all).unwrap_or_default());
    };
    let follow = if watch { Follow::Yes(admin) } else { Follow::No };
    let control = control.zip(node).map(|(at, node)| Control { at, node });
    include::run(&include::Options { file, out, prefix, routes, control, follow })
}
