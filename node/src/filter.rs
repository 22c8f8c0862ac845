//! Which filter runs: the one that is named, the one that is installed with this binary, or the one built in the same clone.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use weir_control::render::Module;
use weir_places::envoy::Version;

use crate::problem::{Outcome, Problem};

/// The Envoys that load the native filter. Envoy promises that a dynamic module also works in the next release.
const NATIVE: [Version; 2] = [Version { major: 1, minor: 40 }, Version { major: 1, minor: 41 }];

/// Which filter is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One of the two, where it is found.
    Kind(Kind),
    /// The module at a path.
    At(PathBuf),
}

/// Which of the two shells around the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The proxy-wasm module.
    Wasm,
    /// The dynamic module.
    Native,
}

impl FromStr for Wanted {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "wasm" => Self::Kind(Kind::Wasm),
            "native" => Self::Kind(Kind::Native),
            path => Self::At(path.into()),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wasm => "wasm",
            Self::Native => "native",
        })
    }
}

impl Kind {
    /// The kind of this module.
    pub(crate) fn of(module: &Module) -> Self {
        match module {
            Module::Wasm(_) => Self::Wasm,
            Module::Native(_) => Self::Native,
        }
    }

    /// The name of its file.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Wasm => "weir_filter.wasm",
            Self::Native => "libweir_filter.so",
        }
    }

    /// Where it may be. For `target/release/weir` that is the build in its clone, for `/usr/bin/weir` what is installed with it.
    fn candidates(self, own: &Path) -> Vec<PathBuf> {
        let folder = |up: usize| own.ancestors().nth(up).map(Path::to_owned).unwrap_or_default();
        let built = match self {
            Self::Wasm => vec![folder(2).join("wasm32-unknown-unknown/wasm")],
            Self::Native => Vec::new(),
        };
        let folders = built.into_iter().chain([folder(1), folder(2).join("lib/weir")]);
        folders.map(|folder| folder.join(self.file())).collect()
    }

    fn find(self) -> Result<Module, Vec<PathBuf>> {
        let own = std::env::current_exe().and_then(std::fs::canonicalize).unwrap_or_default();
        let candidates = self.candidates(&own);
        candidates.iter().find(|path| path.is_file()).cloned().map(Module::at).ok_or(candidates)
    }
}

/// Finds the filter that the caller or `WEIR_FILTER` wants. If neither names one: the native filter if it exists and this Envoy
/// loads it, otherwise the wasm module.
pub(crate) fn find(wanted: Option<&Wanted>, envoy: Option<Version>) -> Outcome<Module> {
    match wanted.cloned().or_else(variable) {
        Some(Wanted::At(named)) => {
            let found = std::path::absolute(&named).ok().filter(|path| path.is_file());
            found
                .map(Module::at)
                .ok_or_else(|| Problem::Failed(format!("{}: there is no filter here", named.display())))
        }
        Some(Wanted::Kind(kind)) => kind.find().map_err(|looked| missing(kind, &looked)),
        None => {
            let fits = envoy.is_some_and(|envoy| NATIVE.contains(&envoy));
            let native = if fits { Kind::Native.find().ok() } else { None };
            native.map_or_else(|| Kind::Wasm.find().map_err(|looked| missing(Kind::Wasm, &looked)), Ok)
        }
    }
}

/// Whether `WEIR_FILTER` says which filter is wanted.
pub(crate) fn is_named() -> bool {
    variable().is_some()
}

fn variable() -> Option<Wanted> {
    std::env::var("WEIR_FILTER").ok().filter(|text| !text.is_empty()).and_then(|text| text.parse().ok())
}

fn missing(kind: Kind, looked: &[PathBuf]) -> Problem {
    let looked: Vec<_> = looked.iter().map(|path| path.display().to_string()).collect();
    let build = match kind {
        Kind::Wasm => "cargo xtask wasm",
        Kind::Native => "cargo build --release --package weir-filter",
    };
    Problem::Failed(format!(
        "the {kind} filter is not built: none of {} is there; run `{build}` in a clone of Weir (`make up` does), or name one \
         with --filter",
        looked.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_and_an_installed_binary_find_their_own_filter() {
        let built = Path::new("/src/weir/target/release/weir");
        let wasm = Kind::Wasm.candidates(built);
        assert!(wasm.contains(&"/src/weir/target/wasm32-unknown-unknown/wasm/weir_filter.wasm".into()));
        assert!(Kind::Native.candidates(built).contains(&"/src/weir/target/release/libweir_filter.so".into()));
        let installed = Path::new("/usr/bin/weir");
        assert!(Kind::Wasm.candidates(installed).contains(&"/usr/lib/weir/weir_filter.wasm".into()));
        assert!(Kind::Native.candidates(installed).contains(&"/usr/lib/weir/libweir_filter.so".into()));
    }
}
