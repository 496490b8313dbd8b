//! Tests the built-in definitions on the golden lines in `tests/grok/*.toml`, and the formats on the golden lines in
//! `formats.toml`.
//!
//! A case has a pattern, a line and the expected document. Without an expected document, the line must not match. `ecs
//! = true` uses the built-in ECS definitions. `differs` says why the well-known definition of the same name gives a
//! different document; `agreement.rs` checks that it does.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::golden_lines::{expected, golden_cases};
use super::{Library, Pattern};
use crate::event::CaptureEncoder;
use crate::grok::builtin;
use crate::grok::fault::Written;
use crate::grok::format::is_json_object;
use crate::grok::parse::parse;
use crate::grok::pattern_file::is_name_char;
use crate::grok::{FieldType, Rule};

/// Returns the document of what `pattern` captures from `line`.
pub(super) fn document(pattern: &Pattern, line: &str) -> Option<Value> {
    let mut matcher = pattern.matcher();
    let captures = matcher.captures(line.as_bytes()).unwrap_or_else(|stopped| panic!("{stopped}"))?;
    let spans: Vec<_> = (0..pattern.slots()).map(|slot| captures.span(slot)).collect();
    let mut encoder = CaptureEncoder::new(pattern.fields()).unwrap_or_else(|error| panic!("{error}"));
    let mut json = Vec::new();
    encoder.encode(line.as_bytes(), &spans, 0, &mut json);
    Some(serde_json::from_slice(&json).expect("it is JSON"))
}

/// Returns the names of the definitions that `pattern` uses.
pub(super) fn references(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split("%{").skip(1).map(|rest| &rest[..rest.find(|c| !is_name_char(c)).unwrap_or(rest.len())])
}

/// Returns the names that `files` define.
fn defined(files: &[(&str, &str)]) -> BTreeSet<String> {
    let definitions = files.iter().flat_map(|(name, content)| {
        crate::grok::pattern_file::parse(name, content.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
    });
    definitions.map(|definition| definition.name().to_owned()).collect()
}

/// Fields with several captures, where only the first one becomes a number. Logstash's own definitions do the same.
const ALIKE: [&str; 13] = [
    "BACULA_LOG client.port",
    "BACULA_LOGLINE client.port",
    "BACULA_LOG_TEXT client.port",
    "IPTABLES iptables.length",
    "IPTABLES iptables.ttl",
    "NAGIOSLOGLINE nagios.log.attempt",
    "RAILS3 rails.request.duration.active_record",
    "RAILS3FOOT rails.request.duration.active_record",
    "RAILS3PROFILE rails.request.duration.active_record",
    "SFW2 iptables.length",
    "SFW2 iptables.ttl",
    "SHOREWALL iptables.length",
    "SHOREWALL iptables.ttl",
];

#[test]
fn every_built_in_definition_compiles_and_its_numbers_are_numbers_in_every_place() {
    let mut alike = BTreeSet::new();
    for library in [Library::builtin(), Library::builtin_ecs()] {
        let names: Vec<&str> = library.names().collect();
        assert!(names.len() > 90, "only {} definitions", names.len());
        for name in names {
            let pattern = library.compile(&format!("%{{{name}}}")).unwrap_or_else(|error| panic!("{name}: {error}"));
            for field in pattern.fields() {
                if field.slots.iter().any(|slot| slot.again && slot.kind != FieldType::Text) {
                    alike.insert(format!("{name} {}", field.path.join(".")));
                }
            }
        }
    }
    assert_eq!(alike, ALIKE.map(str::to_owned).into(), "numbers that are written alike: the second stays a text");
}

#[test]
fn every_built_in_definition_can_do_with_bytes() {
    for library in [Library::builtin(), Library::builtin_ecs()] {
        for name in library.names() {
            let written = Written::new("test", format!("%{{{name}}}"));
            let parsed = parse(&written, library.definitions()).unwrap_or_else(|error| panic!("{error}"));
            assert!(!parsed.beyond_ascii, "{name} would take invalid lines for text");
        }
    }
}

#[test]
fn every_definition_has_golden_lines_and_they_give_their_documents() {
    let libraries = [Library::builtin(), Library::builtin_ecs()];
    let mut untried = [defined(builtin::PLAIN), defined(builtin::ECS)];
    let (mut faults, mut compiled) = (Vec::new(), HashMap::new());
    let cases = golden_cases();
    let ran = cases.len();
    for (file, case) in cases {
        let (set, text, line) = (usize::from(case.ecs), &case.pattern, &case.line);
        for name in references(text) {
            untried[set].remove(name);
        }
        // Compiling a pattern takes longer than matching its lines.
        let pattern = compiled.entry((set, text.clone())).or_insert_with(|| libraries[set].compile(text));
        let found = match pattern {
            Ok(pattern) => document(pattern, line),
            Err(error) => {
                faults.push(format!("{file}: {text}: {error}"));
                continue;
            }
        };
        let wanted = case.expected();
        if found != wanted {
            let [wanted, found] = [wanted, found].map(|value| value.map_or("no match".into(), |v| v.to_string()));
            faults.push(format!("{file}: {text} on {line}\n  wanted {wanted}\n  found  {found}"));
        }
    }
    println!("{ran} golden lines of definitions");
    assert!(faults.is_empty(), "{} of {ran} golden lines fail:\n{}", faults.len(), faults.join("\n"));
    assert!(ran >= 60, "only {ran} golden lines ran");
    let [plain, ecs] = untried;
    assert!(plain.is_empty(), "{} definitions have no golden line: {plain:?}", plain.len());
    assert!(ecs.is_empty(), "{} ECS definitions have no golden line with ecs = true: {ecs:?}", ecs.len());
}

#[test]
fn golden_lines_of_the_formats_give_their_documents() {
    let libraries = [Library::builtin(), Library::builtin_ecs()];
    let specs = libraries.iter().flat_map(|library| library.specs().iter().map(move |spec| (library, spec)));
    let mut ran = 0;
    for (library, spec) in specs {
        let format = library.build(spec).unwrap_or_else(|error| panic!("{error}"));
        assert!(spec.golden.len() >= 3, "{} has too few golden lines", spec.name);
        assert!(!spec.no_match.is_empty(), "{} has no line that must not match", spec.name);
        for golden in &spec.golden {
            match &format.rule {
                Rule::JsonObject => assert!(is_json_object(golden.line.as_bytes()), "{}", golden.line),
                Rule::Pattern(pattern) => {
                    let found = document(pattern, &golden.line);
                    assert_eq!(found, Some(expected(&golden.expect)), "{} on {}", spec.name, golden.line);
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
