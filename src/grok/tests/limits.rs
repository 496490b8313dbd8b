//! Tests the limits of expansion and of matching, and compiles arbitrary text.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::Library;
use crate::grok::ast::Node;
use crate::grok::fault::Written;
use crate::grok::parse::{MAX_DEPTH, MAX_NESTING, MAX_PARTS, parse};

#[test]
fn expansion_ends_at_a_depth_and_says_so() {
    let mut library = Library::builtin();
    let chain: String = (0..=MAX_DEPTH).map(|n| format!("D{n} %{{D{}}}\n", n + 1)).collect();
    library.add_definitions("f", format!("{chain}D{} x", MAX_DEPTH + 1).as_bytes()).expect("it is well formed");
    let error = library.compile("%{D0}").expect_err("it is too deep").to_string();
    assert!(error.contains("patterns use each other more than 64 deep"), "{error}");
    library.compile("%{D3}").expect("this one is not too deep");
}

#[test]
fn expansion_ends_at_a_size_and_says_so() {
    let mut library = Library::builtin();
    let double: String = (0..40).map(|n| format!("E{n} %{{E{0}}}%{{E{0}}}\n", n + 1)).collect();
    library.add_definitions("f", format!("{double}E40 x").as_bytes()).expect("it is well formed");
    let error = library.compile("%{E0}").expect_err("it is too large").to_string();
    assert!(error.contains("grows beyond 200000 parts"), "{error}");
}

/// The careful machine has no tokens, so this expression exceeds its limit of instructions. The fast machine compiles
/// it mostly to one token. Fuzzing found that such a pattern was compared with the careful machine, which had given up.
#[test]
fn an_expression_too_large_for_the_careful_machine_is_left_to_the_fast_one() {
    let nested = "(?:(?:(?:(?:(?:[ab][ab]){1,9}[ab]){1,9}[ab]){1,9}[ab]){3}[ab]){1,9}";
    let pattern =
        Library::builtin().compile(&format!("(?<all>{nested})")).expect("it is not too large for the fast one");
    assert!(pattern.careful().is_none());
    let mut matcher = pattern.matcher();
    assert!(matches!(matcher.captures(b"Aaa"), Ok(None)));
    assert!(matches!(matcher.captures("ab".repeat(20).as_bytes()), Ok(Some(_))));
}

#[test]
fn nesting_ends_at_a_depth_and_says_so_however_it_is_written() {
    let library = Library::builtin();
    let many = |open: &str, close: &str, n: usize| format!("{}a{}", open.repeat(n), close.repeat(n));
    for (open, close) in
        [("(", ")"), ("(?:b", ")*"), ("(?i)", ""), ("[", "]"), ("", "*"), ("(?=", ")"), ("b|(?i:", ")+?")]
    {
        let text = many(open, close, MAX_NESTING + 2);
        let error = library.compile(&text).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("nested more than"), "{open}: {error}");
        let text = many(open, close, MAX_NESTING - 10);
        library.compile(&text).unwrap_or_else(|error| panic!("{error}"));
    }
    let text = format!("{}*", many("(", ")*", MAX_NESTING - 1)).repeat(2);
    parse(&Written::new("here", text), library.definitions()).expect("nothing stands too deep");
}

#[test]
fn a_line_that_costs_too_much_is_stopped_with_the_name_of_the_pattern() {
    let mut library = Library::builtin();
    library
        .add_definitions("f", b"NESTED ^(?:(?:a+)+)+[bc]$|(x)\\k<1>$\nDEEP ^(?:a|b)*$|(x)\\k<1>$")
        .expect("it is well formed");
    for (name, line, reason) in [
        ("NESTED", "a".repeat(1000), "matching took more than 4000000 steps"),
        ("DEEP", "ab".repeat(1 << 20), "matching needed more than 4 MiB of memory for backtracking"),
    ] {
        let mut matcher = library.compile(&format!("%{{{name}}}")).expect("it is well formed").matcher();
        let begin = Instant::now();
        let stopped = matcher.captures(line.as_bytes()).err().expect("it is stopped");
        assert_eq!((&*stopped.pattern, stopped.reason.as_str()), (name, reason));
        // This is not a measurement. Without the limit, the first case would take longer than the age of the universe.
        assert!(begin.elapsed() < Duration::from_secs(10));
        // The matcher still works.
        assert!(matcher.captures(b"xyz").expect("no limit is hit").is_none());
    }
}

#[test]
fn a_long_line_is_no_reason_to_stop() {
    let line = format!(
        "192.0.2.1 - - [03/Feb/2024:04:05:06 +0000] \"GET /{} HTTP/1.1\" 200 1 \"-\" \"-\"",
        "a".repeat(1 << 20)
    );
    for pattern in ["%{COMBINEDAPACHELOG}", "%{DATA:a} %{GREEDYDATA:b} \"%{DATA:c}\"$", "%{QS:q}"] {
        let pattern = Library::builtin().compile(pattern).expect("it is well formed");
        assert!(pattern.matcher().captures(line.as_bytes()).expect("no limit is hit").is_some());
    }
}

/// Text that consists of elements of the language, so that parsing does not fail at the first character.
fn grokish() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        proptest::sample::select(
            &[
                "%{",
                "}",
                "%{INT}",
                "%{WORD:a}",
                "%{INT:[a][b]:int}",
                "(",
                ")",
                "(?:",
                "(?<n>",
                "(?<=",
                "(?i)",
                "(?x)",
                "(?m-i:",
                "[",
                "]",
                "[^",
                "[:alpha:]",
                "\\",
                "\\h",
                "\\w",
                "\\1",
                "\\k<n>",
                "\\p{L}",
                "\\k<-1>",
                "\\g<n>",
                "\\g<1>",
                "\\R",
                "\\X",
                "\\M-",
                "(?(<n>)",
                "(?(1)",
                "(?>",
                "(?<!",
                "(?u)",
                "(?a:",
                "%{N=",
                "%{N}",
                "\\x{",
                "\\u00e9",
                "{2}",
                "{,3}",
                "{",
                "*",
                "+",
                "?",
                "|",
                "^",
                "$",
                "#",
                "-",
                "&&",
                "é",
                "a",
                " ",
                ":",
                "\n",
            ][..]
        )
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Returns the number of parts of a tree, and its height. Panics if the tree violates a rule of `ast.rs`.
fn measure(node: &Node) -> (usize, usize) {
    let (inner, least): (Vec<&Node>, usize) = match node {
        Node::Concat(nodes) => {
            assert!(!nodes.iter().any(|node| matches!(node, Node::Concat(_) | Node::Empty)), "{nodes:?}");
            (nodes.iter().collect(), 2)
        }
        Node::Alternate(nodes) => (nodes.iter().collect(), 2),
        Node::Repeat { node, min, max, .. } => {
            assert!(max.is_none_or(|max| *min <= max));
            (vec![node], 1)
        }
        Node::Capture { node, .. } | Node::Atomic(node) | Node::Around { node, .. } => (vec![node], 1),
        Node::Conditional { yes, no, .. } => (vec![yes, no], 2),
        Node::Empty | Node::Set(_) | Node::Look(_) | Node::Backreference { .. } | Node::Foreign(_) => (vec![], 0),
    };
    assert!(inner.len() >= least, "{node:?}");
    let measured = inner.into_iter().map(measure);
    measured.fold((1, 1), |all, one| (all.0 + one.0, all.1.max(one.1 + 1)))
}

proptest! {
    #[test]
    fn the_parser_never_panics_and_is_bounded(text in prop_oneof![any::<String>(), grokish()]) {
        let library = Library::builtin();
        if let Ok(parsed) = parse(&Written::new("here", text.as_str()), library.definitions()) {
            let (parts, height) = measure(&parsed.expression.node);
            prop_assert!(parts <= 4 * MAX_PARTS && height <= 5 * MAX_NESTING);
        }
    }

    #[test]
    fn whatever_compiles_matches_without_panic_and_its_spans_stand_in_the_line(
        text in grokish(),
        line in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        if let Ok(pattern) = Library::builtin().compile(&text) {
            let mut matcher = pattern.matcher();
            if let Ok(Some(captures)) = matcher.captures(&line) {
                for slot in pattern.fields().iter().flat_map(|field| &field.slots) {
                    prop_assert!(slot.slot < pattern.slots());
                    let span = captures.span(slot.slot);
                    prop_assert!(span == crate::grok::Span::NONE || span.end as usize <= line.len());
                }
            };
        }
    }

    #[test]
    fn pattern_files_of_any_content_are_read_or_refused(content in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut library = Library::builtin();
        let _ = library.add_definitions("file", &content);
    }
}
