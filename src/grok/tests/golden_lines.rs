//! Golden lines of the definitions (`tests/grok/*.toml`) and the well-known definitions, for the tests of this folder and for
//! the comparisons in `tests/engines`.
//!
//! A case has a pattern, a line and the expected document. Without an expected document, the line must not match.
//! `ecs = true` uses the ECS definitions. `differs` says why the well-known definition of the same name gives a different
//! document; `agreement.rs` checks that it does.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::Library;

/// Returns the folder of the program, also for a package in a folder inside it.
pub(super) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().find(|folder| folder.join("tests/grok").is_dir()).expect("tests/grok is there")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) pattern: String,
    #[serde(default)]
    pub(super) ecs: bool,
    pub(super) line: String,
    expect: Option<toml::Table>,
    pub(super) differs: Option<String>,
}

impl Case {
    /// Returns the expected document; `None` if the line must not match.
    pub(super) fn expected(&self) -> Option<Value> {
        self.expect.as_ref().map(expected)
    }
}

/// Returns all cases, each with the name of its file.
pub(super) fn golden_cases() -> Vec<(String, Case)> {
    let entries = std::fs::read_dir(root().join("tests/grok")).expect("tests/grok is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("golden lines can be read");
        let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!file.case.is_empty(), "{name} has no case");
        cases.extend(file.case.into_iter().map(|case| (name.clone(), case)));
    }
    cases
}

/// Returns all cases, grouped by pattern, because compiling a pattern takes longer than matching its lines.
pub(super) fn by_pattern() -> Vec<Vec<(String, Case)>> {
    let mut groups: HashMap<(bool, String), Vec<(String, Case)>> = HashMap::new();
    for (file, case) in golden_cases() {
        groups.entry((case.ecs, case.pattern.clone())).or_default().push((file, case));
    }
    groups.into_values().collect()
}

/// Returns a table of a TOML file as a JSON document. Its numbers are parsed as those of our documents.
pub(super) fn expected(table: &toml::Table) -> Value {
    let json = serde_json::to_string(table).expect("a table of texts and numbers");
    serde_json::from_str(&json).expect("it is JSON")
}

/// Returns the well-known definitions as they are published: the plain ones and the ECS ones.
pub(super) fn well_known() -> [(&'static str, Library); 2] {
    const VARIABLE: &str = "LOGATOR_TEST_PATTERNS";
    let folder = std::env::var_os(VARIABLE).map(PathBuf::from).unwrap_or_else(|| {
        panic!("this test needs the well-known definitions: run ./test, or set {VARIABLE} to their folder")
    });
    ["legacy", "ecs-v1"].map(|name| {
        let mut library = Library::empty();
        library.add_dir(&folder.join(name)).unwrap_or_else(|error| panic!("{error}"));
        (name, library)
    })
}
