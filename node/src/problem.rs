//! Why a command stopped: for people, on standard error, with an exit code for scripts.

use std::fmt;
use std::process::ExitCode;

use weir_control::Diagnostic;

/// The result of a command.
pub type Outcome<T = ()> = Result<T, Problem>;

/// Why a command stopped.
#[derive(Debug)]
pub enum Problem {
    /// The configuration has errors: all of them. Exit code 1.
    Config(Vec<Diagnostic>),
    /// Something else went wrong. Exit code 1.
    Failed(String),
    /// The command was called in a wrong way. Exit code 2.
    Usage(String),
}

impl Problem {
    /// The process's exit code.
    pub fn code(&self) -> ExitCode {
        match self {
            Self::Config(_) | Self::Failed(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(found) => {
                for diagnostic in found {
                    writeln!(f, "{diagnostic}")?;
                }
                f.write_str(&counted(found.len(), "error"))
            }
            Self::Failed(problem) | Self::Usage(problem) => write!(f, "weir: {problem}"),
        }
    }
}

/// `1 error`, `2 errors`.
pub fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

impl From<Vec<Diagnostic>> for Problem {
    fn from(found: Vec<Diagnostic>) -> Self {
        Self::Config(found)
    }
}

impl From<String> for Problem {
    fn from(problem: String) -> Self {
        Self::Failed(problem)
    }
}

/// Names the file in an I/O error.
pub fn at(path: &std::path::Path) -> impl Fn(std::io::Error) -> Problem {
    let path = path.to_owned();
    move |error| Problem::Failed(format!("{}: {error}", path.display()))
}
