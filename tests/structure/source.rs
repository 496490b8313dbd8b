//! The files of `src` as syntax trees: which names each file imports, uses and defines.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use syn::visit::{self, Visit};

/// One source file that is no test.
pub struct Source {
    /// The file's name relative to `src`.
    pub name: String,
    /// The module that the file is, as names from the crate's root.
    pub module: Vec<String>,
    /// The lines of the module's documentation.
    pub documentation: Vec<String>,
    /// The names that `use` declarations bring in.
    pub imports: Vec<Import>,
    /// The paths in the code outside of `use` declarations, as they are written.
    pub paths: Vec<Vec<String>>,
    /// The names of methods that are called.
    pub methods: BTreeSet<String>,
    /// The names of the items that the file defines.
    pub items: BTreeSet<String>,
}

/// A name that a `use` declaration brings in.
pub struct Import {
    /// The name in this file; `*` for all names of a module.
    pub alias: String,
    /// The path as it is written.
    pub path: Vec<String>,
    /// Whether the file re-exports the name.
    pub is_reexport: bool,
}

/// Reads all files of `src` that are no tests.
pub fn all() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        collect(&root, &mut files);
        files.sort();
        files.iter().map(|file| Source::read(&root, file)).collect()
    });
    &SOURCES
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

impl Source {
    fn read(root: &Path, file: &Path) -> Source {
        let name = file.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        let mut module: Vec<String> = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
            module.pop();
        }
        let text = fs::read_to_string(file).unwrap();
        let syntax = syn::parse_file(&text).unwrap();
        let documentation =
            text.lines().map_while(|line| line.strip_prefix("//!")).map(|line| line.trim().to_owned()).collect();
        let mut source = Source {
            name,
            module,
            documentation,
            imports: Vec::new(),
            paths: Vec::new(),
            methods: BTreeSet::new(),
            items: syntax.items.iter().filter_map(item_name).collect(),
        };
        Reader { source: &mut source, within: Vec::new() }.visit_file(&syntax);
        source
    }

    /// The whole path that `path` means in this file. Paths of this crate begin with `crate`.
    pub fn absolute(&self, path: &[String]) -> Vec<String> {
        let below = |parent: &[String], rest: &[String]| [&["crate".to_owned()], parent, rest].concat();
        match path[0].as_str() {
            "crate" | "logator" => below(&[], &path[1..]),
            "self" => below(&self.module, &path[1..]),
            "super" => {
                let ups = path.iter().take_while(|name| *name == "super").count();
                below(&self.module[..self.module.len().saturating_sub(ups)], &path[ups..])
            }
            name if self.items.contains(name) => below(&self.module, path),
            _ => path.to_vec(),
        }
    }

    /// The import with the alias `name`.
    pub fn import(&self, name: &str) -> Option<&Import> {
        self.imports.iter().find(|import| import.alias == name)
    }

    /// All names that the file uses, as whole paths: its imports, and the paths in its code.
    pub fn uses(&self) -> BTreeSet<Vec<String>> {
        let used: BTreeSet<&str> = self.paths.iter().map(|path| path[0].as_str()).collect();
        let is_used = |import: &&Import| !import.is_reexport || used.contains(import.alias.as_str());
        let imported = self.imports.iter().filter(is_used).map(|import| self.absolute(&import.path));
        let written = self.paths.iter().filter(|path| path.len() > 1).map(|path| match self.import(&path[0]) {
            Some(import) => self.absolute(&[&import.path[..], &path[1..]].concat()),
            None => self.absolute(path),
        });
        imported.chain(written).collect()
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
    /// The inline modules around the item that is visited.
    within: Vec<String>,
}

fn is_for_tests(condition: &str) -> bool {
    matches!(&*condition.replace(' ', ""), "test" | "engines" | "all(test,not(engines))")
}

/// Whether the attributes say that the item is compiled for tests alone: `#[test]`, `#[cfg(test)]`, or `#[cfg(engines)]`,
/// which only the program of comparisons sets.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) => list.path.is_ident("cfg") && is_for_tests(&list.tokens.to_string()),
        syn::Meta::NameValue(_) => false,
    })
}

/// Adds the alias and the path of each name in a `use` tree to `found`.
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
            // In an inline module, `super` is this file.
            if path[0] == "super" && !self.within.is_empty() {
                path[0] = "self".to_owned();
            }
            self.source.imports.push(Import { alias, path, is_reexport });
        }
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        self.source.methods.insert(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        self.source.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    // The arguments of a macro are tokens and no syntax tree. Paths among them are recognised by their colons.
    fn visit_macro(&mut self, call: &'a syn::Macro) {
        visit::visit_macro(self, call);
        let text = call.tokens.to_string().replace(" :: ", "::");
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        for word in text.split(|c| !is_part(c)) {
            let names: Vec<String> = word.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
            if !names.is_empty() && names.iter().all(|name| !name.contains(':')) {
                self.source.paths.push(names);
            }
        }
    }
}
