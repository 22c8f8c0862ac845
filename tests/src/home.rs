//! The home in which a test runs `weir`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::folder::Folder;

/// The token with which the simulated provider shows its requests.
pub const SIM_TOKEN: &str = "token-of-a-test";

/// The file of a test's own certificate authority, beside the configuration.
pub const AUTHORITY: &str = "authority.pem";

/// Gives `weir` a home of its own. The cache of fetched programs is shared.
pub(crate) fn at_home<'c>(command: &'c mut Command, folder: &Folder) -> &'c mut Command {
    for name in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "RUST_LOG"] {
        command.env_remove(name);
    }
    let authority = folder.path().join(AUTHORITY);
    if authority.is_file() {
        command.env("SSL_CERT_FILE", authority);
    }
    command.env("WEIR_SIM_TOKEN", SIM_TOKEN);
    command.env("WEIR_STATE", folder.path().join("state")).current_dir(folder.path())
}

/// The binary that was built beside this test.
pub(crate) fn binary() -> PathBuf {
    let own = env::current_exe().expect("a path");
    let weir = own.ancestors().nth(2).unwrap_or(Path::new("/")).join("weir");
    assert!(weir.is_file(), "there is no {}: run `cargo build -p weir`", weir.display());
    weir
}
