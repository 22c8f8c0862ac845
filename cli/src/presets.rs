//! `weir presets`.

use weir_control::Preset;
use weir_node::{Outcome, say};

/// Lists the hosts that a preset can name: each with the pages that document it, and with what no page confirms.
pub(crate) fn run() -> Outcome {
    for (name, preset) in Preset::all() {
        let credential = preset.credential.as_deref().unwrap_or("no credential");
        say::result(&format!("{name:<14} {:<10} {}  ({credential})", preset.dialect, preset.endpoint))?;
        for source in &preset.sources {
            say::result(&format!("{:<14} {source}", ""))?;
        }
        if !preset.unconfirmed.is_empty() {
            say::result(&format!("{:<14} unconfirmed: {}", "", preset.unconfirmed.join(", ")))?;
        }
    }
    Ok(())
}
