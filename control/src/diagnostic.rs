//! One message about the configuration: where, what is wrong, and what to do now.

use std::fmt;
use std::path::{Path, PathBuf};

/// An error in the configuration, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The line, from 1. 0 stands for the whole file.
    pub line: usize,
    /// The place as a path through the file, such as `models.gpt-4o.targets[1].provider`. Empty for the whole file.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What to do now, if that is known.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error of `file` as a whole.
    pub fn of_file(file: &Path, problem: String, hint: Option<String>) -> Self {
        Self { file: file.to_owned(), line: 0, path: String::new(), problem, hint }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " {}", self.problem)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_place_problem_and_hint() {
        let diagnostic = Diagnostic {
            file: "config/weir.yaml".into(),
            line: 14,
            path: "models.gpt-4o.targets[1].provider".to_owned(),
            problem: "no provider is called \"antropic\"".to_owned(),
            hint: Some("did you mean \"anthropic\"?".to_owned()),
        };
        assert_eq!(
            diagnostic.to_string(),
            "config/weir.yaml:14: models.gpt-4o.targets[1].provider: no provider is called \"antropic\" \
             (did you mean \"anthropic\"?)"
        );
    }
}
