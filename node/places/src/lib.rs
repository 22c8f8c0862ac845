//! Where Weir keeps things on a machine, and which Envoy it runs. Start with [`Places`]; [`envoy`] chooses the Envoy.
//!
//! This is a crate of its own, without dependencies: `xtask` fetches Envoy and the models before anything large is built.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic"))]

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

pub mod envoy;

/// The folders of one user. None is inside a clone, and none is made before it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// For what can be fetched again: Envoy, ONNX Runtime, models. `$WEIR_CACHE`, else `weir` in the XDG cache folder.
    pub cache: PathBuf,
    /// For what cannot: keys and logs. `$WEIR_STATE`, else `weir` in the XDG state folder.
    pub state: PathBuf,
    /// For the sockets and rendered files of running nodes: `run` in `$WEIR_STATE`, else `weir` in `$XDG_RUNTIME_DIR`, else
    /// `run` in the state folder.
    pub run: PathBuf,
}

/// Neither a home folder nor the variables that would replace it are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoHome;

impl fmt::Display for NoHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no folder to keep things in: set HOME, or WEIR_CACHE and WEIR_STATE")
    }
}

impl std::error::Error for NoHome {}

impl Places {
    /// The places of the user of this process.
    pub fn here() -> Result<Self, NoHome> {
        Self::of(|name| std::env::var_os(name))
    }

    /// The places that a set of environment variables gives. Empty variables count as unset, as XDG asks.
    pub fn of(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, NoHome> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(absolute);
        let under = |own: &str, xdg: &str, home: &str| {
            set(own)
                .or_else(|| Some(set(xdg)?.join("weir")))
                .or_else(|| Some(set("HOME")?.join(home).join("weir")))
                .ok_or(NoHome)
        };
        let cache = under("WEIR_CACHE", "XDG_CACHE_HOME", ".cache")?;
        let state = under("WEIR_STATE", "XDG_STATE_HOME", ".local/state")?;
        let run = match (set("WEIR_STATE"), set("XDG_RUNTIME_DIR")) {
            (None, Some(runtime)) => runtime.join("weir"),
            _ => state.join("run"),
        };
        Ok(Self { cache, state, run })
    }

    /// The Envoy that `cargo xtask fetch` puts there.
    pub fn envoy(&self) -> PathBuf {
        self.cache.join("envoy/envoy")
    }

    /// The ONNX Runtime that `cargo xtask fetch` puts there.
    pub fn onnxruntime(&self) -> PathBuf {
        self.cache.join("onnxruntime/libonnxruntime.so")
    }

    /// The folder that holds a folder for each local model.
    pub fn models(&self) -> PathBuf {
        self.cache.join("models")
    }

    /// The hashes of the keys that `weir keys new` made.
    pub fn keys(&self) -> PathBuf {
        self.state.join("keys.yaml")
    }
}

/// A relative path starts at the folder of this process: the programs it starts, and one that runs already, are elsewhere.
fn absolute(path: OsString) -> PathBuf {
    std::path::absolute(&path).unwrap_or_else(|_| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], expect: Result<(&str, &str, &str), NoHome>) {
        let of = Places::of(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into()));
        let expect =
            expect.map(|(cache, state, run)| Places { cache: cache.into(), state: state.into(), run: run.into() });
        assert_eq!(of, expect);
    }

    #[test]
    fn weirs_own_variables_go_before_xdgs_and_those_before_home() {
        check(&[("HOME", "/h")], Ok(("/h/.cache/weir", "/h/.local/state/weir", "/h/.local/state/weir/run")));
        let xdg = [("HOME", "/h"), ("XDG_CACHE_HOME", "/c"), ("XDG_STATE_HOME", "/s"), ("XDG_RUNTIME_DIR", "/r")];
        check(&xdg, Ok(("/c/weir", "/s/weir", "/r/weir")));
        let own = [("WEIR_CACHE", "/wc"), ("WEIR_STATE", "/ws"), ("XDG_RUNTIME_DIR", "/r")];
        check(&own, Ok(("/wc", "/ws", "/ws/run")));
        check(&[("HOME", "")], Err(NoHome));
    }

    #[test]
    fn relative_folders_are_made_absolute() {
        let here = std::env::current_dir().unwrap();
        let at = |below: &str| here.join(below).display().to_string();
        let own = [("WEIR_CACHE", "c"), ("WEIR_STATE", "./s")];
        check(&own, Ok((&at("c"), &at("s"), &at("s/run"))));
        let xdg = [("XDG_CACHE_HOME", "c"), ("XDG_STATE_HOME", "s"), ("XDG_RUNTIME_DIR", "r")];
        check(&xdg, Ok((&at("c/weir"), &at("s/weir"), &at("r/weir"))));
    }
}
