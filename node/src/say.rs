//! What a person sees: results on standard output, everything else on standard error. A closed pipe is nobody's fault.

use std::io::{ErrorKind, IsTerminal, Write};

use crate::problem::{Outcome, Problem};

/// A line of progress or trouble.
pub fn line(text: &str) {
    // Nobody is left to tell that nobody listens.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A command's result. It fails where the result is lost, as on a full disk, and not because a reader has had enough.
pub fn result(text: &str) -> Outcome {
    let mut out = std::io::stdout();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Problem::Failed(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// The text in bold where the result is read by a person.
pub(crate) fn bold(text: &str) -> String {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[1m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
