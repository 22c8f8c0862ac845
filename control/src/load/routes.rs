//! The operator's own routes.

use std::path::Path;

use serde_json::Value;

use super::{text, tree};
use crate::Diagnostic;

/// Reads an operator's route configuration, as YAML or JSON.
pub fn own_routes(file: &Path) -> Result<Value, Diagnostic> {
    let text = text::read(file, "docs/own-envoy.md has one")?;
    let tree = tree::parse(&text).map_err(|broken| broken.in_file(file))?;
    Ok(tree.value())
}
