//! Running other programs: found, echoed, and with a failure that says what was run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::say::{self, Outcome};

/// The clone's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// The cargo that runs this task, in the clone's root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Runs a command, its output shown. Fails with the command's line.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let line = line(command);
    say::note(&line);
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` ended with {status}")),
        Err(error) => Err(format!("cannot run `{line}`: {error}")),
    }
}

/// Runs a command in silence. None unless it succeeds; otherwise what it printed.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether this process may install system packages.
pub(crate) fn is_root() -> bool {
    ask(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0")
}

/// Installs Debian packages; without root, the failure is the line to run.
pub(crate) fn apt(packages: &[&str], why: &str) -> Outcome {
    let install = ["install", "-y", "--no-install-recommends"];
    if ask(Command::new("apt-get").arg("--version")).is_none() {
        return Err(format!("{why}; this machine has no apt-get: install what Debian calls {}", packages.join(" ")));
    }
    if !is_root() {
        return Err(format!(
            "{why}. Installing it needs root; run this line, then try again:\n\n    sudo apt-get update && sudo apt-get \
             {} {}\n",
            install.join(" "),
            packages.join(" ")
        ));
    }
    run(Command::new("apt-get").args(["update", "-q"]))?;
    run(Command::new("apt-get").args(install).args(packages).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// A command as a person would write it.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
