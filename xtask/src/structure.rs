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

use std::path::Path;

use crate::run::root;
use crate::say::Outcome;

use circle::Circle;
use module::Modules;

/// Checks the crates' dependencies and the imports of each crate.
pub(crate) fn check() -> Outcome {
    let crates = crates::of_the_workspace()?;
    let mut problems = crates::forbidden(&crates);
    for file in crates.iter().flat_map(|one| &one.roots) {
        let modules = Modules::read(file, &|path| std::fs::read_to_string(root().join(path)).ok())?;
        let source = file.parent().unwrap_or(file);
        problems.extend(circle::all(&modules).iter().map(|circle| told(source, circle)));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n\n")) }
}

/// A circle, for people: each import on the shortest way around.
fn told(source: &Path, circle: &Circle) -> String {
    let folder = circle.folder.iter().fold(source.to_owned(), |path, part| path.join(part));
    let mut lines = vec![format!("{}: a circle of {}", folder.display(), circle.members.join(", "))];
    for step in &circle.path {
        let (from, to) = (step.from.display(), step.to.display());
        lines.push(format!("    {from}:{} → {to}    {}", step.line, step.text));
    }
    lines.join("\n")
}
