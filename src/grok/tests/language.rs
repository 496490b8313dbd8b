//! Tests the language: references, fields, types, and Oniguruma's syntax.

use super::{Library, captures, run};
use crate::grok::{Field, FieldSlot, FieldType, Span};

fn some(expected: &[&str]) -> Option<Vec<String>> {
    Some(expected.iter().map(|&text| text.to_owned()).collect())
}

#[test]
fn references_inline_groups_and_nested_names_become_fields() {
    let cases: [(&str, &str, &[&str]); 14] = [
        ("%{INT}", "7", &[]),
        ("%{INT:n}", "a7", &["n=7"]),
        ("%{INT:n:int} %{WORD:w}", "-7 up", &["n=-7", "w=up"]),
        ("%{INT:[a][b]:int}", "7", &["[a][b]=7"]),
        ("%{WORD:foo-bar}", "hello world", &["foo-bar=hello"]),
        ("%{WORD:@a.b_1}", "x", &["@a.b_1=x"]),
        ("%{WORD - what follows a blank is a remark}", "x", &[]),
        ("(?<a>x)(?P<b>y)(?'c'z)", "xyz", &["a=x", "b=y", "c=z"]),
        ("(?<[a][b]>x)(?<n:int>1)", "x1", &["[a][b]=x", "n=1"]),
        ("%{INT:n}|%{WORD:n}", "12 x", &["n=12"]),
        ("%{WORD:n}-%{WORD:n}", "a-b", &["n=a", "n=b"]),
        ("(?:%{INT:n} ?)+", "1 2 3", &["n=3"]),
        (r"\%{INT}", "%{INT}", &[]),
        ("%{WORD:a}(?# a remark)%{INT:b}", "x1 y2 -3 z-4", &["a=z", "b=-4"]),
    ];
    for (pattern, line, expected) in cases {
        assert_eq!(run(pattern, line), some(expected), "{pattern} on {line}");
    }
}

#[test]
fn types_are_known_by_every_name_and_belong_to_the_capture_they_are_written_at() {
    let pattern = Library::builtin()
        .compile("%{INT:a:int}%{INT:b:long}%{NUMBER:c:float}%{NUMBER:d:double}%{WORD:e:bool}%{WORD:f:boolean}%{DATA:g:date}%{IP:h:ip}%{INT:a:float}%{WORD:i}%{INT:i:int}")
        .expect("it is well formed");
    use FieldType::{Bool, Date, Float, Int, Ip};
    let kinds: Vec<FieldType> = pattern.fields().iter().map(Field::kind).collect();
    assert_eq!(kinds, [Int, Int, Float, Float, Bool, Bool, Date, Ip, Int]);
    let slot = |slot, kind| FieldSlot { slot, kind, again: false };
    assert_eq!(pattern.fields()[0].slots, [slot(0, Int), slot(8, Float)]);
    assert_eq!(pattern.slots(), 11);
}

#[test]
fn types_inside_definitions_count_and_a_later_definition_replaces_an_earlier_one() {
    let mut library = Library::builtin();
    library.add_definitions("mine", b"SIZE %{INT:size:int}\nINT [0-7]+").expect("it is well formed");
    let pattern = library.compile("%{SIZE}").expect("it is well formed");
    assert_eq!(pattern.name(), "SIZE");
    assert_eq!(pattern.fields()[0].kind(), FieldType::Int);
    assert_eq!(captures(&pattern, b"size 9178"), some(&["size=17"]));
    assert_eq!(library.definition("INT").map(|d| (d.file(), d.line(), d.text())), Some(("mine", 2, "[0-7]+")));
}

#[test]
fn captures_written_alike_stand_together_and_all_but_the_first_are_marked() {
    let text = "%{INT:a:int} %{NUMBER:a:float} %{INT:a:int} (?<a>x) %{INT:a} %{INT:a:int - a remark}";
    let pattern = Library::builtin().compile(text).expect("it is well formed");
    let slots: Vec<(usize, FieldType, bool)> =
        pattern.fields()[0].slots.iter().map(|slot| (slot.slot, slot.kind, slot.again)).collect();
    use FieldType::{Float, Int, Text};
    let expected =
        [(0, Int, false), (2, Int, true), (5, Int, true), (1, Float, false), (3, Text, false), (4, Text, false)];
    assert_eq!(slots, expected);
}

/// Each row: a pattern, a line, and what the group `x` captures, or that there is no match.
#[test]
fn the_syntax_means_what_it_means_to_oniguruma() {
    let cases: &[(&str, &str, Option<&str>)] = &[
        ("(?<x>a.b)", "a\nb", Some("a\nb")),
        ("^(?<x>b)$", "a\nb\nc", Some("b")),
        ("(a)(?<x>b)", "ab", Some("b")),
        ("(?<x>a(?i)b|c)", "aC", Some("aC")),
        ("(?<x>a(?i)b|c)", "C", None),
        ("(?<x>(?i:a)b)", "Ab", Some("Ab")),
        ("(?<x>(?i:a)b)", "AB", None),
        ("(?<x>a(?-m).)", "a\n", None),
        ("(?<x>(?x) a b # remark\n c)", "abc", Some("abc")),
        ("(?x: a )(?<x>b c)", "ab c", Some("b c")),
        (r"(?<x>\h+)\H", "xyfaceg", Some("face")),
        (r"(?<x>[\h-]+)", "xyz1-f", Some("1-f")),
        (r"(?<x>\w+)", "é a_1é", Some("a_1")),
        (r"(?<x>\d\s\S\D\W)", "1 xx-", Some("1 xx-")),
        (r"(?<x>[\w-.]+)", "!a-.b!", Some("a-.b")),
        (r"(?<x>[+-\d]+)", "a+-1,", Some("+-1")),
        (r"(?<x>[\s\S]+)", "a b", Some("a b")),
        (r"(?<x>a{,2}b)", "aaab", Some("aab")),
        (r"(?<x>a{2}+)b", "aaaab", Some("aaaa")),
        (r"^(?<x>a{2}?)$", "", Some("")),
        (r"^(?<x>a**)$", "aa", Some("aa")),
        (r"(?<x>a++)a", "aa", None),
        (r"(?<x>(?>a+))a", "aa", None),
        ("(?<x>a{)", "a{", Some("a{")),
        ("(?<x>a{x})", "a{x}", Some("a{x}")),
        ("(?<x>a{,})", "a{,}", Some("a{,}")),
        (r"(?<x>\v)", "\n\x0b", Some("\x0b")),
        (r"(?<x>\Q\E)", "QE", Some("QE")),
        (r"(?<x>\x41\u0042\103\0)", "ABC\0", Some("ABC\0")),
        (r"(?<x>\u00e9+)", "aéé", Some("éé")),
        (r"(?<x>é+)", "aéé", Some("éé")),
        (r"(?<x>[é-ü]+)", "aéü", Some("éü")),
        (r"(?<x>[é]*a)", "ba", Some("a")),
        (r"(?<x>.)$", "ä", Some("ä")),
        (r"(?<x>(?i)Ä)", "ä", Some("ä")),
        (r"\b(?<x>ä)", "ä", Some("ä")),
        (r"(?<x>[[:alpha:]]+)", "1ä", Some("ä")),
        (r"(?<x>\p{Alpha}+)", "1ab", Some("ab")),
        (r"(?<x>\p{^Digit}+)", "1ab2", Some("ab")),
        (r"(?<x>[^\P{Digit}]+)", "a12", Some("12")),
        (r"(?<x>[a[bc]d]+)", "xabcd", Some("abcd")),
        (r"(?<x>[[:digit:][:upper:]_]+)", "aB1_", Some("B1_")),
        (r"(?<x>[]a]+)", "x]a", Some("]a")),
        (r"(?<x>[^]a]+)", "]xa", Some("x")),
        (r"(?<x>a|b)\k<x>", "abb", Some("b")),
        (r"(?<x>(?<=a)b(?=c)(?!d)(?<!b))", "abc", None),
        (r"(?<x>(?<=a)b(?=c))", "abc", Some("b")),
        ("(?<x>a|ab)", "ab", Some("a")),
        ("(?<x>x*)", "aax", Some("")),
        (r"(?<x>[a-f&&[^c]]+)", "abcde", Some("ab")),
        (r"(?<x>[^b&&a-c]+)", "babx", Some("a")),
        (r"(?<x>[a[^b-z]]+)", "zzA1a", Some("A1a")),
        (r"(?<x>[\H&&\w]+)", "afgz", Some("gz")),
        (r"(?<x>[^\W_]+)", "_é9a_", Some("9a")),
        (r"(?<x>[\D]+)", "1é2", Some("é")),
        (r"(?<x>[\W&&[^-]]+)", "a-éb", Some("é")),
        (r"(?u)(?<x>\w+)", "-é1", Some("é1")),
        (r"(?u)(?<x>\d+)", "٣a", Some("٣")),
        (r"(?u)(?<x>[\s&&[^ ]]+)", "a \u{a0}", Some("\u{a0}")),
        (r"(?u:(?<y>\w))(?<x>\w+)", "éé1", Some("1")),
        (r"(?<x>\s+)", "\u{a0} ", Some(" ")),
        (r"(?a)(?<x>[[:alpha:]]+)", "éa", Some("a")),
        (r"(?a)(?<x>[[:^alpha:]]+)", "aé", Some("é")),
        (r"(?a)\b(?<x>a)", "éa", Some("a")),
        (r"(?a)(?d)\b(?<x>a)", "éa", None),
        (r"(?a)(?<x>a\B.)", "aé", None),
        (r"(?<x>\C-a\M-i)", "\u{1}é", Some("\u{1}é")),
        (r"(?<x>\M-\C-a\c?)", "\u{81}\u{7f}", Some("\u{81}\u{7f}")),
        (r"(?<x>\xc3\xa9\x{e9}\xe9)", "ééé", Some("ééé")),
        (r"(?<x>\18)", "\u{1}8", Some("\u{1}8")),
        (r"(?<x>\X)", "e\u{301}x", Some("e\u{301}")),
        (r"\G(?<x>b)", "ab", None),
        (r"(?<x>a\Kb)", "ab", Some("ab")),
        (r"(?<x>a\Rb)", "a\r\nb", Some("a\r\nb")),
        (r"(?<x>a|b)\g<x>", "ab", Some("b")),
        (r"(?<x>a|b)\g<x>\k<x>", "abb", Some("b")),
        (r"(?<x>a|b)\g<x>\k<x>", "aba", None),
        (r"(?<x>a)(?i)\g<x>", "aA", None),
        (r"\g<x>(?i:(?<x>a))", "Aa", Some("a")),
        (r"(?<y>a)?(?<x>(?(<y>)b|c))", "ac", Some("c")),
        (r"(?<y>a)?(?<x>(?(<y>)b|c))", "ab", Some("b")),
        (r"(?:(?<y>a)|(?<y>b))(?<x>(?(<y>)c|d))", "bdbc", Some("c")),
        (r"(?<x>(?<=a{1,3})b)", "aab", Some("b")),
        (r"(?<x>(?i)\p{Lu}+)", "-aB", Some("aB")),
        (r"(?<x>(?i)\w+)", "-aſ", Some("a")),
        (r"(?<x>(?i)straße)", "STRASSE", None),
        (r"(?<x>(?i)%{DAY})", "MON", Some("MON")),
    ];
    for &(pattern, line, expected) in cases {
        let pattern = Library::builtin().compile(pattern).unwrap_or_else(|error| panic!("{error}"));
        let mut matcher = pattern.matcher();
        let slot = pattern.fields().iter().find(|field| field.path == ["x"]).expect("x is there").slots[0];
        let found =
            matcher.captures(line.as_bytes()).expect("no limit is hit").map(|captures| captures.span(slot.slot));
        let found = found.map(|span| &line[span.start as usize..span.end as usize]);
        assert_eq!(found, expected, "{} on {line:?}", pattern.name());
    }
}

/// Each row: a pattern, a line, and what the field `x` captures.
#[test]
fn a_definition_inside_a_pattern_holds_from_there_on() {
    let cases = [
        ("%{OCT:x=[0-7]+}", "9178", "17"),
        ("%{OCT:x:int=[0-7]+}", "9178", "17"),
        ("%{OCT=[0-7]{2}}%{OCT:x}", "1234", "34"),
        ("%{WORD:a} %{WORD=[0-9]}%{WORD:x}", "a 123", "2"),
        (r"%{A=\}}%{A:x}", "}}", "}"),
        ("%{A=b%{INT}}%{A:x}", "b1b2", "b2"),
        // The option also holds in definitions that are used after it.
        ("%{YEAR=y}%{DATE_EU:x}", "y31.12.y", "31.12.y"),
    ];
    for (pattern, line, expected) in cases {
        let compiled = Library::builtin().compile(pattern).unwrap_or_else(|error| panic!("{error}"));
        let found = captures(&compiled, line.as_bytes()).unwrap_or_else(|| panic!("{pattern} must match {line}"));
        assert_eq!(found.last(), Some(&format!("x={expected}")), "{pattern} on {line}");
    }
    let library = Library::builtin();
    library.compile("%{OCT=[0-7]}").expect("it is well formed");
    assert!(library.compile("%{OCT}").is_err(), "it holds in its own pattern only");
}

#[test]
fn what_logstash_ignores_behind_a_field_name_is_ignored() {
    assert_eq!(run("%{INT:[error][code]?}", "7"), some(&["[error][code]=7"]));
    assert_eq!(run("%{INT:n?:int} %{WORD:w - a remark}", "7 a"), some(&["n=7", "w=a"]));
}

#[test]
fn plain_groups_are_numbered_only_where_nothing_is_named() {
    assert_eq!(run(r"(a|b)\1", "abb"), some(&[]));
    assert_eq!(run(r"(a|b)\1", "ab"), None);
}

#[test]
fn the_latest_of_several_groups_of_a_name_is_the_one_referred_to() {
    let pattern = r"^(?:(?<x>a)|(?<x>b))+\k<x>$";
    assert_eq!(run(pattern, "abb"), some(&["x=a", "x=b"]));
    assert_eq!(run(pattern, "bb"), some(&["x=b"]));
}

#[test]
fn a_line_that_is_not_utf8_is_matched_as_bytes() {
    let library = Library::builtin();
    let compile = |text| library.compile(text).expect("it is well formed");
    let line = b"a \xff\xfe z";
    let pattern = compile("^%{WORD:a} (?<x>..) %{WORD:z}$");
    let mut matcher = pattern.matcher();
    let captures = matcher.captures(line).expect("no limit is hit").expect("it matches");
    let span = captures.span(1);
    assert_eq!((span.start, span.end), (2, 4));
    // A pattern with characters beyond ASCII in a class can match before and after invalid bytes, but never includes
    // one.
    let mut matcher = compile("(?<x>[äz])").matcher();
    let captures = matcher.captures(line).expect("no limit is hit").expect("it matches");
    assert_eq!((captures.span(0).start, captures.span(0).end), (5, 6));
}

#[test]
fn one_matcher_takes_lines_of_every_kind_in_turn() {
    let pattern = Library::builtin().compile("^(?<x>.)(?<y>b)?$").expect("it is well formed");
    let mut matcher = pattern.matcher();
    for (line, x, y) in
        [(&b"ab"[..], (0, 1), true), ("äb".as_bytes(), (0, 2), true), (b"\xffb", (0, 1), true), (b"a", (0, 1), false)]
    {
        let captures = matcher.captures(line).expect("no limit is hit").expect("it matches");
        assert_eq!((captures.span(0).start, captures.span(0).end), x, "{line:?}");
        assert_eq!(captures.span(1) != Span::NONE, y, "{line:?}");
        assert_eq!(captures.span(2), Span::NONE);
    }
    assert!(matcher.captures(b"").expect("no limit is hit").is_none());
}
