//! Tests the reports of how far lines got.

use std::sync::Arc;

use proptest::prelude::*;

use crate::grok::{Explainer, Library, Parts};

fn explainer(library: &Arc<Library>, pattern: &str) -> Explainer {
    let compiled = library.compile(pattern).unwrap_or_else(|error| panic!("{error}"));
    Explainer::new(Arc::new(Parts::new(Arc::clone(library), &compiled)))
}

fn explained(pattern: &str, line: &str) -> Option<(String, u32, String)> {
    let reached = explainer(&Arc::new(Library::builtin()), pattern).explain(line.as_bytes())?;
    Some((reached.matched(), reached.offset(), reached.failed()))
}

#[test]
fn the_longest_beginning_that_matches_is_told_and_the_part_that_does_not() {
    for (pattern, line, matched, offset, failed) in [
        ("%{IP:client} %{WORD:verb} %{INT:n}", "192.0.2.17 GET x", "%{IP:client} %{WORD:verb} ", 15, "%{INT:n}"),
        ("%{IP:client} %{WORD:verb} %{INT:n}", "192.0.2.17", "%{IP:client}", 10, " "),
        ("%{IP:client} %{WORD:verb} %{INT:n}", "", "", 0, "%{IP:client}"),
        ("^login of %{WORD:who}", "logout of ada", "^", 0, "login of "),
        ("^a{2}b*?(?:c|d)\\]$", "aac] ", "^a{2}b*?(?:c|d)\\]", 4, "$"),
        ("[ab]x\\.y", "see ax,y", "[ab]x", 6, "\\."),
        // The match may start anywhere in the line.
        ("%{INT:n} seconds", "took 17 minutes", "%{INT:n}", 7, " seconds"),
        // The report is about the alternative that got furthest.
        ("a1|b%{INT:n}c|d", "xb17d", "b%{INT:n}", 4, "c"),
        // An option belongs to the parts after it.
        ("a(?i)bcd", "aBx", "a", 1, "(?i)bcd"),
        ("(?i)a|b", "x", "", 0, "(?i)a|b"),
        ("%{MINE=x%{INT:n}}y", "x12z", "%{MINE=x%{INT:n}}", 3, "y"),
        // A back-reference.
        ("(?<q>['\"])%{WORD:w}\\k<q>!", "'a'", "(?<q>['\"])%{WORD:w}\\k<q>", 3, "!"),
    ] {
        let expected = Some((matched.to_owned(), offset, failed.to_owned()));
        assert_eq!(explained(pattern, line), expected, "{pattern} on {line}");
    }
}

#[test]
fn definitions_with_fields_are_taken_apart() {
    let line = "192.0.2.1 - ada [10/Oct/2025:13:55:36 +0200] \"GET / HTTP/1.1\" none 2326";
    for pattern in ["%{COMBINEDAPACHELOG}", "^%{HTTPD_COMBINEDLOG}$", "<?%{COMMONAPACHELOG}"] {
        let (matched, offset, failed) = explained(pattern, line).unwrap();
        assert!(matched.ends_with("\\[%{HTTPDATE:timestamp}\\] \"%{HTTPD_REQUEST}\" "), "{matched}");
        assert_eq!((offset, &failed[..]), (62, "(?:-|%{NUMBER:response})"), "{matched}");
    }
    // For a definition with alternatives, the report is about the alternative that got furthest.
    let line = "[Fri Dec 16 01:46:23 2005] [error [client 192.0.2.1] x";
    let (matched, offset, _) = explained("%{HTTPD_ERRORLOG}", line).unwrap();
    assert_eq!((&matched[..], offset > 20), ("\\[%{HTTPDERROR_DATE:timestamp}\\] \\[%{LOGLEVEL:loglevel}", true));
    // A definition without fields is one part.
    assert_eq!(
        explained("%{TIMESTAMP_ISO8601} x", "2024-02-03T04:05"),
        Some(("%{TIMESTAMP_ISO8601}".into(), 16, " x".into()))
    );
    assert_eq!(explained("%{TIMESTAMP_ISO8601} x", "2024-02"), Some((String::new(), 0, "%{TIMESTAMP_ISO8601}".into())));
}

#[test]
fn what_cannot_be_taken_apart_is_not_explained() {
    // A numbered group cannot be used inside a named group, so the beginnings do not compile.
    assert_eq!(explained("(a|b)\\1c", "aad"), None);
    // The called group is not in the beginning, so the beginning does not compile.
    assert_eq!(explained("a\\g<x>b(?<x>c)d", "acbd"), None);
}

#[test]
fn a_long_pattern_is_cut_between_characters() {
    let pattern = format!("^{}%{{INT:n}}{}", "é".repeat(600), "ß".repeat(600));
    let (matched, offset, failed) = explained(&pattern, &format!("{}7", "é".repeat(600))).unwrap();
    assert!(matched.starts_with('…') && matched.ends_with("é%{INT:n}") && matched.len() <= 1004, "{matched}");
    assert!(failed.starts_with('ß') && failed.ends_with('…') && failed.len() <= 1004, "{failed}");
    assert_eq!(offset, 1201);
}

#[test]
fn every_built_in_format_can_be_explained() {
    for library in [Library::builtin(), Library::builtin_ecs()].map(Arc::new) {
        for spec in library.specs() {
            let Some(pattern) = &spec.pattern else { continue };
            let mut explainer = explainer(&library, pattern);
            for golden in &spec.golden {
                let line = golden.line.as_bytes();
                let all: Vec<_> = (0..line.len()).filter_map(|end| explainer.explain(&line[..end])).collect();
                assert_eq!(all.len(), line.len(), "{}", spec.name);
                assert!(all.iter().any(|reached| reached.offset() > 0), "{}", spec.name);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A search through all beginnings gives the same result, whatever lines came before.
    #[test]
    fn halving_finds_what_looking_at_all_beginnings_finds(
        lines in proptest::collection::vec("[ab 1]{0,6}", 1..6),
        parts in proptest::collection::vec(
            prop_oneof!["[ab1 ]{1,2}", Just("%{INT:n}".to_owned()), Just("(?:a|b)".to_owned()), Just("[ab]+".to_owned()),
                        Just("%{WORD:w}?".to_owned()), Just("^".to_owned()), Just("(?=a)".to_owned())], 1..6),
    ) {
        let library = Arc::new(Library::builtin());
        let text = parts.concat();
        let mut explainer = explainer(&library, &text);
        let whole = library.compile(&text).unwrap();
        for line in lines {
            if matches!(whole.matcher().captures(line.as_bytes()), Ok(Some(_))) {
                continue;
            }
            let Some(reached) = explainer.explain(line.as_bytes()) else { panic!("{text} on {line}") };
            let matches = |text: &str| {
                library.compile(text).is_ok_and(|it| matches!(it.matcher().captures(line.as_bytes()), Ok(Some(_))))
            };
            let (matched, longer) = (reached.matched(), reached.matched() + &reached.failed());
            prop_assert!(text.starts_with(&longer), "{text} on {line}: {reached:?}");
            prop_assert!(matches(&matched), "{text} on {line}: {reached:?}");
            prop_assert!(!matches(&longer), "{text} on {line}: {reached:?}");
        }
    }
}
