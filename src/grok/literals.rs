//! Finds the literals that a match of an expression needs. The result is sets of literals, and every match contains at
//! least one literal of each set. The selection among several patterns and the linear engine's needles use them.

use crate::grok::ast::Node;
use crate::grok::set::Set;

/// A set of literals. Every match contains at least one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needed {
    /// The literals. None of them is empty.
    pub(crate) texts: Texts,
    /// The least number of bytes before the literal in a match.
    pub(crate) before: usize,
}

/// Sorted texts without duplicates.
pub(crate) type Texts = Vec<Vec<u8>>;

/// Whether upper and lower case of ASCII are distinguished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// They are distinguished.
    Exact,
    /// They are not. Literals are in lower case, and the search must ignore case. So the many variants under `(?i)`
    /// become one literal. That loses little, because log lines differ in words rather than in case.
    Folded,
}

/// The most texts in a set. There are twelve months and a few dozen log levels; a larger set excludes few lines.
const MAX_TEXTS: usize = 64;

/// The longest literal, in bytes. A longer text is cut into several.
const MAX_LENGTH: usize = 48;

/// The largest set of characters that is treated as several texts.
const MAX_CHARACTERS: usize = 8;

/// The known properties of the text that a node matches.
struct Known {
    /// All texts that the node can match, if they are few. A text may be empty.
    exact: Option<Texts>,
    /// Sets of literals. Each match contains one literal of each set, in this order and without overlap.
    needs: Vec<Needed>,
    /// The least number of bytes in a match.
    least: usize,
}

/// Returns the sets of literals that every match of `node` contains, in order, as far as they are easy to find. Also
/// returns the least number of bytes in a match.
pub(crate) fn needed(node: &Node, case: Case) -> (Vec<Needed>, usize) {
    let known = known(node, case);
    let least = known.least;
    (known.into_needs(), least)
}

/// Returns the information of `texts`, in bits: a measure of how many lines contain none of the texts. The information
/// is greater if all texts are rare, and if there are few texts.
pub(crate) fn bits(texts: &[Vec<u8>]) -> f64 {
    let rarity = |literal: &Vec<u8>| literal.iter().map(|&byte| bits_of(byte)).sum::<f64>();
    let commonest = texts.iter().map(rarity).fold(f64::INFINITY, f64::min);
    commonest - (texts.len().max(1) as f64).log2()
}

/// Returns the rarity of a byte in logs, in bits (estimated). Blanks are the most frequent bytes, then common
/// punctuation, then common letters and digits.
pub(crate) fn bits_of(byte: u8) -> f64 {
    match byte {
        // A line with one tab usually has many.
        b' ' | b'\t' => 1.0,
        b'a' | b'e' | b'i' | b'n' | b'o' | b'r' | b's' | b't' | b'0'..=b'2' => 3.5,
        b'.' | b'/' | b':' | b'-' | b'"' | b'=' | b',' => 3.0,
        b'3'..=b'9' | b'_' | b'(' | b')' | b'[' | b']' | b'\'' => 4.0,
        _ => 5.0,
    }
}

impl Known {
    fn nothing(least: usize) -> Known {
        Known { exact: None, needs: Vec::new(), least }
    }

    fn exactly(texts: Texts) -> Known {
        let least = shortest(&texts);
        Known { exact: Some(texts), needs: Vec::new(), least }
    }

    fn into_needs(self) -> Vec<Needed> {
        match self.exact {
            Some(texts) => close(texts, 0).into_iter().collect(),
            None => self.needs,
        }
    }
}

fn shortest(texts: &Texts) -> usize {
    texts.iter().map(Vec::len).min().unwrap_or(0)
}

/// Returns `texts` as a set of literals after at least `before` bytes. Returns `None` if a text is empty, because then
/// the set excludes nothing. If one text contains another, only the shorter one is kept. So optional endings disappear.
fn close(mut texts: Texts, before: usize) -> Option<Needed> {
    texts.sort_unstable_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    let mut shortest: Texts = Vec::with_capacity(texts.len());
    for text in texts {
        if text.is_empty() {
            return None;
        }
        if !shortest.iter().any(|known| memchr::memmem::find(&text, known).is_some()) {
            shortest.push(text);
        }
    }
    (!shortest.is_empty()).then_some(Needed { texts: shortest, before })
}

fn known(node: &Node, case: Case) -> Known {
    match node {
        // A look-around consumes no text.
        Node::Empty | Node::Look(_) | Node::Around { .. } => Known::exactly(vec![Vec::new()]),
        Node::Set(set) => characters(set, case).map_or_else(|| Known::nothing(1), Known::exactly),
        Node::Capture { node, .. } | Node::Atomic(node) => known(node, case),
        Node::Concat(parts) => concat(parts.iter().map(|part| known(part, case))),
        Node::Alternate(ways) => alternate(ways.iter().map(|way| known(way, case)).collect()),
        Node::Conditional { yes, no, .. } => alternate(vec![known(yes, case), known(no, case)]),
        Node::Repeat { node, min: 0, max, .. } => match (known(node, case).exact, max) {
            (Some(mut texts), Some(1)) if texts.len() < MAX_TEXTS => {
                texts.push(Vec::new());
                Known::exactly(texts)
            }
            _ => Known::nothing(0),
        },
        Node::Repeat { node, min, max, .. } => {
            let mut round = known(node, case);
            let least = round.least.saturating_mul(*min as usize);
            match &round.exact {
                Some(texts) if *max == Some(*min) && *min as usize <= MAX_LENGTH => {
                    let texts = texts.clone();
                    concat((0..*min).map(|_| Known::exactly(texts.clone())))
                }
                _ => {
                    let needs = round.exact.take().map_or(round.needs, |texts| close(texts, 0).into_iter().collect());
                    Known { exact: None, needs, least }
                }
            }
        }
        Node::Backreference { .. } | Node::Foreign(_) => Known::nothing(0),
    }
}

/// Returns the characters of `set` as texts, if they are few. Raw bytes have no text.
fn characters(set: &Set, case: Case) -> Option<Texts> {
    let ranges = set.as_ranges();
    let count: u32 = ranges.iter().map(|(low, high)| high - low + 1).try_fold(0, u32::checked_add)?;
    if set.contains_raw() || count as usize > MAX_CHARACTERS {
        return None;
    }
    let folded = |c: char| if case == Case::Folded { c.to_ascii_lowercase() } else { c };
    let characters = ranges.iter().flat_map(|&(low, high)| low..=high);
    let mut texts = characters
        .map(|code| char::from_u32(code).map(|c| folded(c).to_string().into_bytes()))
        .collect::<Option<Texts>>()?;
    texts.sort_unstable();
    texts.dedup();
    Some(texts)
}

fn concat(parts: impl Iterator<Item = Known>) -> Known {
    // The text collected so far, and the least number of bytes before it.
    let (mut run, mut before): (Texts, usize) = (vec![Vec::new()], 0);
    let mut needs = Vec::new();
    let mut exact = true;
    for part in parts {
        let longer = part.exact.as_ref().and_then(|texts| product(&run, texts));
        if let Some(longer) = longer {
            run = longer;
            continue;
        }
        exact = false;
        let behind = before.saturating_add(shortest(&run));
        match part.exact {
            Some(texts) => {
                needs.extend(close(std::mem::replace(&mut run, texts), before));
                before = behind;
            }
            None => {
                needs.extend(close(std::mem::replace(&mut run, vec![Vec::new()]), before));
                let moved = |need: Needed| Needed { before: need.before.saturating_add(behind), ..need };
                needs.extend(part.needs.into_iter().map(moved));
                before = behind.saturating_add(part.least);
            }
        }
    }
    match exact {
        true => Known::exactly(run),
        false => {
            let least = before.saturating_add(shortest(&run));
            needs.extend(close(run, before));
            Known { exact: None, needs, least }
        }
    }
}

/// Returns every text of `first` followed by every text of `second`; `None` if they are too many or too long.
fn product(first: &Texts, second: &Texts) -> Option<Texts> {
    let longest = |texts: &Texts| texts.iter().map(Vec::len).max().unwrap_or(0);
    if first.len() * second.len() > MAX_TEXTS || longest(first) + longest(second) > MAX_LENGTH {
        return None;
    }
    let mut texts: Texts = first.iter().flat_map(|a| second.iter().map(move |b| [&a[..], b].concat())).collect();
    texts.sort_unstable();
    texts.dedup();
    Some(texts)
}

fn alternate(ways: Vec<Known>) -> Known {
    let least = ways.iter().map(|way| way.least).min().unwrap_or(0);
    let exact: Option<Vec<&[Vec<u8>]>> = ways.iter().map(|way| way.exact.as_deref()).collect();
    if let Some(exact) = exact
        && exact.iter().map(|texts| texts.len()).sum::<usize>() <= MAX_TEXTS
    {
        let mut texts: Texts = exact.concat();
        texts.sort_unstable();
        texts.dedup();
        return Known::exactly(texts);
    }
    // A short text is replaced by two literals: its first and its last byte.
    let ends: Vec<Option<[Needed; 2]>> = ways.iter().map(|way| way.exact.as_deref().and_then(first_and_last)).collect();
    let ways: Vec<Vec<Needed>> = ways.into_iter().map(Known::into_needs).collect();
    let most = |needs: &[Needed]| needs.iter().map(|need| bits(&need.texts)).fold(0.0, f64::max);
    let best = |way: &Vec<Needed>| way.iter().max_by(|a, b| bits(&a.texts).total_cmp(&bits(&b.texts))).cloned();
    let best: Vec<Needed> = ways.iter().map(best).collect::<Option<_>>().and_then(one_of).into_iter().collect();
    // The sets of all ways are merged by position: the first of each way, the second, and so on. The last sets of all
    // ways are merged with each other.
    let ways: Vec<Vec<Needed>> =
        ways.into_iter().zip(ends).map(|(needs, ends)| ends.map_or(needs, Vec::from)).collect();
    let count = ways.iter().map(Vec::len).min().unwrap_or(0);
    let of_way = |way: &Vec<Needed>, index: usize| way[if index + 1 < count { index } else { way.len() - 1 }].clone();
    let all: Vec<Needed> =
        (0..count).filter_map(|index| one_of(ways.iter().map(|way| of_way(way, index)).collect())).collect();
    let needs = if all.len() > 1 && most(&all) >= most(&best) { all } else { best };
    Known { exact: None, needs, least }
}

/// Returns the first bytes and the last bytes of short texts, as two sets. Longer texts are more selective as a whole.
fn first_and_last(texts: &[Vec<u8>]) -> Option<[Needed; 2]> {
    const LONGEST: usize = 3;
    let shortest = texts.iter().map(Vec::len).min().filter(|length| *length > 1)?;
    if texts.iter().any(|text| text.len() > LONGEST) {
        return None;
    }
    let firsts = texts.iter().filter_map(|text| text.first()).map(|&byte| vec![byte]);
    let lasts = texts.iter().filter_map(|text| text.last()).map(|&byte| vec![byte]);
    Some([close(firsts.collect(), 0)?, close(lasts.collect(), shortest - 1)?])
}

/// Merges `needs` into one set, for matches that need one of them. Returns `None` if the set has too many texts.
fn one_of(needs: Vec<Needed>) -> Option<Needed> {
    let before = needs.iter().map(|need| need.before).min().unwrap_or(0);
    let needed = close(needs.into_iter().flat_map(|need| need.texts).collect(), before)?;
    (needed.texts.len() <= MAX_TEXTS).then_some(needed)
}

#[cfg(all(test, not(engines)))]
mod tests {
    use super::*;
    use crate::grok::Library;

    /// Returns the sets for `pattern` as text: literals separated by `|`, sets by `, `.
    fn told(pattern: &str) -> String {
        let pattern = Library::builtin().compile(pattern).unwrap_or_else(|error| panic!("{error}"));
        let (sets, _) = needed(pattern.tree(), Case::Folded);
        let shown = sets.iter().map(|set| {
            let texts: Vec<_> = set.texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
            texts.join("|")
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn literals_are_read_from_the_tree() {
        for (pattern, expected) in [
            ("abc", "abc"),
            ("(?i)ABC", "abc"),
            ("ab?c", "ac|abc"),
            ("a*", ""),
            ("a+b", "a, b"),
            ("(?:ab){2}c", "ababc"),
            ("(?:ab)+c", "ab, c"),
            ("x%{INT:n}yz", "x, yz"),
            ("one|two", "one|two"),
            ("one %{INT}|two %{WORD}", "one |two "),
            ("one|%{INT}", ""),
            ("<%{INT}>|\\[%{INT}]", "<|[, >|]"),
            ("<%{INT}>%{INT}!|\\[%{INT}]", "<|[, !|]"),
            ("<%{INT}>|\\[\\]", ">|[]"),
            ("<%{INT}<|<<", "<, <"),
            ("<%{INT}>|abcd", ">|abcd"),
            ("rare %{INT}:|%{INT}:rare", ":rare|rare "),
            ("(?<a>in)(?:put)?", "in"),
            ("[ab]c[^d]e", "ac|bc, e"),
            ("^(?>a)(?=b).c$", "a, c"),
            ("(?<a>x)\\k<a>z", "x, z"),
            ("é+ü", "é, ü"),
            (".", ""),
        ] {
            assert_eq!(told(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn a_set_tells_more_the_rarer_and_fewer_its_literals_are() {
        let bits = |texts: &[&str]| super::bits(&texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>());
        assert!(bits(&["query"]) > bits(&["to"]));
        assert!(bits(&["query"]) > bits(&["query", "reply"]));
        assert!(bits(&["query", "a"]) < bits(&["qu"]));
    }
}
