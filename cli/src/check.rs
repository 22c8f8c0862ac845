//! `weir check`.

use std::path::Path;

use weir_node::problem::counted;
use weir_node::{Outcome, configuration, preview, say};

/// Lists every error and warning of a configuration.
pub(crate) fn run(file: &Path) -> Outcome {
    let (loaded, places, environment) = configuration::load(file)?;
    // A configuration that cannot be rendered here cannot run here.
    preview::resources(file, &loaded, &places, &environment)?;
    for left_out in loaded.gateway.left_out() {
        say::line(&format!("left out: {left_out}"));
    }
    configuration::warn(&loaded);
    let alone = weir_control::alone::alone(&loaded.gateway);
    for line in &alone {
        say::line(&format!("warning: {line}"));
    }
    let mut found = vec![
        counted(loaded.gateway.routing().models.len(), "model"),
        counted(loaded.gateway.providers().count(), "provider"),
    ];
    for note in &loaded.notes {
        say::line(&format!("note: {note}"));
    }
    let warnings = loaded.warnings.len() + alone.len();
    if warnings > 0 {
        found.push(counted(warnings, "warning"));
    }
    say::result(&format!("{}: ok ({})", file.display(), found.join(", ")))
}
