//! The filter's module: named, beside an installed binary, or built in the clone that this binary was built in.

use std::path::{Path, PathBuf};

use crate::problem::{Outcome, Problem};

const NAME: &str = "weir_filter.wasm";

/// Finds the module.
pub(crate) fn find(named: Option<&Path>) -> Outcome<PathBuf> {
    let variable = std::env::var_os("WEIR_FILTER").filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(named) = named.map(Path::to_owned).or(variable) {
        let found = std::path::absolute(&named).ok().filter(|path| path.is_file());
        return found.ok_or_else(|| Problem::Failed(format!("{}: there is no filter here", named.display())));
    }
    let own = std::env::current_exe().and_then(std::fs::canonicalize).unwrap_or_default();
    let candidates = candidates(&own);
    candidates.iter().find(|path| path.is_file()).cloned().ok_or_else(|| {
        let looked: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
        Problem::Failed(format!(
            "the filter is not built: none of {} is there; run `cargo xtask wasm` in a clone of Weir (`make up` does), or \
             name one with --filter",
            looked.join(", ")
        ))
    })
}

/// For `target/release/weir` the clone's build, for `/usr/bin/weir` what is installed with it.
fn candidates(own: &Path) -> Vec<PathBuf> {
    let folder = |up: usize| own.ancestors().nth(up).map(Path::to_owned).unwrap_or_default();
    vec![
        folder(2).join("wasm32-unknown-unknown/wasm").join(NAME),
        folder(1).join(NAME),
        folder(2).join("lib/weir").join(NAME),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_and_an_installed_binary_find_their_own_filter() {
        let built = candidates(Path::new("/src/weir/target/release/weir"));
        assert!(built.contains(&"/src/weir/target/wasm32-unknown-unknown/wasm/weir_filter.wasm".into()));
        let installed = candidates(Path::new("/usr/bin/weir"));
        assert!(installed.contains(&"/usr/lib/weir/weir_filter.wasm".into()));
    }
}
