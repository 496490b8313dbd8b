//! Tests the errors of patterns: their place, their message, and the caret.

use super::Library;
use crate::core::error::Kind;

const BEHIND: &str = "a look-behind can be 255 characters long at most, or 65535 when its length is fixed";

/// Each row: a pattern, the offset of the caret, and the message.
#[test]
fn a_wrong_pattern_is_shown_with_a_caret_under_the_fault() {
    let cases = [
        ("a %{WROD:x}", 4, "there is no pattern %{WROD}; did you mean WORD?"),
        ("%{QQQQQQQQ}", 2, "there is no pattern %{QQQQQQQQ}"),
        ("%{}", 2, "a pattern name is expected after %{ (write \\%{ for the characters)"),
        ("%{ WORD}", 2, "a pattern name is expected after %{ (write \\%{ for the characters)"),
        ("a%{WORD", 1, "this %{ is not closed"),
        ("%{WORD:}", 7, "a field name is missing"),
        ("%{WORD:[a}", 7, "this [ of a field name is not closed"),
        ("%{WORD:[a]b}", 10, "a nested field name is written [outer][inner]"),
        ("%{WORD-x}", 6, "a name is followed by }, by :field or by =definition"),
        ("%{INT:n:itn}", 8, "unknown type \"itn\"; known are int, long, float, double, bool, boolean, date, ip"),
        ("a(b", 1, "this ( is not closed"),
        ("a(?<x>b", 1, "this ( is not closed"),
        ("a)b", 1, "this ) closes nothing"),
        ("(?i)a)b", 5, "this ) closes nothing"),
        ("ab[cd", 2, "this [ is not closed"),
        ("[a[b]", 0, "this [ is not closed"),
        ("a|*b", 2, "there is nothing to repeat here"),
        ("(+a)", 1, "there is nothing to repeat here"),
        ("{2}", 0, "there is nothing to repeat here"),
        ("ab\\", 2, "a backslash at the end escapes nothing"),
        ("(?<x", 0, "the name of this group is not closed"),
        ("(?<>a)", 3, "a field name is missing"),
        ("a(?#b", 1, "this comment is not closed"),
        ("(?Xa)", 2, "a group of this kind is not known"),
        ("(?(1)a|b)", 3, "there is no group 1"),
        ("(?(<x>)a|b)", 4, "no group (?<name>…) with this name stands before this place"),
        ("(?(a)b|c)", 3, "a condition is written (?(<name>)yes|no) or (?(1)yes|no)"),
        ("(a)(?(1)a|b|c)", 3, "a condition has two branches at most"),
        ("(?~a)", 0, "an absent operator is not supported"),
        ("(?i", 0, "this ( is not closed"),
        ("a\\g<x>", 4, "there is no group (?<name>…) of this name"),
        ("a\\g<0>", 1, "the pattern calls itself, which is not supported"),
        ("(?<x>a\\g<x>?)", 9, "this group calls itself, which is not supported"),
        ("(?<x>\\g<y>)(?<y>\\g<x>)", 8, "this group calls itself, which is not supported"),
        ("(?<x>a)(?<x>b)\\g<x>", 17, "several groups have this name: it is not clear which one is called"),
        ("(?<x>a)\\k<x+1>", 10, "a back-reference with a level is not supported"),
        ("(a)\\k<-2>", 6, "there is no group -2"),
        ("(a)\\2", 3, "there is no group 2"),
        ("\\M-", 0, "\\c, \\C- and \\M- must be followed by an ASCII character"),
        ("a(?<=b*)", 1, "a look-behind must have a maximum length"),
        ("(?<=a{1,256})", 0, BEHIND),
        ("(?<=ba{65535}{65535}{65535}{65535}{65535})", 0, BEHIND),
        ("a{65536}", 1, "a repeat count can be 65535 at most"),
        ("%{D=\\}", 0, "this %{ is not closed"),
        ("a\\k<x>", 4, "no group (?<name>…) with this name stands before this place"),
        ("a\\kx", 1, "a back-reference is written \\k<name>"),
        ("\\u12", 0, "this is not the hexadecimal number of a character"),
        ("\\pL", 0, "a property is written \\p{Name}"),
        ("ä%{WROD}", 3, "there is no pattern %{WROD}; did you mean WORD?"),
        ("ab[z-a]", 4, "range out of order in character class"),
        ("a{3,2}", 1, "the first number of this repeat is greater than the second"),
        ("a\\p{Nix}b", 1, "there is no property \"Nix\""),
    ];
    let library = Library::builtin();
    for (pattern, caret, message) in cases {
        let error = library.compile(pattern).expect_err(pattern);
        assert_eq!(error.kind(), Kind::Usage);
        let expected = format!("pattern given with -p: {message}\n  {pattern}\n  {}^", " ".repeat(caret));
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_numbered_back_reference_beside_fields_says_what_to_do() {
    let error = Library::builtin().compile(r"(a)\1%{INT:n}").expect_err("it is wrong").to_string();
    assert!(error.contains(r"write \k<name>"), "{error}");
    assert!(error.ends_with("\n     ^"), "{error}");
    for pattern in [r"(?<x>a)\1", r"(?<x>a)(b)\k<-1>", r"(?<x>a)\g<1>", "(?<x>a)(?(1)b)"] {
        let error = Library::builtin().compile(pattern).expect_err("it is wrong").to_string();
        assert!(error.contains(r"write \k<name>"), "{error}");
    }
}

#[test]
fn a_fault_in_a_definition_names_its_file_its_line_and_the_way_to_it() {
    let mut library = Library::builtin();
    let content = b"# mine\nINNER a(b\nMIDDLE x%{INNER}\n\nOUTER %{MIDDLE:m}\nRANGE c[z-a]d";
    library.add_definitions("dir/mine", content).expect("it is well formed");
    let error = |pattern| library.compile(pattern).expect_err("it is wrong").to_string();
    assert_eq!(
        error("%{OUTER}"),
        "dir/mine, line 2 (INNER): this ( is not closed (used through OUTER > MIDDLE)\n  a(b\n   ^"
    );
    assert_eq!(error("%{INNER}"), "dir/mine, line 2 (INNER): this ( is not closed\n  a(b\n   ^");
    assert_eq!(
        error(r"\d\d%{IP}%{RANGE}"),
        "dir/mine, line 6 (RANGE): range out of order in character class\n  c[z-a]d\n     ^"
    );
}

#[test]
fn a_cycle_is_shown_as_the_chain_of_its_names() {
    let mut library = Library::builtin();
    library.add_definitions("f", b"A %{B}\nB x%{C}\nC %{B}\nSELF %{SELF}").expect("it is well formed");
    let error = |pattern| library.compile(pattern).expect_err("it is wrong").to_string();
    assert_eq!(error("%{A}"), "f, line 3 (C): the pattern uses itself: B > C > B (used through A > B)\n  %{B}\n    ^");
    assert_eq!(
        error("a%{X=b%{X}}"),
        "pattern given with -p, definition of X at character 6: the pattern uses itself: X > X\n  b%{X}\n     ^"
    );
    assert_eq!(error("%{SELF}"), "f, line 4 (SELF): the pattern uses itself: SELF > SELF\n  %{SELF}\n    ^");
}
