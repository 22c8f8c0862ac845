//! Finds the module that defines what a path names, through every `use` on the way. A parent that passes on what one child defines
//! cannot hide that another child uses it.

use super::module::{Module, Modules, Name};

/// How many `use` may lead to the next: more are a circle of `use`.
const LONGEST: usize = 32;

/// What a name in a module stands for.
enum Found {
    Module(Name),
    /// Something else, defined in this module.
    Item(Name),
}

impl Modules {
    /// The module whose file defines what `path` leads to, as written in the module `from`; `None` outside this crate.
    pub(super) fn home(&self, from: &Name, path: &[String]) -> Option<&Module> {
        let (Found::Module(name) | Found::Item(name)) = self.follow(from, path, LONGEST)?;
        self.0.get(&self.0.get(&name)?.owner)
    }

    fn follow(&self, from: &Name, path: &[String], left: usize) -> Option<Found> {
        let left = left.checked_sub(1)?;
        let mut rest = path;
        let mut at = from.clone();
        let mut anchored = false;
        while let [first, others @ ..] = rest {
            match first.as_str() {
                "crate" => at.clear(),
                "super" => drop(at.pop()?),
                "self" => {}
                _ => break,
            }
            anchored = true;
            rest = others;
        }
        let mut first = !anchored;
        while let [name, others @ ..] = rest {
            at = match self.look_up(&at, name, !others.is_empty(), left) {
                Some(Found::Module(module)) => module,
                Some(item) => return Some(item),
                // A crate, or a local name.
                None if first => return None,
                // Made by a macro, or brought in from another crate: whoever names it here has it from this module.
                None => return Some(Found::Item(at)),
            };
            first = false;
            rest = others;
        }
        Some(Found::Module(at))
    }

    /// What `name` stands for in the module `at`. A module and a function may share a name: with more to follow it is the module.
    fn look_up(&self, at: &Name, name: &str, more: bool, left: usize) -> Option<Found> {
        let left = left.checked_sub(1)?;
        let module = self.0.get(at)?;
        let child: Name = at.iter().cloned().chain([name.to_owned()]).collect();
        let is_item = module.items.contains(name);
        if self.0.contains_key(&child) && (more || !is_item) {
            return Some(Found::Module(child));
        }
        if is_item {
            return Some(Found::Item(at.clone()));
        }
        if let Some(path) = module.uses.get(name) {
            return self.follow(at, path, left);
        }
        module.globs.iter().find_map(|glob| match self.follow(at, glob, left)? {
            Found::Module(from) if from != *at => self.look_up(&from, name, more, left),
            _ => None,
        })
    }
}
