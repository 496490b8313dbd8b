//! The import graph of `src`: which file takes names from which.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// For each file, by its name relative to `src`: the files from which it imports.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

type Modules<'a> = BTreeMap<&'a [String], &'a Source>;

/// The imports of all `sources`. A name that a module re-exports counts as an import from the file that defines it.
pub fn graph(sources: &[Source]) -> Graph {
    let is_library = |source: &&Source| !source.name.starts_with("bin/");
    let modules: Modules = sources.iter().filter(is_library).map(|source| (&source.module[..], source)).collect();
    let targets = |source: &Source| -> BTreeSet<String> {
        let found = source.uses().into_iter().filter_map(|path| file_of(&modules, &path, 0));
        found.filter(|file| *file != source.name).collect()
    };
    sources.iter().map(|source| (source.name.clone(), targets(source))).collect()
}

/// The groups of files that import each other in a circle: the strongly connected components with more than one file.
pub fn cycles(graph: &Graph) -> BTreeSet<Vec<&str>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> = graph.keys().map(|file| (&file[..], reachable(graph, file))).collect();
    let mut found = BTreeSet::new();
    for (file, targets) in &reach {
        let circle: Vec<&str> = targets.iter().copied().filter(|target| reach[target].contains(file)).collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found
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

/// The file that defines the item with this full path; `None` for items of other crates.
fn file_of(modules: &Modules, path: &[String], depth: usize) -> Option<String> {
    const DEEPEST_REEXPORT: usize = 8;
    if depth > DEEPEST_REEXPORT || path.first()? != "crate" {
        return None;
    }
    let mut module: Vec<String> = Vec::new();
    for (index, name) in path.iter().enumerate().skip(1) {
        let inner = [&module[..], std::slice::from_ref(name)].concat();
        if modules.contains_key(&inner[..]) {
            module = inner;
            continue;
        }
        let source = modules.get(&module[..])?;
        return match source.import(name).filter(|_| !source.items.contains(name)) {
            Some(import) => {
                let whole = [&source.absolute(&import.path)[..], &path[index + 1..]].concat();
                file_of(modules, &whole, depth + 1)
            }
            None => Some(source.name.clone()),
        };
    }
    modules.get(&module[..]).map(|source| source.name.clone())
}
