//! `weir fetch`.

use weir_node::places::{Places, envoy};
use weir_node::{Outcome, Problem, say};

/// Says what is there, and how to get the rest.
pub(crate) fn run() -> Outcome {
    let places = Places::here().map_err(|error| Problem::Failed(error.to_string()))?;
    let mut missing = Vec::new();
    match envoy::find(&places) {
        Ok(found) => say::result(&format!("Envoy {} ({}): {}", found.version, found.origin, found.path.display()))?,
        Err(problem) => missing.push(problem.to_string()),
    }
    for (what, path) in [
        ("ONNX Runtime", places.onnxruntime()),
        ("all-MiniLM-L6-v2", places.models().join("all-minilm-l6-v2/model.safetensors")),
    ] {
        if path.exists() {
            say::result(&format!("{what}: {}", path.display()))?;
        } else {
            missing.push(format!("no {what} at {}; run `cargo xtask fetch` in a clone of Weir", path.display()));
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Problem::Failed(missing.join("\n      "))) }
}
