//! Checks that the structure of the code is as `ARCHITECTURE.md` describes it.

mod effects;
mod imports;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The import cycles between files that are accepted, each with its reason.
const ACCEPTED_CYCLES: [(&str, &[&str]); 2] = [
    (
        "the linear engine: groups and traces run the machine that runs them, and tokens are compiled by the compiler that uses them",
        &[
            "grok/linear/compile/choices.rs",
            "grok/linear/compile/mod.rs",
            "grok/linear/doubt.rs",
            "grok/linear/fuse.rs",
            "grok/linear/groups.rs",
            "grok/linear/machine.rs",
            "grok/linear/memory.rs",
            "grok/linear/mod.rs",
            "grok/linear/op.rs",
            "grok/linear/outcomes.rs",
            "grok/linear/scout.rs",
            "grok/linear/shape.rs",
            "grok/linear/simplify.rs",
            "grok/linear/start.rs",
            "grok/linear/token/build.rs",
            "grok/linear/token/explore.rs",
            "grok/linear/token/lazy.rs",
            "grok/linear/token/minimize.rs",
            "grok/linear/token/mod.rs",
            "grok/linear/token/symbols.rs",
            "grok/linear/trace/mod.rs",
            "grok/linear/trace/place.rs",
            "grok/linear/trace/record.rs",
            "grok/linear/undo.rs",
        ],
    ),
    (
        "the parser of grok is a recursive descent: groups hold calls, and calls hold groups",
        &["grok/parse/call.rs", "grok/parse/marks.rs", "grok/parse/mod.rs"],
    ),
];

fn architecture() -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = fs::read_to_string(&path).unwrap();
    (path, text)
}

/// All files below `folder` whose names end with `ending`, with their texts.
fn texts(folder: &str, ending: &'static str) -> impl Iterator<Item = (String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pattern = root.join(folder).join("**").join(format!("*{ending}"));
    glob::glob(&pattern.to_string_lossy()).unwrap().map(move |path| {
        let path = path.unwrap();
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).unwrap())
    })
}

fn code_and_tests() -> impl Iterator<Item = (String, String)> {
    ["src", "tests", "benches", "libcurl/src", "zmq-sys/src", "fuzz/fuzz_targets"]
        .into_iter()
        .flat_map(|folder| texts(folder, ".rs"))
}

fn documents() -> impl Iterator<Item = (String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let top = ["README.md", "ARCHITECTURE.md"];
    let top = top.map(|name| (name.to_owned(), fs::read_to_string(root.join(name)).unwrap()));
    top.into_iter().chain(texts("doc", ".md")).chain(texts("contrib", ".md"))
}

/// Returns the text between the lines `begin` and `end` of `text`.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("{begin}\n")).unwrap_or_else(|| panic!("no line {begin}"));
    rest.split_once(end).unwrap_or_else(|| panic!("no line {end} after {begin}")).0
}

#[test]
fn files_import_each_other_in_circles_only_where_that_is_accepted() {
    let graph = imports::graph(source::all());
    let found = imports::cycles(&graph);
    let accepted: BTreeSet<Vec<&str>> = ACCEPTED_CYCLES.iter().map(|(_, files)| files.to_vec()).collect();
    let new: Vec<_> = found.difference(&accepted).collect();
    assert!(new.is_empty(), "new import cycles: {new:#?}");
    let gone: Vec<_> = accepted.difference(&found).collect();
    assert!(gone.is_empty(), "take these out of the list, they are no cycles any more: {gone:#?}");
    assert!(accepted.len() <= 3, "three cycles at most");
}

/// The block of layers in `ARCHITECTURE.md` lists the top modules. A module imports only from modules on lines below
/// its own line.
#[test]
fn imports_go_down_the_layers_only() {
    let (_, text) = architecture();
    let layers: Vec<&str> = between(&text, "```layers", "```").lines().collect();
    let top = |file: &str| file.split(['/', '.']).next().unwrap().to_owned();
    let layer = |file: &str| layers.iter().position(|line| line.split_whitespace().any(|name| name == top(file)));
    let mut wrong = Vec::new();
    for (file, targets) in imports::graph(source::all()) {
        if file == "lib.rs" {
            continue;
        }
        let from = layer(&file).unwrap_or_else(|| panic!("{file} is in no layer"));
        let up = |target: &&String| top(target) != top(&file) && layer(target).is_some_and(|to| to <= from);
        wrong.extend(targets.iter().filter(up).map(|target| format!("{file} -> {target}")));
    }
    assert!(wrong.is_empty(), "imports against the layers:\n{}", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long_to_be_read_at_once() {
    const MOST_LINES: usize = 450;
    let long: Vec<String> = code_and_tests()
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|(_, lines)| *lines >= MOST_LINES)
        .map(|(name, lines)| format!("{name}: {lines}"))
        .collect();
    assert!(long.is_empty(), "{MOST_LINES} lines or more: {long:#?}");
}

/// Names that had a private meaning once, and the standard terms that replaced them.
const RETIRED: [(&str, &str); 17] = [
    ("sieve", "replay filter"),
    ("piece", "extent"),
    ("strand", "lineage"),
    ("book", "file table"),
    ("door", "auth"),
    ("gate", "auth"),
    ("suspect", "poison candidate"),
    ("condemned", "poison"),
    ("around", "outer fields"),
    ("form", "document writer"),
    ("link", "socket"),
    ("intake", "batch receiver"),
    ("feed", "lease client"),
    ("crew", "worker pool"),
    ("jobs", "app"),
    ("stock", "built-in"),
    ("sum", "checksum"),
];

/// Some retired names are also ordinary words. So this test checks the names of modules and types, and not sentences.
#[test]
fn no_module_or_type_has_a_retired_name() {
    let mut found = Vec::new();
    for source in source::all() {
        let names = source.module.iter().chain(&source.items).map(|name| name.to_lowercase());
        for name in names {
            let retired = RETIRED.iter().find(|(old, _)| name == *old || name == format!("{old}s"));
            found.extend(retired.map(|(old, new)| format!("{}: {old} is now called {new}", source.name)));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Some retired words have no other meaning here. So this test checks code, comments and documents.
#[test]
fn no_sentence_has_a_retired_word() {
    let words = ["sieve", "strands", "condemn", "suspects", "intake", "storegate", "localfeed"];
    let is_here = |name: &str| name.ends_with("structure.rs") || name.starts_with("CHANGELOG");
    let texts = code_and_tests().chain(documents()).filter(|(name, _)| !is_here(name));
    let found: Vec<String> = texts
        .flat_map(|(name, text)| {
            let text = text.to_lowercase();
            words.iter().filter(|word| text.contains(**word)).map(|word| format!("{name}: {word}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

/// With `LOGATOR_WRITE=1`, this test writes the table into `ARCHITECTURE.md`.
#[test]
fn the_table_of_effects_is_that_of_the_code() {
    let (path, text) = architecture();
    let begin = "| module | what it owns | effects |\n|---|---|---|";
    let written = between(&text, begin, "\n\n");
    let found = effects::rows(source::all()).join("\n");
    if written == found {
        return;
    }
    if std::env::var_os("LOGATOR_WRITE").is_some() {
        fs::write(path, text.replacen(&format!("{begin}\n{written}"), &format!("{begin}\n{found}"), 1)).unwrap();
        return;
    }
    let (written, found): (BTreeSet<&str>, BTreeSet<&str>) = (written.lines().collect(), found.lines().collect());
    panic!(
        "LOGATOR_WRITE=1 writes the table anew.\nin the file: {:#?}\nin the code: {:#?}",
        written.difference(&found).collect::<Vec<_>>(),
        found.difference(&written).collect::<Vec<_>>()
    );
}
