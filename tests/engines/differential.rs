//! Compares every engine with Oniguruma, on a table of patterns and on random expressions.
//!
//! The engines are the linear engine, the linear engine on its careful machine alone, and PCRE2.
//!
//! Some constructs cannot be compared. Oniguruma itself treats `\w`, `\d` and `\s` as Unicode, but Logstash's engine
//! (Joni) does not; and Oniguruma has no `(?d)`. In Oniguruma, an empty round ends a counted loop before its minimum:
//! `(?:é|\b){2}` takes no é from `éa`, and PCRE2 takes it. The tables in `language.rs` test these constructs.

use std::sync::LazyLock;

use onig::{MatchParam, Regex, RegexOptions, Region, SearchOptions, Syntax};
use proptest::prelude::*;

use super::Library;
use super::engines::{Captured, ENGINES, captured};

fn oniguruma(pattern: &str, lines: &[&str]) -> Result<Vec<Captured>, String> {
    let options = RegexOptions::REGEX_OPTION_MULTILINE;
    let regex = Regex::with_options(pattern, options, Syntax::ruby()).map_err(|error| error.to_string())?;
    // In a pattern without named groups, plain groups capture, but they are no fields.
    let groups = if regex.capture_names_len() == 0 { 1 } else { regex.captures_len() + 1 };
    // Tries each position, because the search of Oniguruma 6.9.9 misses matches: "(?<x>(?=b).{2,})" finds nothing in
    // "aba".
    let search = |line: &str| {
        for (place, _) in line.char_indices().chain([(line.len(), ' ')]) {
            let mut region = Region::new();
            let (options, parameters) = (SearchOptions::SEARCH_OPTION_NONE, MatchParam::default());
            let found = regex.match_with_param(line, place, options, Some(&mut region), parameters);
            if found.map_err(|error| error.to_string())?.is_some() {
                return Ok(Some((1..groups).map(|group| region.pos(group)).collect()));
            }
        }
        Ok(None)
    };
    lines.iter().map(|line| search(line)).collect()
}

/// Compares all engines with Oniguruma. Returns whether Oniguruma accepts the pattern. An error has a row for [`ROWS`]
/// and the results of the engines.
fn compare(pattern: &str, lines: &[&str]) -> Result<bool, String> {
    static LIBRARY: LazyLock<Library> = LazyLock::new(Library::builtin);
    let Ok(expected) = oniguruma(pattern, lines) else { return Ok(false) };
    let compiled = LIBRARY.compile(pattern).map_err(|error| format!("{pattern}: {error}"))?;
    for (name, engine) in ENGINES {
        let Some(engine) = engine(&compiled) else { continue };
        let mut matcher = engine.matcher();
        // Runs each line several times, so that the linear engine records traces.
        for (line, expected) in lines.iter().zip(&expected).cycle().take(3 * lines.len()) {
            let found = captured(&mut matcher, engine.slots(), line.as_bytes());
            if found.as_ref() != Ok(expected) {
                return Err(format!("(r#\"{pattern}\"#, {line:?}),\n Oniguruma: {expected:?}\n {name}: {found:?}"));
            }
        }
    }
    Ok(true)
}

/// Patterns and lines, grouped by what they test.
const ROWS: &[(&str, &str)] = &[
    // Leftmost, greedy, lazy and possessive matching.
    ("(?<x>a|ab)(?<y>c|bcd)(?<z>d*)", "abcd"),
    ("(?<x>a+?)(?<y>a*)", "aaa"),
    ("(?<x>a?+)(?<y>a)", "a"),
    ("(?<x>(?>a|ab))(?<y>c|bc)", "abc"),
    ("(?<x>a{2}{2})", "aaaaa"),
    ("(?<x>a{,2}?)(?<y>a*)", "aaa"),
    ("(?<x>a{2}?)(?<y>a*)", "aaa"),
    ("(?<x>a{2}+)(?<y>a*)", "aaaaa"),
    ("(?<x>a{1,}?)b", "aab"),
    // PCRE2 wrongly treats the first of these repeats as possessive.
    ("(?<x>a*(?>(?:bc)?)a)", "a"),
    ("(?<x>a*(?:bc)?+a)", "a"),
    ("(?<x>a*(?:bc)*+a)", "a"),
    ("(?<x>a*(?>b*(?:bc){,2})a)", "a"),
    ("(?<x>a*(?>(?:a(?:bc)?)?b?)a)", "a"),
    ("(?<x>[[:alpha:]]*é?+.)", "A"),
    ("(?<x>[[:alpha:]]*(?>b*é?).)", "A"),
    // Captures of groups in loops, and empty rounds.
    ("(?<x>(?:[ab]?|\\n)*)", "a\n"),
    ("(?<x>(?:[^é])*.a)", "aéba"),
    ("(?<x>(?:[[:alpha:]])?b(?:[ab]){,2})", "b"),
    ("(?:(?<x>a)|(?<y>b))*", "ab"),
    ("(?:(?<x>a)|b)*", "ab"),
    ("(?<x>a|b)*", "abab"),
    ("(?<x>a*)*", "aa"),
    ("(?:(?<x>a)?b)*", "abb"),
    // Line anchors.
    ("^(?<x>.*?)$", "ab\n"),
    ("(?<x>.+)\\Z", "ab\n"),
    ("(?<x>.+)\\z", "ab\n"),
    ("(?<x>b)^", "b\n"),
    ("\\n(?<x>^)", "a\n"),
    ("\\n(?<x>^)a", "a\na"),
    ("(?<x>$)", "\n"),
    ("(?<x>\\R)(?<y>.)", "\r\n\n"),
    ("(?<x>a\\Kb)", "ab"),
    ("(?-m:(?<x>.*))", "ab\nc"),
    // Word boundaries and classes.
    ("\\b(?<x>.+?)\\b", "-éa-"),
    ("(?<x>\\B.)", "éa-"),
    ("(?<x>[[:alpha:]]+)", "1éaß٣-"),
    ("(?<x>[[:alnum:]]+)", "-éaß٣-"),
    ("(?<x>[[:^alpha:]]+)", "é1-a"),
    ("(?<x>[[:punct:]]+)", "a$-„é"),
    ("(?<x>[[:space:]]+)", "a\u{a0} \nb"),
    ("(?<x>[[:upper:]]+)(?<y>[[:lower:]]+)", "aÉAbé1"),
    ("(?<x>[[:print:]]+)(?<y>[[:cntrl:]])", "é \u{85}"),
    ("(?<x>[[:graph:]]+)", " é\u{a0}"),
    ("(?<x>[[:blank:]]+)", "a\t \u{a0}\n"),
    ("(?<x>\\p{Lu}+)(?<y>\\P{Lu}+)", "aÉAbé1"),
    ("(?<x>\\p{^Alpha}+)", "é1-a"),
    ("(?<x>\\p{Greek}+)", "aλμb"),
    ("(?<x>[^\\p{Greek}]+)", "λaμb"),
    ("(?<x>\\p{Letter}+)", "1aλ2"),
    ("(?<x>\\h+)(?<y>\\H+)", "xaFg"),
    ("(?<x>[\\h&&[^a]]+)", "abfg"),
    ("(?<x>[^\\H]+)", "xaFg"),
    ("(?<x>[a-z&&[^aeiou]]+)", "abcde"),
    ("(?<x>[^a-c&&b-d]+)", "abcde"),
    ("(?<x>[a[^b]]+)", "bab"),
    ("(?<x>[^a[^b]]+)", "aabba"),
    ("(?<x>[a-d&&b-e&&c]+)", "abcd"),
    ("(?<x>[a&&]+)", "ab&"),
    ("(?<x>[]a]+)", "b]a"),
    ("(?<x>[^]a]+)", "]ab"),
    ("(?<x>[a-]+)(?<y>[-b]+)", "a-b-"),
    ("(?<x>[0-9-a]+)", "b5-a"),
    ("(?<x>[--/]+)", ",-./0"),
    ("(?<x>[\\x61-\\x63\\u0064]+)", "xabcde"),
    ("(?<x>[\\b])", "b\u{8}"),
    ("(?<x>\\xc3\\xa9+)", "éé"),
    ("(?<x>\\x{e9}+)", "éé"),
    ("(?<x>[é-ü&&[^ê]]+)", "aéêü"),
    ("(?<x>\\101\\x42\\cA\\C-B\\t)", "AB\u{1}\u{2}\t"),
    // Case.
    ("(?i)(?<x>É+)", "aéÉ"),
    ("(?i)(?<x>k+)", "kK\u{212a}"),
    ("(?i)(?<x>[^k]+)", "kK\u{212a}a"),
    ("(?i)(?<x>[a-c&&b]+)", "aBbc"),
    ("(?i)(?<x>σ+)", "σςΣ"),
    ("(?<x>a(?i)b|c)(?<y>d)?", "aBD"),
    ("(?<x>(?i:a)b)", "AB"),
    ("(?<x>a)(?i:\\k<x>)", "aA"),
    ("(?<x>(?i)a(?-i)b)", "Ab"),
    // Look-around.
    ("(?<x>(?<=a)b(?=c)(?!d)(?<!b))", "abc"),
    ("(?<x>(?<=a)b(?=c))", "abc"),
    ("(?<x>(?<=a|bc)d)", "bcd"),
    ("(?<x>(?<!a|bc)d)", "bcdd"),
    ("(?=(?<x>a+))(?<y>a)", "aa"),
    ("(?!(?<x>a))(?<y>.)", "ab"),
    // Groups used by name and by number.
    ("(?<x>a|b)\\k<x>", "abb"),
    ("(?<x>a)|(?<x>b)\\k<x>", "bb"),
    ("(?:(?<x>a)|(?<y>b))(?(<x>)c|d)", "bcbd"),
    ("(?<x>a)?(?(<x>)b|c)(?<y>.)", "aabc"),
    ("(?<x>a)?(?(<x>)b)(?<y>.)", "c"),
    ("(?<x>a|b)\\g<x>", "ba"),
    ("(?<x>a|b)\\g<x>\\k<x>", "baa"),
    ("\\g<x>(?<x>a|b)", "ab"),
    ("(?<x>[ab]\\g<y>?)(?<y>c)", "acbc"),
    ("(?<x>a)\\g'x'(?<y>b)", "aab"),
    ("(a)(b)\\2\\1", "abba"),
    ("(a)(b)\\k<-1>\\k<-2>", "abba"),
    ("(a)(b)\\g<-1>\\g<1>", "abba"),
    ("(a)?(?(1)b|c)", "cab"),
    ("(a)(b)\\1", "abba"),
    ("(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)\\10", "01234567899"),
    ("(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)\\10", "01234567898"),
    ("(a)\\10", "a\u{8}"),
];

#[test]
fn what_rows_capture_is_what_oniguruma_captures() {
    let mut faults = Vec::new();
    for (pattern, line) in ROWS {
        match compare(pattern, &[line]) {
            Ok(true) => {}
            Ok(false) => faults.push(format!("{pattern}: {:?}", oniguruma(pattern, &[line]))),
            Err(fault) => faults.push(fault),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A generated expression. `#` stands for the name of the next group.
fn expression() -> impl Strategy<Value = String> {
    let leaf = proptest::sample::select(
        &[
            "a",
            "b",
            "0",
            "-",
            "\\n",
            "é",
            "ab",
            "bé",
            ".",
            ".",
            "[ab]",
            "[^a]",
            "[^é]",
            "[a-é]",
            "[0b&&[^0]]",
            "\\h",
            "\\d",
            "[[:alpha:]]",
            "[^[:digit:]]",
            "\\p{L}",
            "\\b",
            "\\B",
            "^",
            "$",
            "\\A",
            "\\z",
            "\\Z",
            "",
        ][..],
    )
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let quantifier = proptest::sample::select(&["*", "+", "?", "*?", "+?", "??", "*+", "?+"][..]);
        let count = proptest::sample::select(&["{2}", "{,2}", "{1,2}?", "{3}", "{2,}"][..]);
        let opening = proptest::sample::select(&["(?<#>", "(?<#>", "(?<#>", "(?:", "(?i:", "(?>", "(?=", "(?!"][..]);
        prop_oneof![
            3 => proptest::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.concat()),
            2 => proptest::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            3 => (inner.clone(), quantifier).prop_map(|(part, quantifier)| format!("(?:{part}){quantifier}")),
            2 => (inner.clone(), count).prop_map(|(part, count)| format!("(?:{part}[ab]){count}")),
            3 => (inner, opening).prop_map(|(part, opening)| format!("{opening}{part})")),
        ]
    })
    .prop_map(|text| {
        let mut parts = text.split('#');
        let first = parts.next().unwrap_or_default().to_owned();
        let named = parts.enumerate().fold(first, |text, (index, part)| format!("{text}g{index}{part}"));
        format!("(?<all>{named})")
    })
}

fn line() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(&['a', 'b', '0', '-', '\n', 'é', 'A'][..]), 0..9)
        .prop_map(|characters| characters.into_iter().collect())
}

/// The content of a class, or a text that resembles it.
fn class() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(
        &[
            "a",
            "b",
            "0",
            "-",
            "é",
            "^",
            "&&",
            "&",
            "[",
            "]",
            "[^",
            "\\d",
            "\\h",
            "\\H",
            "[:alpha:]",
            "[:^digit:]",
            "a-é",
            "0-9",
            "A-",
            "\\n",
            "\\p{Lu}",
            "\\x41",
            "\\-",
            "\\]",
            ":",
            " ",
        ][..],
    );
    // From "[a-[b]]", Oniguruma keeps only the b; Ruby warns about it.
    proptest::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat().replace("-[", "-\\["))
}

proptest! {
    // PROPTEST_CASES can raise this number.
    #![proptest_config(ProptestConfig { cases: 4 * ProptestConfig::default().cases, ..ProptestConfig::default() })]

    #[test]
    fn whatever_oniguruma_captures_so_does_every_engine(text in expression(), lines in proptest::collection::vec(line(), 8)) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        compare(&text, &lines).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn whatever_a_class_holds_to_oniguruma_it_holds_to_every_engine(inside in class(), caret: bool, fold: bool) {
        let options = if fold { "(?i)" } else { "" };
        let caret = if caret { "^" } else { "" };
        // Oniguruma loses the characters beyond ASCII in a doubly negated class: "é" is not in its [^[^[:^digit:]\\H]].
        let nested = inside.contains("[^") && (inside.contains("[:^") || inside.contains("\\H"));
        let beyond = if nested { ["a", "A"] } else { ["é", "É"] };
        let lines = ["a", "b", "c", "0", "-", beyond[0], beyond[1], "^", "&", "[", "]", "A", ":", "\n", " ", "\\"];
        compare(&format!("{options}(?<x>[{caret}{inside}])"), &lines).map_err(TestCaseError::fail)?;
    }
}
