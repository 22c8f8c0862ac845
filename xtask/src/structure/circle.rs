//! Circles between the members of a folder.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

use super::module::{Modules, Name};

/// Members of one folder that all know each other, directly or through others.
pub(super) struct Circle {
    /// The folder, by its module's name.
    pub(super) folder: Name,
    /// The members' names.
    pub(super) members: Vec<String>,
    /// The shortest way around.
    pub(super) path: Vec<Step>,
}

/// An import, as one step of a circle.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
    pub(super) line: usize,
    /// The source line.
    pub(super) text: String,
}

/// Which member of a folder knows which, with the first import that says so.
type Graph = BTreeMap<String, BTreeMap<String, Step>>;

/// Every circle that is not allowed.
pub(super) fn all(modules: &Modules) -> Vec<Circle> {
    let mut circles = Vec::new();
    for (folder, graph) in graphs(modules) {
        for members in knots(&graph) {
            let below = |member: &String| folder.iter().chain([member]).cloned().collect::<Name>();
            let is_folder = |member: &&String| folder.is_empty() || modules.is_folder(&below(member));
            let ways = members.iter().filter(is_folder).filter_map(|member| around(&graph, member));
            // None is left where all are files of one folder.
            if let Some(path) = ways.min_by_key(Vec::len) {
                circles.push(Circle { folder: folder.clone(), members: members.iter().cloned().collect(), path });
            }
        }
    }
    circles
}

/// For each folder, which member knows which. An import belongs to the deepest folder that has both of its ends.
fn graphs(modules: &Modules) -> BTreeMap<Name, Graph> {
    let mut graphs: BTreeMap<Name, Graph> = BTreeMap::new();
    for (name, module) in &modules.0 {
        for mention in &module.mentions {
            let Some(home) = modules.home(name, &mention.path) else { continue };
            let common = module.owner.iter().zip(&home.owner).take_while(|(a, b)| a == b).count();
            // One that is above the other is its parent, or that one's.
            let (Some(from), Some(to)) = (module.owner.get(common), home.owner.get(common)) else { continue };
            let folder = module.owner.iter().take(common).cloned().collect();
            let members = graphs.entry(folder).or_default().entry(from.clone()).or_default();
            members.entry(to.clone()).or_insert_with(|| Step {
                from: module.file.clone(),
                to: home.file.clone(),
                line: mention.line,
                text: mention.text.clone(),
            });
        }
    }
    graphs
}

/// Sets of two or more members that all lead to each other.
fn knots(graph: &Graph) -> BTreeSet<BTreeSet<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> =
        graph.keys().map(|member| (member, reach(graph, member))).collect();
    let knots = reach.iter().map(|(member, reached)| {
        let back = |other: &&&String| reach.get(**other).is_some_and(|reached| reached.contains(member));
        reached.iter().filter(back).map(|other| (*other).clone()).collect::<BTreeSet<String>>()
    });
    knots.filter(|knot| knot.len() > 1).collect()
}

fn reach<'g>(graph: &'g Graph, from: &'g String) -> BTreeSet<&'g String> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(member) = waiting.pop() {
        waiting.extend(graph.get(member).into_iter().flat_map(BTreeMap::keys).filter(|next| reached.insert(*next)));
    }
    reached
}

/// The shortest way from a member back to itself.
fn around(graph: &Graph, start: &String) -> Option<Vec<Step>> {
    let mut ways: VecDeque<(&String, Vec<Step>)> = VecDeque::from([(start, Vec::new())]);
    let mut seen = BTreeSet::new();
    while let Some((member, way)) = ways.pop_front() {
        for (next, step) in graph.get(member).into_iter().flatten() {
            let longer: Vec<Step> = way.iter().cloned().chain([step.clone()]).collect();
            if next == start {
                return Some(longer);
            }
            if seen.insert(next) {
                ways.push_back((next, longer));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Each circle of a made-up crate: its folder, its members, and its steps as `from:line → to`.
    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let open = |path: &Path| {
            let found = files.iter().find(|(name, _)| Path::new("src").join(name) == path);
            found.map(|(_, text)| (*text).to_owned())
        };
        let modules = Modules::read(Path::new("src/lib.rs"), &open).unwrap();
        let told = all(&modules).into_iter().map(|circle| {
            let steps =
                circle.path.iter().map(|step| format!("{}:{} → {}", step.from.display(), step.line, step.to.display()));
            let steps = steps.collect::<Vec<_>>().join(", ");
            format!("{}[{}] {steps}", circle.folder.join("/"), circle.members.join(" "))
        });
        told.collect()
    }

    fn none() -> Vec<String> {
        Vec::new()
    }

    #[test]
    fn two_parts_of_a_crate_that_know_each_other_are_a_circle() {
        let a = ("a.rs", "//! A.\nuse crate::b::B;\npub struct A(B);");
        assert_eq!(circles(&[("lib.rs", "mod a; mod b;"), a, ("b.rs", "pub struct B;")]), none());
        let b = ("b.rs", "pub struct B; fn f(_: super::a::A) {}");
        assert_eq!(circles(&[("lib.rs", "mod a; mod b;"), a, b]), ["[a b] a.rs:2 → b.rs, b.rs:1 → a.rs"]);
    }

    #[test]
    fn the_shortest_way_around_is_told() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "use crate::b;\npub fn f() { b::f() }"),
            ("b.rs", "use crate::{c, d};\npub fn f() { c::f(); d::f() }"),
            ("c.rs", "pub fn f() { crate::d::f() }"),
            ("d.rs", "pub fn f() {\n crate::a::f() }"),
        ];
        assert_eq!(circles(&files), ["[a b c d] a.rs:1 → b.rs, b.rs:1 → d.rs, d.rs:2 → a.rs"]);
    }

    #[test]
    fn a_folder_counts_with_all_below_it() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod deep;"),
            ("a/deep.rs", "use crate::b::B;"),
            ("b.rs", "mod low; pub struct B;"),
            ("b/low.rs", "use crate::a;"),
        ];
        assert_eq!(circles(&files), ["[a b] a/deep.rs:1 → b.rs, b/low.rs:1 → a.rs"]);
    }

    #[test]
    fn a_module_may_know_its_parents() {
        let files = [
            ("lib.rs", "mod a; pub struct Root;"),
            ("a.rs", "mod b; use b::B; pub struct A;"),
            ("a/b.rs", "mod c; use super::A; use crate::Root; pub struct B(c::C);"),
            ("a/b/c.rs", "use super::super::A; pub struct C(A);"),
        ];
        assert_eq!(circles(&files), none());
    }

    #[test]
    fn files_of_one_folder_may_know_each_other_and_folders_not() {
        let mut files = vec![
            ("lib.rs", "mod a;"),
            ("a.rs", "mod b; mod c;"),
            ("a/b.rs", "use super::c::C; pub struct B;"),
            ("a/c.rs", "use super::b::B; pub struct C;"),
        ];
        assert_eq!(circles(&files), none());
        files[3] = ("a/c.rs", "mod d; pub struct C;");
        files.push(("a/c/d.rs", "use crate::a::b::B;"));
        assert_eq!(circles(&files), ["a[b c] a/c/d.rs:1 → a/b.rs, a/b.rs:1 → a/c.rs"]);
    }

    #[test]
    fn a_parent_cannot_hide_whose_name_it_is() {
        for (way, name) in [("pub use b::B;", "B"), ("use b::B as Other;", "Other"), ("pub use b::*;", "B")] {
            let parent = format!("mod b; mod c; {way}");
            let of_c = format!("mod d; use super::{name};");
            let files = [
                ("lib.rs", "mod a;"),
                ("a.rs", parent.as_str()),
                ("a/b.rs", "use super::c; pub struct B;"),
                ("a/c.rs", of_c.as_str()),
                ("a/c/d.rs", ""),
            ];
            assert_eq!(circles(&files), ["a[b c] a/c.rs:1 → a/b.rs, a/b.rs:1 → a/c.rs"], "{way}");
        }
    }

    #[test]
    fn a_function_of_the_parent_is_not_the_module_of_that_name() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a.rs", "mod count; mod c; pub fn count() { count::all() }"),
            ("a/count.rs", "pub fn all() { super::c::f() }"),
            ("a/c.rs", "mod d; pub fn f() { super::count() }"),
            ("a/c/d.rs", ""),
        ];
        assert_eq!(circles(&files), none());
    }

    #[test]
    fn a_macro_is_read_too() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "pub fn f() { let _ = vec![\n [crate::b::f(1)]]; }"),
            ("b.rs", "pub fn f(_: u8) { crate::a::f() }"),
        ];
        assert_eq!(circles(&files), ["[a b] a.rs:2 → b.rs, b.rs:1 → a.rs"]);
    }

    #[test]
    fn tests_documentation_and_other_crates_do_not_count() {
        let files = [
            ("lib.rs", "mod a; mod b; #[cfg(test)] mod tests;"),
            ("a.rs", "use crate::b::B; pub struct A(B); #[cfg(not(test))] mod real { pub fn f() {} }"),
            (
                "b.rs",
                "//! See [`A`](crate::a::A).\nuse std::a::A;\nuse ::a::X;\npub(super) struct B;
                 #[cfg(test)] use crate::a;
                 #[cfg(test)] mod tests { use super::B; use crate::a::A; }",
            ),
        ];
        assert_eq!(circles(&files), none());
    }

    #[test]
    fn a_missing_file_is_said() {
        let open = |path: &Path| (path == Path::new("src/lib.rs")).then(|| "mod gone;".to_owned());
        let problem = Modules::read(Path::new("src/lib.rs"), &open).err().unwrap();
        assert_eq!(problem, "src/gone.rs: there is no such file");
    }
}
