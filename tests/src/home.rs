//! The home in which a test runs `weir`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::folder::Folder;

/// The token with which the simulated provider shows its requests.
pub const SIM_TOKEN: &str = "token-of-a-test";

/// The file of a test's own certificate authority, beside the configuration.
pub const AUTHORITY: &str = "authority.pem";

/// A folder with the configuration, the keys and the logs of one test, gone when dropped. The cache of fetched programs is shared
/// by all.
#[derive(Debug)]
pub struct Home {
    folder: Folder,
}

/// What a command has printed, and how it has ended.
#[derive(Debug)]
pub struct Said {
    /// The exit code; none if a signal has ended it.
    pub code: Option<i32>,
    /// What it has printed.
    pub out: String,
    /// What it has printed as errors.
    pub err: String,
}

impl Home {
    /// An empty one.
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        Self { folder: Folder::new() }
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and returns its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file in the home");
        path
    }

    /// What a file says; nothing if it is not there.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// `weir` with these arguments, not yet run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        self.applies_to(command.args(arguments));
        command
    }

    /// Runs `weir` with these arguments to its end.
    pub fn weir(&self, arguments: &[&str]) -> Said {
        Said::of(&mut self.command(arguments))
    }

    /// Lets a command run here.
    pub(crate) fn applies_to<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        for name in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "RUST_LOG"] {
            command.env_remove(name);
        }
        let authority = self.path(AUTHORITY);
        if authority.is_file() {
            command.env("SSL_CERT_FILE", authority);
        }
        command.env("WEIR_SIM_TOKEN", SIM_TOKEN);
        command.env("WEIR_STATE", self.path("state")).current_dir(self.folder.path())
    }
}

impl Said {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { code: status.code(), out: text(stdout), err: text(stderr) }
    }
}

/// The binary that was built beside this test.
pub(crate) fn binary() -> PathBuf {
    let own = env::current_exe().expect("a path");
    let weir = own.ancestors().nth(2).unwrap_or(Path::new("/")).join("weir");
    assert!(weir.is_file(), "there is no {}: run `cargo build -p weir`", weir.display());
    weir
}
