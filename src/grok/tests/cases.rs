//! Runs cases from elsewhere: compares what Logstash captures with what the built-in definitions capture.
//!
//! | variable | meaning |
//! |---|---|
//! | `LOGATOR_GROK_CASES` | a file of JSON lines: `id`, `pattern`, `ecs` (`legacy` or `ecs-v1`), `input`, `expected` |
//! | `LOGATOR_GROK_PATTERNS` | a folder with the folders `legacy` and `ecs-v1` of pattern files, used instead of the built-in definitions |
//!
//! A line that must not match has `_grokparsefailure` in `expected`. Without the first variable, the same comparison
//! runs on the golden lines of the built-in definitions, so that its code is always tested.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::Library;
use super::golden::document;
use super::golden_lines::golden_cases;

#[derive(Deserialize)]
struct Case {
    id: String,
    pattern: String,
    ecs: String,
    input: String,
    expected: Value,
}

fn cases() -> Vec<Case> {
    let Some(path) = std::env::var_os("LOGATOR_GROK_CASES").map(PathBuf::from) else {
        let own = golden_cases().into_iter().map(|(file, case)| Case {
            id: file,
            ecs: if case.ecs { "ecs-v1" } else { "legacy" }.to_owned(),
            expected: case.expected().unwrap_or_else(|| serde_json::json!({"_grokparsefailure": true})),
            pattern: case.pattern,
            input: case.line,
        });
        return own.collect();
    };
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// Returns the plain library and the ECS library.
fn libraries() -> [Library; 2] {
    let Some(folder) = std::env::var_os("LOGATOR_GROK_PATTERNS").map(PathBuf::from) else {
        return [Library::builtin(), Library::builtin_ecs()];
    };
    ["legacy", "ecs-v1"].map(|name| {
        let mut library = Library::empty();
        library.add_dir(&folder.join(name)).unwrap_or_else(|error| panic!("{error}"));
        library
    })
}

#[test]
fn what_logstash_captures_is_captured() {
    let [plain, ecs] = libraries();
    let cases = cases();
    let (mut faults, mut compiled) = (Vec::new(), HashMap::new());
    for case in &cases {
        let library = if case.ecs == "legacy" { &plain } else { &ecs };
        // Compiling a pattern takes longer than matching its lines.
        let pattern = compiled.entry((&case.ecs, &case.pattern)).or_insert_with(|| library.compile(&case.pattern));
        let found = pattern.as_ref().map(|pattern| document(pattern, &case.input));
        let wanted = case.expected.get("_grokparsefailure").is_none().then_some(&case.expected);
        let shown = match &found {
            Ok(found) if found.as_ref() == wanted => continue,
            Ok(Some(found)) => found.to_string(),
            Ok(None) => "no match".to_owned(),
            Err(error) => error.to_string(),
        };
        let wanted = wanted.map_or("no match".to_owned(), Value::to_string);
        let Case { id, pattern, ecs, input, .. } = case;
        faults.push(format!("{id} {ecs} {pattern}\n  on     {input}\n  wanted {wanted}\n  found  {shown}"));
    }
    println!("{} of {} cases agree", cases.len() - faults.len(), cases.len());
    assert!(!cases.is_empty(), "there is no case");
    assert!(faults.is_empty(), "{} of {} cases disagree:\n{}", faults.len(), cases.len(), faults.join("\n"));
}
