//! What a person sees: results on standard output, everything else on standard error. A closed pipe is nobody's fault.

use std::io::{IsTerminal, Write};

/// A line of progress or trouble.
pub(crate) fn line(text: &str) {
    // Nobody is left to tell that nobody listens.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A command's result.
pub(crate) fn result(text: &str) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// The text in bold where the result is read by a person.
pub(crate) fn bold(text: &str) -> String {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[1m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
