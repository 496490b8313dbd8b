//! Tests formats: by name, from a directory, and by detection.

use std::fs;

use super::{Library, captures};
use crate::grok::{DateRule, Field, FieldType, Rule};

/// Returns a library with a directory of these files added.
fn with_dir(files: &[(&str, &str)]) -> Result<Library, String> {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    for (name, content) in files {
        fs::write(dir.path().join(name), content).expect("a file can be written");
    }
    let mut library = Library::builtin();
    let shown = format!("{}/", dir.path().display());
    library.add_dir(dir.path()).map(|()| library).map_err(|error| error.to_string().replace(&shown, ""))
}

#[test]
fn the_built_in_formats_are_those_of_the_issue_in_their_order() {
    let library = Library::builtin();
    let names: Vec<&str> = library.formats().collect();
    assert_eq!(names, ["rfc5424", "syslog", "lighttpd", "access-article", "combined", "nginx", "common", "ndjson"]);
}

#[test]
fn a_format_brings_types_and_a_date() {
    let format = Library::builtin().format("combined").expect("it is built in");
    let Rule::Pattern(pattern) = &format.rule else { panic!("combined is a pattern") };
    assert_eq!((format.name.as_str(), pattern.name()), ("combined", "combined"));
    let kind = |name: &str| pattern.fields().iter().find(|field| field.path == [name]).map(Field::kind);
    assert_eq!(kind("response"), Some(FieldType::Int));
    assert_eq!(kind("agent"), Some(FieldType::Text));
    let formats = vec!["%d/%b/%Y:%H:%M:%S %z".to_owned()];
    assert_eq!(format.date, Some(DateRule { paths: vec![vec!["timestamp".to_owned()]], formats }));
}

#[test]
fn a_pattern_given_by_hand_is_a_format_without_a_date() {
    let format = Library::builtin().pattern("%{INT:n:int}").expect("it is well formed");
    assert_eq!(format.name, "%{INT:n:int}");
    assert!(format.date.is_none());
}

#[test]
fn an_unknown_format_is_an_error_with_the_nearest_name_and_the_list() {
    let error = Library::builtin().format("combind").expect_err("it is unknown").to_string();
    assert_eq!(
        error,
        "there is no format \"combind\"; did you mean combined? \
         (known: rfc5424, syslog, lighttpd, access-article, combined, nginx, common, ndjson, auto)"
    );
}

#[test]
fn a_directory_adds_patterns_and_formats_in_the_order_of_its_file_names() {
    let library = with_dir(&[
        ("b", "SHOE %{INT:size:int} eu"),
        ("a", "SHOE overridden"),
        (".hidden", "SHOE(("),
        ("old~", "SHOE(("),
        ("formats.toml", "[shoes]\npattern = 'shoe %{SHOE}'\ntypes = { size = 'float' }\n[common]\njson = true\n"),
    ])
    .expect("it is well formed");
    let format = library.format("shoes").expect("it was added");
    let Rule::Pattern(pattern) = &format.rule else { panic!("shoes is a pattern") };
    assert_eq!(captures(pattern, b"shoe 42 eu"), Some(vec!["size=42".to_owned()]));
    assert_eq!(pattern.fields()[0].kind(), FieldType::Float);
    assert!(matches!(library.format("common").expect("it was replaced").rule, Rule::JsonObject));
    assert_eq!(library.formats().filter(|name| *name == "common").count(), 1);
}

#[test]
fn a_wrong_format_names_the_file_and_the_key() {
    let message = |text: &str| {
        let library = match with_dir(&[("formats.toml", text)]) {
            Ok(library) => library,
            Err(message) => return message,
        };
        let message = library.format("f").expect_err("it is wrong").to_string();
        message.split_once("formats.toml").map_or(message.clone(), |(_, rest)| format!("formats.toml{rest}"))
    };
    let cases = [
        ("[f]\n", "formats.toml, f: a format has either a pattern or json = true"),
        ("[f]\njson = true\npattern = 'a'", "formats.toml, f: a format has either a pattern or json = true"),
        ("[auto]\njson = true", "formats.toml: a format cannot be called auto"),
        (
            "[f]\npattern = '%{INT:size}'\ntypes = { size = 'itn' }",
            "formats.toml, f.types.size: unknown type \"itn\"; known are int, long, float, double, bool, boolean, date, ip",
        ),
        (
            "[f]\npattern = '%{INT:size}'\ntypes = { sise = 'int' }",
            "formats.toml, f.types: the pattern has no field \"sise\"; did you mean size?",
        ),
        (
            "[f]\npattern = '%{INT:[a][b]}'\ndate = { field = '[a][c]', formats = ['%s'] }",
            "formats.toml, f.date.field: the pattern has no field \"[a][c]\"; did you mean [a][b]?",
        ),
        ("[f]\njson = true\ndate = { field = 't', formats = [] }", "formats.toml, f.date.formats: no format is given"),
        (
            "[f]\njson = true\ntypes = { a = 'int' }",
            "formats.toml, f.types: a format with json = true has no types, because the JSON object defines them",
        ),
        ("[f]\npattern = 'a(b'", "formats.toml, f.pattern: this ( is not closed\n  a(b\n   ^"),
    ];
    for (text, expected) in cases {
        assert_eq!(message(text), expected);
    }
    let unknown = message("[f]\njson = true\npatern = 'a'");
    assert!(unknown.starts_with("formats.toml: ") && unknown.contains("patern"), "{unknown}");
}

#[test]
fn a_directory_that_is_not_there_is_a_usage_error() {
    let error = Library::builtin().add_dir("/nowhere/at/all".as_ref()).expect_err("it is not there");
    assert!(error.to_string().starts_with("the patterns directory /nowhere/at/all cannot be read: "), "{error}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn every_golden_line_is_detected_as_a_format_that_gives_the_same_fields() {
    let library = Library::builtin();
    for spec in library.specs() {
        let lines: Vec<&[u8]> = spec.golden.iter().map(|golden| golden.line.as_bytes()).collect();
        let found = library.detect(&lines).map(|format| format.name);
        // Two of the three golden lines have a host. The third does not, so it is a line of the format combined.
        let expected = if spec.name == "lighttpd" { "combined" } else { &spec.name };
        if spec.by_name {
            assert_ne!(found.as_deref(), Some(expected), "only its name gives this format");
            continue;
        }
        let lines = if spec.name == "lighttpd" { &lines[..2] } else { &lines[..] };
        let alone = library.detect(lines).map(|format| format.name);
        assert_eq!(alone.as_deref(), Some(spec.name.as_str()));
        assert_eq!(found.as_deref(), Some(expected), "{}", spec.name);
    }
}

#[test]
fn auto_needs_half_of_the_sample_and_passes_over_empty_lines() {
    let library = Library::builtin();
    let line = &b"192.0.2.4 - - [03/Feb/2024:04:05:06 +0000] \"GET / HTTP/1.0\" 200 2326"[..];
    let name = |lines: &[&[u8]]| library.detect(lines).map(|format| format.name);
    assert_eq!(name(&[line, b"", b"", b"", b"other"]).as_deref(), Some("common"));
    assert_eq!(name(&[line, b"other", b"other"]), None);
    assert_eq!(name(&[]), None);
    assert_eq!(name(&[b""]), None);
}
