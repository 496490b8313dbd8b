//! The stock: its golden lines in `tests/grok/*.toml`, and those of `formats.toml`.

use std::path::Path;

use toml::{Table, Value};

use super::{Library, Pattern};
use crate::grok::fault::Written;
use crate::grok::format::is_json_object;
use crate::grok::parse::parse;
use crate::grok::{FieldType, Rule};

/// The document of a match as a TOML table: numbers where the field is one, arrays for repeated names, levels nested.
fn document(pattern: &Pattern, line: &str) -> Option<Table> {
    let mut matcher = pattern.matcher();
    let captures = matcher.captures(line.as_bytes()).unwrap_or_else(|stopped| panic!("{stopped}"))?;
    let mut document = Table::new();
    for field in pattern.fields() {
        let texts = field.slots.iter().filter_map(|&slot| captures.span(slot).text(line.as_bytes()));
        let mut values: Vec<Value> = texts
            .map(|text| String::from_utf8_lossy(text))
            .map(|text| match field.kind {
                FieldType::Int => Value::Integer(text.parse().expect("an integer field holds an integer")),
                FieldType::Float => Value::Float(text.parse().expect("a float field holds a number")),
                _ => Value::String(text.into_owned()),
            })
            .collect();
        let value = match values.len() {
            0 => continue,
            1 => values.remove(0),
            _ => Value::Array(values),
        };
        let (leaf, levels) = field.path.split_last().expect("a field has a name");
        let table = levels.iter().fold(&mut document, |table, level| {
            let inner = table.entry(level).or_insert_with(|| Value::Table(Table::new()));
            inner.as_table_mut().expect("a level is no leaf")
        });
        table.insert(leaf.clone(), value);
    }
    Some(document)
}

#[test]
fn every_stock_definition_compiles() {
    let library = Library::stock();
    let names: Vec<&str> = library.names().collect();
    assert!(names.len() > 90, "only {} definitions", names.len());
    for name in names {
        if let Err(error) = library.compile(&format!("%{{{name}}}")) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn every_stock_definition_can_do_with_bytes() {
    let library = Library::stock();
    for name in library.names() {
        let written = Written::new("test", format!("%{{{name}}}"));
        let parsed = parse(&written, library.definitions()).unwrap_or_else(|error| panic!("{error}"));
        assert!(!parsed.beyond_ascii, "{name} would take invalid lines for text");
    }
}

#[test]
fn golden_lines_of_the_definitions_give_their_documents() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/grok");
    let library = Library::stock();
    let mut ran = 0;
    for entry in std::fs::read_dir(directory).expect("tests/grok is there") {
        let path = entry.expect("tests/grok can be listed").path();
        let text = std::fs::read_to_string(&path).expect("golden lines can be read");
        let file: Table = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in file["case"].as_array().expect("cases are an array") {
            let get = |key: &str| case.get(key).and_then(Value::as_str);
            let (text, line) = (get("pattern").expect("a case has a pattern"), get("line").expect("a case has a line"));
            let pattern = library.compile(text).unwrap_or_else(|error| panic!("{error}"));
            let expected = case.get("expect").map(|table| table.as_table().expect("expect is a table"));
            assert_eq!(document(&pattern, line).as_ref(), expected, "{}: {text} on {line}", path.display());
            ran += 1;
        }
    }
    println!("{ran} golden lines of definitions");
    assert!(ran >= 60, "only {ran} golden lines ran");
}

#[test]
fn golden_lines_of_the_formats_give_their_documents() {
    let library = Library::stock();
    let mut ran = 0;
    for spec in library.specs() {
        let format = library.build(spec).unwrap_or_else(|error| panic!("{error}"));
        assert!(spec.golden.len() >= 3, "{} has too few golden lines", spec.name);
        assert!(!spec.no_match.is_empty(), "{} has no line that must not match", spec.name);
        for golden in &spec.golden {
            match &format.rule {
                Rule::JsonObject => assert!(is_json_object(golden.line.as_bytes()), "{}", golden.line),
                Rule::Pattern(pattern) => {
                    let found = document(pattern, &golden.line);
                    assert_eq!(found.as_ref(), Some(&golden.expect), "{} on {}", spec.name, golden.line);
                }
            }
            ran += 1;
        }
        for line in &spec.no_match {
            let matches = match &format.rule {
                Rule::JsonObject => is_json_object(line.as_bytes()),
                Rule::Pattern(pattern) => document(pattern, line).is_some(),
            };
            assert!(!matches, "{} must not match {line}", spec.name);
            ran += 1;
        }
    }
    println!("{ran} golden lines of formats");
    assert!(ran >= 35, "only {ran} golden lines ran");
}
