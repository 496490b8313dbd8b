//! Selects which of several patterns can match a line, by one search for the literals that the patterns need.
//!
//! [`literals`](super::literals) finds sets of literals in each expression. One set is chosen for each pattern: a set
//! that excludes many lines, and preferably a set that no other pattern has. One Aho-Corasick automaton looks for the
//! literals of all sets. A pattern cannot match if none of its literals is in the line. The other patterns are tried in
//! their order, so the selection never changes which pattern matches first.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::grok::Pattern;
use crate::grok::literals::{Case, Texts, bits, needed};

/// The minimum information of a set, in bits: about two letters. A set with less information is not searched.
const WORTH: f64 = 7.0;

/// The information that a literal loses, in bits, each time the number of patterns that have it doubles.
const SHARED: f64 = 8.0;

/// The most bytes of literals for which the automaton is a table with a row per byte. A larger table would not fit in
/// the processor's caches, so a slower, compact automaton is used.
const TABLE: usize = 16 << 10;

/// Selects patterns for the lines of one thread. A clone shares the automaton.
#[derive(Debug, Clone)]
pub struct Selector {
    shared: Arc<Shared>,
    /// The patterns that can match the latest line, one bit each.
    selected: Vec<u64>,
}

#[derive(Debug)]
struct Shared {
    /// `None` if no pattern has a literal.
    automaton: Option<AhoCorasick>,
    /// For each literal, the patterns that need it, as pairs of word index and bits.
    needed_by: Vec<Vec<(usize, u64)>>,
    /// The patterns without a chosen set. They are always selected.
    always: Vec<u64>,
}

impl Selector {
    /// Creates a selector of `patterns`. An entry `None` (a format without a pattern) is always selected.
    pub fn new<'p>(patterns: impl IntoIterator<Item = Option<&'p Pattern>>) -> Selector {
        let texts = |pattern: &Pattern| -> Vec<Texts> {
            needed(pattern.tree(), Case::Folded).0.into_iter().map(|needed| needed.texts).collect()
        };
        let sets: Vec<Vec<Texts>> = patterns.into_iter().map(|pattern| pattern.map_or_else(Vec::new, texts)).collect();
        let chosen = choose(&sets);
        let mut always = vec![0; sets.len().div_ceil(64)];
        let mut literals: Vec<&[u8]> = chosen.iter().flatten().flat_map(|set| set.iter().map(|l| &l[..])).collect();
        literals.sort_unstable();
        literals.dedup();
        let mut needed_by = vec![Vec::new(); literals.len()];
        for (index, set) in chosen.iter().enumerate() {
            let (word, bit) = (index / 64, 1 << (index % 64));
            for literal in set.iter().copied().flatten() {
                let Ok(at) = literals.binary_search(&&literal[..]) else { continue };
                let words: &mut Vec<(usize, u64)> = &mut needed_by[at];
                match words.last_mut() {
                    Some((last, bits)) if *last == word => *bits |= bit,
                    _ => words.push((word, bit)),
                }
            }
            if set.is_none() {
                always[word] |= bit;
            }
        }
        let automaton = if literals.is_empty() { None } else { automaton(&literals) };
        if automaton.is_none() {
            // Without an automaton, no pattern can be excluded.
            (0..sets.len()).for_each(|index| always[index / 64] |= 1 << (index % 64));
        }
        let selected = always.clone();
        Selector { shared: Arc::new(Shared { automaton, needed_by, always }), selected }
    }

    /// Determines which patterns can match `line`. [`next`](Selector::next) then returns them.
    #[inline]
    pub fn look(&mut self, line: &[u8]) {
        let Shared { automaton, needed_by, always } = &*self.shared;
        let Some(automaton) = automaton else { return };
        self.selected.copy_from_slice(always);
        for found in automaton.find_overlapping_iter(line) {
            for &(word, bits) in &needed_by[found.pattern().as_usize()] {
                self.selected[word] |= bits;
            }
        }
    }

    /// Returns the first pattern from `index` on that can match the latest line.
    #[inline]
    pub fn next(&self, index: usize) -> Option<usize> {
        let mut word = index / 64;
        let mut bits = self.selected.get(word)? & (!0 << (index % 64));
        while bits == 0 {
            word += 1;
            bits = *self.selected.get(word)?;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }
}

/// Chooses for each pattern the set with the most information; `None` if no set has enough.
fn choose(sets: &[Vec<Texts>]) -> Vec<Option<&Texts>> {
    // The number of patterns that have each literal.
    let mut known = std::collections::HashMap::<&[u8], f64>::new();
    for pattern in sets {
        let mut literals: Vec<&[u8]> = pattern.iter().flatten().map(|literal| &literal[..]).collect();
        literals.sort_unstable();
        literals.dedup();
        literals.into_iter().for_each(|literal| *known.entry(literal).or_default() += 1.0);
    }
    let value = |set: &Texts| {
        let most = set.iter().filter_map(|literal| known.get(&literal[..])).copied().fold(1.0, f64::max);
        bits(set) - SHARED * most.log2()
    };
    let best = |pattern: &'_ Vec<Texts>| {
        let worth = pattern.iter().enumerate().filter(|(_, set)| bits(set) >= WORTH);
        worth.max_by(|(_, a), (_, b)| value(a).total_cmp(&value(b))).map(|(index, _)| index)
    };
    sets.iter().map(|pattern| best(pattern).map(|index| &pattern[index])).collect()
}

/// Builds the automaton. Returns `None` if it would be too large, which does not happen with these limits.
fn automaton(literals: &[&[u8]]) -> Option<AhoCorasick> {
    let bytes: usize = literals.iter().map(|literal| literal.len()).sum();
    let kind = if bytes <= TABLE { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
    AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .ascii_case_insensitive(true)
        .kind(Some(kind))
        .build(literals)
        .ok()
}

#[cfg(all(test, not(engines)))]
mod tests {
    use super::*;
    use crate::grok::Library;
    use proptest::prelude::*;

    fn compile(texts: &[&str]) -> Vec<Pattern> {
        let library = Library::builtin();
        texts.iter().map(|text| library.compile(text).unwrap_or_else(|error| panic!("{error}"))).collect()
    }

    fn selected(selector: &mut Selector, line: &[u8]) -> Vec<usize> {
        selector.look(line);
        std::iter::successors(selector.next(0), |last| selector.next(last + 1)).collect()
    }

    #[test]
    fn patterns_whose_literals_are_missing_are_passed_over() {
        let patterns = compile(&["login of %{WORD:a}", "%{INT:n} bytes", "%{WORD:w}", "logout|(?i)LEFT"]);
        let mut selector = Selector::new(patterns.iter().map(Some));
        for (line, expected) in [
            ("a Login of x", &[0, 2][..]),
            ("12 bytes", &[1, 2]),
            ("she left after logout with 7 bytes", &[1, 2, 3]),
            ("", &[2]),
        ] {
            assert_eq!(selected(&mut selector, line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn what_all_patterns_have_is_not_what_tells_them_apart() {
        let texts: Vec<String> =
            (0..150).map(|index| format!("%{{SYSLOGTIMESTAMP:t}} common words %{{INT:n:int}} kind{index}$")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let patterns = compile(&texts);
        let mut selector = Selector::new(patterns.iter().map(Some));
        let line = b"Feb  3 04:05:06 common words 12 kind149";
        assert_eq!(selected(&mut selector, line), [1, 14, 149]);
        assert_eq!(selected(&mut selector, b"Feb  3 04:05:06 common words"), [0; 0]);
    }

    #[test]
    fn what_is_no_pattern_is_always_selected() {
        let patterns = compile(&["login"]);
        let mut selector = Selector::new([None, Some(&patterns[0]), None]);
        assert_eq!(selected(&mut selector, b"x"), [0, 2]);
        assert_eq!(selected(&mut selector, b"login"), [0, 1, 2]);
        assert_eq!(selected(&mut Selector::new([]), b"x"), [0; 0]);
        assert_eq!(selected(&mut Selector::new([None]), b"x"), [0]);
    }

    /// Small random expressions that sometimes match, with every construct that affects literals.
    fn expression() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            "[abké]{1,3}",
            Just("[ab]".to_owned()),
            Just("[^a]".to_owned()),
            Just("(?i:ks)".to_owned()),
            Just("%{INT}".to_owned()),
            Just("%{WORD:w}".to_owned()),
            Just("^".to_owned()),
            Just("$".to_owned()),
            Just("(?=ab)".to_owned()),
            Just("(?!b)".to_owned()),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
                (inner.clone(), "[?*+]|\\{2\\}|\\{1,2\\}|\\{0\\}")
                    .prop_map(|(part, times)| format!("(?:{part}){times}")),
                inner.clone().prop_map(|part| format!("(?>{part})")),
                inner.prop_map(|part| format!("(?<x>{part})")),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_first_pattern_that_matches_is_always_among_the_selected(
            texts in proptest::collection::vec(expression(), 1..6),
            line in proptest::collection::vec(prop_oneof![
                "[abkKsS1 ]{1,6}".prop_map(String::into_bytes), Just("é".as_bytes().to_vec()),
                Just("\u{212A}\u{17F}".as_bytes().to_vec()), Just(vec![0xc3]), Just(vec![0xff]),
            ], 0..5).prop_map(|parts| parts.concat()),
        ) {
            let library = Library::builtin();
            let patterns: Vec<Pattern> = texts.iter().filter_map(|text| library.compile(text).ok()).collect();
            let mut selector = Selector::new(patterns.iter().map(Some));
            let matches = |index: &usize| matches!(patterns[*index].matcher().captures(&line), Ok(Some(_)));
            let in_order = (0..patterns.len()).find(matches);
            let selected = selected(&mut selector, &line).into_iter().find(matches);
            prop_assert_eq!(selected, in_order, "{:?} on {:?}", texts, line);
        }
    }
}
