//! The import graph of `src`: which file takes names from which, read from the syntax of the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// Files by name, relative to `src`, and for each file the files it imports from.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// One source file.
struct Source {
    /// Relative to `src`.
    name: String,
    /// The module that the file is, as names from the crate's root.
    module: Vec<String>,
    /// For each name that a `use` declaration brings in: the whole path, and whether the name is re-exported.
    imports: Vec<Import>,
    /// Whole paths in the code, outside of `use` declarations.
    paths: Vec<Vec<String>>,
    /// Names of items that the file defines itself.
    items: BTreeSet<String>,
}

struct Import {
    alias: String,
    path: Vec<String>,
    is_reexport: bool,
}

/// Reads all files of `src` that are not tests.
pub fn graph() -> Graph {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let sources: Vec<Source> = files.iter().map(|file| Source::read(&root, file)).collect();
    let by_module: BTreeMap<&[String], &Source> =
        sources.iter().filter(|source| !source.name.starts_with("bin/")).map(|s| (&s.module[..], s)).collect();
    let mut graph = Graph::new();
    for source in &sources {
        let mut targets = BTreeSet::new();
        let used: BTreeSet<&str> = source.paths.iter().map(|path| path[0].as_str()).collect();
        for import in &source.imports {
            if !import.is_reexport || used.contains(import.alias.as_str()) {
                targets.extend(resolve(&by_module, &source.absolute(&import.path), 0));
            }
        }
        for path in source.paths.iter().filter(|path| path.len() > 1) {
            let is_alias = source.imports.iter().any(|import| import.alias == path[0]);
            let starts_here = source.items.contains(&path[0]);
            if starts_here && !is_module(&by_module, &source.module, &path[0]) {
                continue;
            }
            let whole = match source.imports.iter().find(|import| import.alias == path[0]) {
                Some(import) if is_alias => [&import.path[..], &path[1..]].concat(),
                _ => path.clone(),
            };
            targets.extend(resolve(&by_module, &source.absolute(&whole), 0));
        }
        targets.remove(&source.name);
        graph.insert(source.name.clone(), targets);
    }
    graph
}

/// The groups of files that import each other in a circle: the strongly connected parts with more than one file.
pub fn cycles(graph: &Graph) -> Vec<Vec<String>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|file| (file.as_str(), reachable(graph, file))).collect();
    let mut found: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, targets) in &reach {
        let circle: Vec<String> = targets
            .iter()
            .filter(|target| reach.get(**target).is_some_and(|back| back.contains(file)))
            .map(|target| (*target).to_owned())
            .collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

fn reachable<'a>(graph: &'a Graph, from: &str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&str> = graph[from].iter().map(String::as_str).collect();
    while let Some(file) = open.pop() {
        if seen.insert(file) {
            open.extend(graph[file].iter().map(String::as_str));
        }
    }
    seen
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_test = name == "tests" || name == "tests.rs" || name.ends_with("_tests.rs");
        if path.is_dir() && !is_test {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !is_test {
            files.push(path);
        }
    }
}

/// The file in which the item with this absolute path is defined; `None` for other crates.
fn resolve(modules: &BTreeMap<&[String], &Source>, path: &[String], depth: usize) -> Option<String> {
    // A re-export may name another re-export; a circle of those does not compile.
    if depth > 8 || path.first()? != "crate" {
        return None;
    }
    let mut at: Vec<String> = Vec::new();
    for (index, name) in path.iter().enumerate().skip(1) {
        let inner = [&at[..], std::slice::from_ref(name)].concat();
        if modules.contains_key(&inner[..]) {
            at = inner;
            continue;
        }
        let source = modules.get(&at[..])?;
        if !source.items.contains(name)
            && let Some(import) = source.imports.iter().find(|import| import.alias == *name)
        {
            let whole = [&source.absolute(&import.path)[..], &path[index + 1..]].concat();
            return resolve(modules, &whole, depth + 1);
        }
        return Some(source.name.clone());
    }
    modules.get(&at[..]).map(|source| source.name.clone())
}

fn is_module(modules: &BTreeMap<&[String], &Source>, parent: &[String], name: &str) -> bool {
    modules.contains_key(&[parent, &[name.to_owned()]].concat()[..])
}

impl Source {
    fn read(root: &Path, file: &Path) -> Source {
        let name = file.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        let mut module: Vec<String> = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
            module.pop();
        }
        let syntax = syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap();
        let mut source = Source { name, module, imports: Vec::new(), paths: Vec::new(), items: BTreeSet::new() };
        source.items.extend(syntax.items.iter().filter_map(item_name));
        Reader { source: &mut source, within: Vec::new() }.visit_file(&syntax);
        source
    }

    /// The path from the crate's root.
    fn absolute(&self, path: &[String]) -> Vec<String> {
        let root = || vec!["crate".to_owned()];
        match path[0].as_str() {
            "crate" | "logator" => [root(), path[1..].to_vec()].concat(),
            "self" => [root(), self.module.clone(), path[1..].to_vec()].concat(),
            "super" => {
                let ups = path.iter().take_while(|name| *name == "super").count();
                let parent = self.module[..self.module.len().saturating_sub(ups)].to_vec();
                [root(), parent, path[ups..].to_vec()].concat()
            }
            // A child module, or an item of this file; other crates are found nowhere.
            name if self.items.contains(name) => [root(), self.module.clone(), path.to_vec()].concat(),
            _ => path.to_vec(),
        }
    }
}

fn item_name(item: &syn::Item) -> Option<String> {
    let name = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Mod(item) => &item.ident,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        syn::Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

struct Reader<'a> {
    source: &'a mut Source,
    /// The inline modules around the place that is visited.
    within: Vec<String>,
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        syn::Meta::NameValue(_) => false,
    })
}

fn leaves(tree: &syn::UseTree, before: &[String], found: &mut Vec<(String, Vec<String>)>) {
    let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
    match tree {
        syn::UseTree::Path(path) => leaves(&path.tree, &with(&path.ident), found),
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| leaves(item, before, found)),
        syn::UseTree::Name(name) if name.ident == "self" => {
            found.push((before.last().cloned().unwrap_or_default(), before.to_vec()));
        }
        syn::UseTree::Name(name) => found.push((name.ident.to_string(), with(&name.ident))),
        syn::UseTree::Rename(name) => found.push((name.rename.to_string(), with(&name.ident))),
        syn::UseTree::Glob(_) => found.push((String::from("*"), before.to_vec())),
    }
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_item(&mut self, item: &'a syn::Item) {
        let attributes = match item {
            syn::Item::Const(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        if !is_test(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_mod(&mut self, module: &'a syn::ItemMod) {
        self.within.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.within.pop();
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        let mut found = Vec::new();
        leaves(&item.tree, &[], &mut found);
        let is_reexport = !matches!(item.vis, syn::Visibility::Inherited);
        for (alias, mut path) in found {
            // What an inline module calls `super` is this file.
            for _ in &self.within {
                if path[0] == "super" {
                    path.remove(0);
                    path.insert(0, "self".to_owned());
                }
            }
            self.source.imports.push(Import { alias, path, is_reexport });
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.source.paths.push(names);
        visit::visit_path(self, path);
    }

    // The arguments of macros are no syntax tree, but paths in them can be told by their colons.
    fn visit_macro(&mut self, call: &'a syn::Macro) {
        visit::visit_macro(self, call);
        let text = call.tokens.to_string().replace(" :: ", "::").replace(":: ", "::");
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        for word in text.split(|c| !is_part(c)).filter(|word| !word.is_empty()) {
            let names: Vec<String> = word.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
            if !names.is_empty() && names.iter().all(|name| !name.contains(':')) {
                self.source.paths.push(names);
            }
        }
    }
}
