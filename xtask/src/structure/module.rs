//! The modules of a crate: what each defines, brings in and mentions. Tests are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

use crate::say::Outcome;

/// A module's path in its crate: `crate::a::b` is `["a", "b"]`.
pub(super) type Name = Vec<String>;

/// All modules of a crate.
pub(super) struct Modules(pub(super) BTreeMap<Name, Module>);

/// One module.
pub(super) struct Module {
    /// The module whose file it is in: itself, or for `mod x { … }` the module around it.
    pub(super) owner: Name,
    /// Its file, from the folder of the crate's root.
    pub(super) file: PathBuf,
    /// The names of its items.
    pub(super) items: BTreeSet<String>,
    /// The names that it brings in, each with what stands behind `use`.
    pub(super) uses: BTreeMap<String, Vec<String>>,
    /// What it brings in as `…::*`.
    pub(super) globs: Vec<Vec<String>>,
    /// Every path in its code.
    pub(super) mentions: Vec<Mention>,
}

/// A path, as it stands in the code.
pub(super) struct Mention {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
    /// The source line.
    pub(super) text: String,
}

impl Modules {
    /// Reads a crate from its root file on, each file by `open`.
    pub(super) fn read(root: &Path, open: &dyn Fn(&Path) -> Option<String>) -> Outcome<Self> {
        let mut modules = BTreeMap::new();
        let folder = root.parent().unwrap_or(root);
        // A file, the module it is, and the folder of its children.
        let mut files = vec![(root.to_owned(), Name::new(), folder.to_owned())];
        while let Some((path, name, below)) = files.pop() {
            let text = open(&path).ok_or_else(|| format!("{}: there is no such file", path.display()))?;
            let file = syn::parse_file(&text).map_err(|error| format!("{}: {error}", path.display()))?;
            let lines: Vec<&str> = text.lines().collect();
            let shown = path.strip_prefix(folder).unwrap_or(&path);
            let mut reader =
                Reader { lines: &lines, file: shown, owner: &name, modules: &mut modules, children: Vec::new() };
            reader.module(name.clone(), &file.items);
            for child in reader.children {
                let tail = child.get(name.len()..).unwrap_or_default();
                let beside = tail.iter().fold(below.clone(), |folder, part| folder.join(part));
                files.push((beside.with_extension("rs"), child, beside));
            }
        }
        Ok(Self(modules))
    }

    /// Whether modules of their own files lie below this one.
    pub(super) fn is_folder(&self, name: &[String]) -> bool {
        self.0.values().any(|module| module.owner.len() > name.len() && module.owner.starts_with(name))
    }
}

/// Reads one file.
struct Reader<'r> {
    lines: &'r [&'r str],
    file: &'r Path,
    owner: &'r Name,
    modules: &'r mut BTreeMap<Name, Module>,
    /// The modules that have files of their own.
    children: Vec<Name>,
}

impl Reader<'_> {
    fn module(&mut self, name: Name, items: &[Item]) {
        let mut module = Module {
            owner: self.owner.clone(),
            file: self.file.to_owned(),
            items: BTreeSet::new(),
            uses: BTreeMap::new(),
            globs: Vec::new(),
            mentions: Vec::new(),
        };
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            match item {
                Item::Mod(inner) => {
                    let child: Name = name.iter().cloned().chain([inner.ident.to_string()]).collect();
                    match &inner.content {
                        Some((_, items)) => self.module(child, items),
                        None => self.children.push(child),
                    }
                }
                _ => Paths { lines: self.lines, module: &mut module }.visit_item(item),
            }
            module.items.extend(defined(item));
        }
        self.modules.insert(name, module);
    }
}

/// Collects what an item brings in and mentions.
struct Paths<'p> {
    lines: &'p [&'p str],
    module: &'p mut Module,
}

impl Paths<'_> {
    fn mention(&mut self, path: Vec<String>, line: usize) {
        let text = line.checked_sub(1).and_then(|line| self.lines.get(line)).map_or("", |line| line.trim());
        self.module.mentions.push(Mention { path, line, text: text.to_owned() });
    }

    fn bring(&mut self, mut path: Vec<String>, tree: &UseTree) {
        let line = tree.span().start().line;
        match tree {
            UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                self.bring(path, &inner.tree);
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.bring(path.clone(), tree)),
            UseTree::Glob(_) => {
                self.module.globs.push(path.clone());
                self.mention(path, line);
            }
            UseTree::Name(_) | UseTree::Rename(_) => {
                let (name, known_as) = match tree {
                    UseTree::Rename(renamed) => (renamed.ident.to_string(), renamed.rename.to_string()),
                    UseTree::Name(named) => (named.ident.to_string(), named.ident.to_string()),
                    _ => return,
                };
                // `use a::{self}` brings in `a`.
                let (name, known_as) = match (name == "self", path.last()) {
                    (true, Some(last)) => (None, if known_as == "self" { last.clone() } else { known_as }),
                    _ => (Some(name), known_as),
                };
                path.extend(name);
                self.module.uses.insert(known_as, path.clone());
                self.mention(path, line);
            }
        }
    }

    /// Paths among the tokens of a macro, which no parser can know.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut line, mut colons) = (0, 0);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end(&mut path, line);
                        line = ident.span().start().line;
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => colons += 1,
                TokenTree::Group(group) => {
                    self.end(&mut path, line);
                    self.tokens(group.stream());
                }
                _ => self.end(&mut path, line),
            }
        }
        self.end(&mut path, line);
    }

    fn end(&mut self, path: &mut Vec<String>, line: usize) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.mention(path, line);
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() {
            self.bring(Vec::new(), &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.mention(names, path.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, of: &'ast syn::Macro) {
        visit::visit_macro(self, of);
        self.tokens(of.tokens.clone());
    }

    /// `pub(super)` is no import.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    /// Attributes name macros, and documentation links to anything.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

/// The names by which an item is found in its module.
fn defined(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether an item is there only in tests.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        let words = list.tokens.to_string();
        let words: Vec<&str> = words.split(|c: char| !c.is_alphanumeric()).collect();
        list.path.is_ident("cfg") && words.contains(&"test") && !words.contains(&"not")
    })
}
