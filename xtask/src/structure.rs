//! The shape of the code: which crate may depend on which, and no circle between the folders of a crate.
//!
//! A module file and the folder of its name are one thing. The siblings in a folder, each with all that lies below it, must
//! form no circle: a folder can then be read, tested and moved alone. Two cases are left free. A module may know its own
//! parent. And files of one folder that have no folders themselves may know each other in a circle, because they are one idea
//! that is written in several files; directly under `src/` they may not, because there each file is a part of the crate.

mod circle;
mod crates;
mod module;
mod name;

use std::collections::BTreeSet;

use crate::run::root;
use crate::say::{Outcome, note};

use circle::Circle;
use module::Modules;

/// The folders in which there is a circle still to be mended. One without a circle is an error too.
const KNOWN: &[&str] = &["core/src/config", "core/src/provider"];

/// Checks the crates' dependencies and the imports of each crate.
pub(crate) fn check() -> Outcome {
    let crates = crates::of_the_workspace()?;
    let mut problems = crates::forbidden(&crates);
    let mut mended: BTreeSet<&str> = KNOWN.iter().copied().collect();
    for file in crates.iter().flat_map(|one| &one.roots) {
        let modules = Modules::read(file, &|path| std::fs::read_to_string(root().join(path)).ok())?;
        for circle in circle::all(&modules) {
            let source = file.parent().unwrap_or(file).to_owned();
            let folder = circle.folder.iter().fold(source, |path, part| path.join(part)).display().to_string();
            if KNOWN.contains(&folder.as_str()) {
                mended.remove(folder.as_str());
                note(&format!("{folder}: a known circle of {}", circle.members.join(", ")));
            } else {
                problems.push(told(&folder, &circle));
            }
        }
    }
    problems.extend(
        mended
            .into_iter()
            .map(|folder| format!("{folder}: there is no circle any more; delete its entry in xtask/src/structure.rs")),
    );
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n\n")) }
}

/// A circle, for people: each import on the shortest way around.
fn told(folder: &str, circle: &Circle) -> String {
    let mut lines = vec![format!("{folder}: a circle of {}", circle.members.join(", "))];
    for step in &circle.path {
        let (from, to) = (step.from.display(), step.to.display());
        lines.push(format!("    {from}:{} → {to}    {}", step.line, step.text));
    }
    lines.join("\n")
}
