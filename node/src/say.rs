//! What a person sees: results on standard output, everything else on standard error. A closed pipe is no error.

use std::io::{ErrorKind, IsTerminal, Write};

use crate::problem::{Outcome, Problem};

/// A line of progress or trouble.
pub fn line(text: &str) {
    // If standard error is closed, there is nowhere to report that.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A command's result. It fails if the result is lost, as on a full disk, but not if the reader closed the pipe.
pub fn result(text: &str) -> Outcome {
    let mut out = std::io::stdout();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Problem::Failed(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// The text in bold, if standard output is a terminal.
pub(crate) fn bold(text: &str) -> String {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[1m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
