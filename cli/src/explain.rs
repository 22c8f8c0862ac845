//! `weir explain`.

use std::fs;
use std::io::Read;
use std::path::Path;

use weir_control::explain;
use weir_node::problem::at;
use weir_node::{Outcome, configuration, say};

/// How an explanation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Explains what would happen to a request, and why.
pub(crate) fn run(file: &Path, request: &Path, path: Option<&str>, form: Form) -> Outcome {
    let (loaded, ..) = configuration::load(file)?;
    let body = if request == Path::new("-") {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body).map_err(at(request))?;
        body
    } else {
        fs::read(request).map_err(at(request))?
    };
    let path = path.unwrap_or_else(|| explain::endpoint(&body).path());
    // A refusal is an explanation too, and no error of this command.
    let (text, value) = match explain::explain(&loaded.gateway, &body, path) {
        Ok(explanation) => (explanation.to_string(), serde_json::to_value(&explanation)),
        Err(refusal) => (format!("refused: {refusal}"), serde_json::to_value(&refusal)),
    };
    match form {
        Form::Text => say::result(text.trim_end()),
        Form::Json => say::result(&serde_json::to_string_pretty(&value.unwrap_or_default()).unwrap_or_default()),
    }
}
