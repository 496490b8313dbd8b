//! The structure of the code is what `ARCHITECTURE.md` says.

mod effects;
mod imports;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The import cycles between files that are accepted, each with its reason.
const ACCEPTED_CYCLES: [(&str, &[&str]); 0] = [];

fn architecture() -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = fs::read_to_string(&path).unwrap();
    (path, text)
}

/// What stands between the lines `begin` and `end` of `text`.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("{begin}\n")).unwrap_or_else(|| panic!("no line {begin}"));
    rest.split_once(end).unwrap_or_else(|| panic!("no line {end} after {begin}")).0
}

#[test]
fn files_import_each_other_in_circles_only_where_that_is_accepted() {
    let graph = imports::graph(&source::all());
    let found = imports::cycles(&graph);
    let accepted: BTreeSet<Vec<&str>> = ACCEPTED_CYCLES.iter().map(|(_, files)| files.to_vec()).collect();
    let new: Vec<_> = found.difference(&accepted).collect();
    assert!(new.is_empty(), "new import cycles: {new:#?}");
    let gone: Vec<_> = accepted.difference(&found).collect();
    assert!(gone.is_empty(), "take these out of the list, they are no cycles any more: {gone:#?}");
    assert!(accepted.len() <= 3, "three cycles at most");
}

/// The block of layers in `ARCHITECTURE.md` lists the top modules. A module imports from the lines below its own only.
#[test]
fn imports_go_down_the_layers_only() {
    let (_, text) = architecture();
    let layers: Vec<&str> = between(&text, "```layers", "```").lines().collect();
    let layer = |file: &str| {
        let top = file.split(['/', '.']).next().unwrap();
        layers.iter().position(|line| line.split_whitespace().any(|name| name == top))
    };
    let mut wrong = Vec::new();
    for (file, targets) in imports::graph(&source::all()) {
        if file == "lib.rs" {
            continue;
        }
        let from = layer(&file).unwrap_or_else(|| panic!("{file} is in no layer"));
        let top = |file: &str| file.split(['/', '.']).next().unwrap().to_owned();
        let up = |target: &&String| top(target) != top(&file) && layer(target).is_some_and(|to| to <= from);
        wrong.extend(targets.iter().filter(up).map(|target| format!("{file} -> {target}")));
    }
    assert!(wrong.is_empty(), "imports against the layers:\n{}", wrong.join("\n"));
}

/// `LOGATOR_WRITE=1` writes the table anew.
#[test]
fn the_table_of_effects_is_that_of_the_code() {
    let (path, text) = architecture();
    let begin = "| module | what it owns | effects |\n|---|---|---|";
    let written = between(&text, begin, "\n\n");
    let found = effects::rows(&source::all()).join("\n");
    if written == found {
        return;
    }
    if std::env::var_os("LOGATOR_WRITE").is_some() {
        fs::write(path, text.replacen(written, &found, 1)).unwrap();
        return;
    }
    let (written, found): (BTreeSet<&str>, BTreeSet<&str>) = (written.lines().collect(), found.lines().collect());
    panic!(
        "LOGATOR_WRITE=1 writes the table anew.\nin the file: {:#?}\nin the code: {:#?}",
        written.difference(&found).collect::<Vec<_>>(),
        found.difference(&written).collect::<Vec<_>>()
    );
}
