//! The crates of the workspace, and what each may depend on.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run::{ask, cargo, root};
use crate::say::Outcome;

/// A crate of the workspace.
pub(super) struct Crate {
    name: String,
    /// The crates of the workspace that it is built with. Its tests may use more.
    needs: Vec<String>,
    /// `lib.rs` and `main.rs`, from the clone's root.
    pub(super) roots: Vec<PathBuf>,
}

/// What each crate that is shipped may depend on. The simulator stands alone, so that it cannot share a fault with the code
/// that it tests. The sidecar knows no configuration, and the filter no operating system.
const MAY: &[(&str, &[&str])] = &[
    ("weir-hub", &[]),
    ("weir-core", &["weir-hub", "weir-proto"]),
    ("weir-filter", &["weir-core", "weir-hub"]),
    ("weir-control", &["weir-core", "weir-hub"]),
    ("weir-proto", &[]),
    ("weir-sidecar", &["weir-hub", "weir-proto"]),
    ("weir-sim", &[]),
    ("weir-places", &[]),
    ("weir-ports", &[]),
    (
        "weir-node",
        &[
            "weir-control",
            "weir-core",
            "weir-hub",
            "weir-places",
            "weir-ports",
            "weir-proto",
            "weir-sidecar",
            "weir-sim",
        ],
    ),
    ("weir", &["weir-control", "weir-node"]),
];

/// The workspace's crates, as cargo reads them.
pub(super) fn of_the_workspace() -> Outcome<Vec<Crate>> {
    let metadata = ask(&mut cargo(&["metadata", "--no-deps", "--format-version", "1"]));
    let metadata = metadata.ok_or("`cargo metadata` failed; run it to see why")?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| format!("`cargo metadata`: {error}"))?;
    Ok(each(&metadata, "packages").map(|package| read(package, &root())).collect())
}

fn read(package: &Value, root: &Path) -> Crate {
    let needs =
        each(package, "dependencies").filter(|one| one.get("path").is_some() && one.get("kind") == Some(&Value::Null));
    let sources = each(package, "targets").filter(|target| {
        each(target, "kind").any(|kind| matches!(kind.as_str(), Some("lib" | "rlib" | "cdylib" | "bin")))
    });
    let source = |target: &Value| {
        let path = Path::new(target.get("src_path")?.as_str()?);
        Some(path.strip_prefix(root).unwrap_or(path).to_owned())
    };
    Crate { name: name(package), needs: needs.map(name).collect(), roots: sources.filter_map(source).collect() }
}

fn name(of: &Value) -> String {
    of.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn each<'v>(value: &'v Value, member: &str) -> impl Iterator<Item = &'v Value> {
    value.get(member).and_then(Value::as_array).into_iter().flatten()
}

/// Each dependency that goes the wrong way.
pub(super) fn forbidden(crates: &[Crate]) -> Vec<String> {
    let mut problems = Vec::new();
    for Crate { name, needs, .. } in crates {
        let Some((_, may)) = MAY.iter().find(|(known, _)| known == name) else { continue };
        for need in needs.iter().filter(|need| !may.contains(&need.as_str())) {
            problems.push(format!(
                "{name} depends on {need}, which it must not know; xtask/src/structure/crates.rs says why"
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, needs: &[(&str, Option<&str>)]) -> Crate {
        let needs = needs.iter().map(|(name, kind)| json!({"name": name, "kind": kind, "path": "/clone/x"}));
        let mut needs: Vec<Value> = needs.collect();
        needs.push(json!({"name": "weird", "kind": null}));
        let targets = json!([
            {"kind": ["cdylib", "rlib"], "src_path": "/clone/a/src/lib.rs"},
            {"kind": ["test"], "src_path": "/clone/a/tests/it.rs"},
        ]);
        read(&json!({"name": name, "dependencies": needs, "targets": targets}), Path::new("/clone"))
    }

    #[test]
    fn a_crate_knows_only_those_below_it() {
        let right = [package("weir-core", &[("weir-hub", None)]), package("weir-bench", &[("weir-sim", None)])];
        assert_eq!(forbidden(&right), Vec::<String>::new());
        let wrong = forbidden(&[package("weir-core", &[("weir-control", None)])]);
        assert_eq!(wrong.len(), 1);
        assert!(wrong[0].starts_with("weir-core depends on weir-control"), "{wrong:?}");
    }

    #[test]
    fn tests_may_use_any_crate_and_are_not_read() {
        let sim = package("weir-sim", &[("weir-core", Some("dev"))]);
        assert_eq!(sim.roots, [Path::new("a/src/lib.rs")]);
        assert_eq!(forbidden(&[sim]), Vec::<String>::new());
    }
}
