//! Which compiler makes the module. rustup's target where it can be had; else Debian's second toolchain, which carries
//! the standard library's source and compiles it too. `WEIR_WASM_TOOLCHAIN` (`rustup` or `debian`) overrides.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::run::{apt, ask, cargo, root};
use crate::say::{self, Outcome};

/// What Debian calls it.
const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];
const LINKER: &str = "/usr/bin/wasm-ld-22";
const SOURCE: &str = "/usr/lib/rustlib/src/rust";
/// How long rustup may try to fetch the target: 20 MB where there is a way, forever where a firewall drops packets.
const PATIENCE: Duration = Duration::from_secs(180);

/// What builds the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Toolchain {
    /// The cargo that runs this task; its compiler has the target.
    Ordinary,
    /// Debian's.
    Debian,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ordinary => "the usual one, which has the wasm32-unknown-unknown target",
            Self::Debian => {
                "Debian's (rustc-web), compiling the standard library too: the usual one has no wasm32 target"
            }
        })
    }
}

impl Toolchain {
    /// Chooses a toolchain, and installs what it lacks if that is possible.
    pub(super) fn find() -> Outcome<Self> {
        match std::env::var("WEIR_WASM_TOOLCHAIN").as_deref() {
            Ok("rustup") if ordinary_has_target() || rustup_adds_target() => return Ok(Self::Ordinary),
            Ok("rustup") => {
                return Err("rustup cannot add wasm32-unknown-unknown; unset WEIR_WASM_TOOLCHAIN".to_owned());
            }
            Ok("debian") => return debian(),
            Ok("") | Err(_) => {}
            Ok(other) => return Err(format!("WEIR_WASM_TOOLCHAIN: `{other}` is neither `rustup` nor `debian`")),
        }
        if ordinary_has_target() {
            return Ok(Self::Ordinary);
        }
        // What is there already goes before what would have to be fetched.
        if debian_is_there() {
            return Ok(Self::Debian);
        }
        if rustup_adds_target() { Ok(Self::Ordinary) } else { debian() }
    }

    /// `cargo build`, without the package.
    pub(super) fn cargo(self) -> Command {
        match self {
            Self::Ordinary => cargo(&["build"]),
            Self::Debian => {
                let mut command = Command::new("/usr/bin/cargo");
                command.args(["build", "-Zbuild-std=std,panic_abort"]).current_dir(root());
                // cargo must find this rustc, not rustup's shim; and what rustup's cargo set for us must not reach it.
                let path = std::env::var("PATH").unwrap_or_default();
                command.env("PATH", format!("/usr/bin:{path}")).env("RUSTC", "/usr/bin/rustc");
                command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", LINKER);
                for inherited in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
                    command.env_remove(inherited);
                }
                command
            }
        }
    }

    /// Adds what may help to a failed build.
    pub(super) fn explain(self, problem: &str) -> String {
        match self {
            Self::Ordinary => problem.to_owned(),
            Self::Debian => format!(
                "{problem}\n(with Debian's toolchain; where rustup can fetch, `rustup target add wasm32-unknown-unknown` \
                 gives the usual one)"
            ),
        }
    }
}

/// Whether the compiler that cargo uses here has the target's standard library.
fn ordinary_has_target() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked =
        ask(Command::new(rustc).args(["--print", "target-libdir", "--target", super::TARGET]).current_dir(root()));
    // The folder's name is printed whether or not it is there.
    asked.is_some_and(|folder| Path::new(folder.trim()).is_dir())
}

fn rustup_adds_target() -> bool {
    say::note("the usual toolchain has no wasm32 target; asking rustup for it");
    let mut command = Command::new("rustup");
    command.args(["target", "add", super::TARGET]).current_dir(root()).stdin(Stdio::null());
    let Ok(mut child) = command.spawn() else {
        say::note("there is no rustup here");
        return false;
    };
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return ordinary_has_target(),
            Ok(Some(_)) | Err(_) => {
                say::note("rustup cannot fetch it");
                return false;
            }
            Ok(None) => sleep(Duration::from_millis(100)),
        }
    }
    say::note("rustup has not fetched it within three minutes");
    // It may have ended just now; either way it is gone afterwards.
    let _ = child.kill();
    let _ = child.wait();
    false
}

fn debian_is_there() -> bool {
    [LINKER, SOURCE, "/usr/bin/cargo", "/usr/bin/rustc"].iter().all(|path| Path::new(path).exists())
}

fn debian() -> Outcome<Toolchain> {
    if !debian_is_there() {
        say::note("installing Debian's second toolchain instead");
        apt(&PACKAGES, "the filter needs a compiler with the wasm32-unknown-unknown target; rustup cannot fetch it")?;
    }
    if debian_is_there() {
        Ok(Toolchain::Debian)
    } else {
        Err(format!("{} are installed, but {LINKER} or {SOURCE} is not there", PACKAGES.join(" ")))
    }
}
