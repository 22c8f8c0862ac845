//! The text of a file, or what to do about one that cannot be read.

use std::io::{Error, ErrorKind};
use std::path::Path;

use crate::Diagnostic;

/// The text of `file`. `example` says where the operator finds such a file.
pub(super) fn read(file: &Path, example: &str) -> Result<String, Diagnostic> {
    std::fs::read_to_string(file).map_err(|error| unreadable(file, &error, example))
}

/// What is said about a file that cannot be read.
pub(super) fn unreadable(file: &Path, error: &Error, example: &str) -> Diagnostic {
    let hint = match error.kind() {
        ErrorKind::NotFound => "check its path, which is relative to the folder you are in".to_owned(),
        ErrorKind::PermissionDenied => "let this user read it".to_owned(),
        ErrorKind::InvalidData => "save it as UTF-8".to_owned(),
        _ => format!("name a text file in YAML; {example}"),
    };
    Diagnostic::of_file(file, format!("cannot be read: {error}"), Some(hint))
}

/// Whether `text` has nothing but comments.
pub(super) fn is_blank(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.starts_with('#'))
}
