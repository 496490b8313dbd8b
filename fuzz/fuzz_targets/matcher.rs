//! Builds an expression over a small alphabet from the input, and matches lines made from the rest of the input. Both
//! machines of the linear engine and PCRE2 must give the same result, and so must a matcher that has seen the lines
//! many times.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use logator::grok::{Library, Matcher, Pattern, Span};

const LEAVES: [&str; 32] = [
    "a",
    "b",
    "0",
    "-",
    "\\n",
    "é",
    "ab",
    "bé",
    ".",
    "[ab]",
    "[^a]",
    "[^é]",
    "[a-é]",
    "\\d",
    "\\w",
    "[[:alpha:]]",
    "\\b",
    "\\B",
    "^",
    "$",
    "\\A",
    "\\z",
    "\\Z",
    "",
    "(?<=a)",
    "(?<!b)",
    "(?=a)",
    "(?![ab])",
    "a+",
    "[ab]*",
    ".*",
    ".*?",
];
const QUANTIFIERS: [&str; 8] = ["*", "+", "?", "*?", "+?", "??", "*+", "?+"];
// The engines differ about empty rounds of counted loops (see the tests), so the generated loops have none.
const COUNTS: [&str; 6] = ["{2}", "{,2}", "{1,2}?", "{3}", "{2,}", "{1,9}"];
const OPENINGS: [&str; 6] = ["(?:", "(?i:", "(?>", "(?=", "(?!", "(?<=a|b)(?:"];
/// The number of times that one matcher sees the lines: enough to follow traces and to run proofs first.
const ROUNDS: usize = 12;
const CHARACTERS: [&[u8]; 8] = [b"a", b"b", b"0", b"-", b"\n", "é".as_bytes(), b"A", b"\xc3"];

struct Input<'i> {
    bytes: &'i [u8],
    groups: usize,
}

impl Input<'_> {
    fn below(&mut self, count: usize) -> usize {
        let Some((&first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(first) % count
    }

    fn expression(&mut self, depth: u32) -> String {
        let kind = if depth == 0 { 0 } else { self.below(10) };
        match kind {
            0 | 1 => LEAVES[self.below(LEAVES.len())].to_owned(),
            2..=4 => (0..2 + self.below(3)).map(|_| self.expression(depth - 1)).collect(),
            5 => {
                let ways: Vec<String> = (0..2 + self.below(2)).map(|_| self.expression(depth - 1)).collect();
                format!("(?:{})", ways.join("|"))
            }
            6 => format!("(?:{}){}", self.expression(depth - 1), QUANTIFIERS[self.below(QUANTIFIERS.len())]),
            7 => format!("(?:{}[ab]){}", self.expression(depth - 1), COUNTS[self.below(COUNTS.len())]),
            8 => {
                self.groups += 1;
                let name = format!("g{}", self.groups);
                format!("(?<{name}>{})", self.expression(depth - 1))
            }
            _ => format!("{}{})", OPENINGS[self.below(OPENINGS.len())], self.expression(depth - 1)),
        }
    }

    fn line(&mut self) -> Vec<u8> {
        (0..self.below(24)).flat_map(|_| CHARACTERS[self.below(CHARACTERS.len())]).copied().collect()
    }
}

/// Returns the position of each capture, or `None` if there is no match. Fails if the engine gives up.
fn captured(pattern: &Pattern, line: &[u8]) -> Result<Option<Vec<Span>>, String> {
    captured_by(&mut pattern.matcher(), pattern.slots(), line)
}

fn captured_by(matcher: &mut Matcher, slots: usize, line: &[u8]) -> Result<Option<Vec<Span>>, String> {
    let captures = matcher.captures(line).map_err(|stopped| stopped.to_string())?;
    Ok(captures.map(|captures| (0..slots).map(|slot| captures.span(slot)).collect()))
}

fuzz_target!(|bytes: &[u8]| {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    let mut input = Input { bytes, groups: 0 };
    let text = format!("(?<all>{})", input.expression(5));
    // The expression is too large after its counted repeats are unrolled, or a look-behind has no fixed width.
    let Ok(pattern) = LIBRARY.get_or_init(Library::builtin).compile(&text) else { return };
    let Some(careful) = pattern.careful() else { return };
    let backtracking = pattern.backtracking().ok();
    let mut lines = Vec::new();
    for _ in 0..4 {
        let line = input.line();
        let found = captured(&pattern, &line);
        assert!(found.is_ok(), "{text:?} on {line:?}: {found:?}");
        assert_eq!(
            found,
            captured(&careful, &line),
            "linear and careful: {text:?} on {:?}",
            String::from_utf8_lossy(&line)
        );
        // PCRE2 reads lines that are not UTF-8 byte by byte.
        if let (Some(backtracking), Ok(line)) = (&backtracking, str::from_utf8(&line))
            && let Ok(expected) = captured(backtracking, line.as_bytes())
        {
            assert_eq!(found, Ok(expected), "linear and PCRE2: {text:?} on {line:?}");
        }
        lines.push((line, found));
    }
    let mut matcher = pattern.matcher();
    for (line, found) in (0..ROUNDS).flat_map(|_| &lines) {
        let again = captured_by(&mut matcher, pattern.slots(), line);
        assert_eq!(&again, found, "again: {text:?} on {:?}", String::from_utf8_lossy(line));
    }
});
