//! What a line must hold for an expression to match it: sets of literals of which at least one occurs.
//!
//! Upper and lower case of ASCII are the same here: a literal is in lower case, and whoever looks for it looks in both.
//! That makes one literal of what `(?i)` made many of, and costs little: logs differ in words, not in their case.

use crate::grok::ast::Node;
use crate::grok::set::Set;

/// Literals of which at least one occurs in every line that matches. None of them is empty.
pub(crate) type Needed = Vec<Vec<u8>>;

/// The most texts kept apart. Months are twelve, log levels a few dozen; what has more forms tells little.
const MAX_TEXTS: usize = 64;

/// The longest literal, in bytes. A longer run is cut into several.
const MAX_LENGTH: usize = 48;

/// The largest set of characters taken for several texts.
const MAX_CHARACTERS: usize = 8;

/// What is known of the text that a part of an expression consumes.
struct Known {
    /// It is one of these, which may be empty.
    exact: Option<Needed>,
    /// It holds one of each of these.
    needs: Vec<Needed>,
}

/// Everything that a line must hold for `node` to match it, as far as it is told easily.
pub(crate) fn needed(node: &Node) -> Vec<Needed> {
    known(node).into_needs()
}

/// How much `needed` tells, in bits: the rarer its commonest literal, and the fewer there are, the more. Estimated from
/// what stands in logs: letters and digits are common, capitals are not told apart, signs are between.
pub(crate) fn bits(needed: &[Vec<u8>]) -> f64 {
    let byte = |byte: &u8| match byte {
        b' ' => 1.0,
        b'a' | b'e' | b'i' | b'n' | b'o' | b'r' | b's' | b't' | b'0'..=b'2' => 3.5,
        b'.' | b'/' | b':' | b'-' | b'"' | b'=' | b',' => 3.0,
        b'3'..=b'9' | b'_' | b'(' | b')' | b'[' | b']' | b'\'' => 4.0,
        _ => 5.0,
    };
    let rarity = |literal: &Vec<u8>| literal.iter().map(byte).sum::<f64>();
    let commonest = needed.iter().map(rarity).fold(f64::INFINITY, f64::min);
    commonest - (needed.len().max(1) as f64).log2()
}

impl Known {
    fn nothing() -> Known {
        Known { exact: None, needs: Vec::new() }
    }

    fn exactly(texts: Needed) -> Known {
        Known { exact: Some(texts), needs: Vec::new() }
    }

    fn into_needs(self) -> Vec<Needed> {
        match self.exact {
            Some(texts) => close(texts).into_iter().collect(),
            None => self.needs,
        }
    }

    /// The one that tells most.
    fn into_best(self) -> Option<Needed> {
        self.into_needs().into_iter().max_by(|a, b| bits(a).total_cmp(&bits(b)))
    }
}

/// `texts` as something that is needed, unless one of them is empty and so tells nothing. Where one is part of another,
/// it is enough to know the shorter one: optional ends fall off.
fn close(mut texts: Needed) -> Option<Needed> {
    texts.sort_unstable_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    let mut shortest: Needed = Vec::with_capacity(texts.len());
    for text in texts {
        if text.is_empty() {
            return None;
        }
        if !shortest.iter().any(|known| memchr::memmem::find(&text, known).is_some()) {
            shortest.push(text);
        }
    }
    (!shortest.is_empty()).then_some(shortest)
}

fn known(node: &Node) -> Known {
    match node {
        // What is looked for beside the text consumes nothing of it.
        Node::Empty | Node::Look(_) | Node::Around { .. } => Known::exactly(vec![Vec::new()]),
        Node::Set(set) => characters(set).map_or_else(Known::nothing, Known::exactly),
        Node::Capture { node, .. } | Node::Atomic(node) => known(node),
        Node::Concat(parts) => concat(parts.iter().map(known)),
        Node::Alternate(branches) => alternate(branches.iter()),
        Node::Conditional { yes, no, .. } => alternate([&**yes, &**no].into_iter()),
        Node::Repeat { node, min: 0, max, .. } => match (known(node).exact, max) {
            (Some(mut texts), Some(1)) if texts.len() < MAX_TEXTS => {
                texts.push(Vec::new());
                Known::exactly(texts)
            }
            _ => Known::nothing(),
        },
        Node::Repeat { node, min, max, .. } => {
            let mut round = known(node);
            match &round.exact {
                Some(texts) if *max == Some(*min) && *min as usize <= MAX_LENGTH => {
                    let texts = texts.clone();
                    concat((0..*min).map(|_| Known::exactly(texts.clone())))
                }
                _ => {
                    round.needs = round.exact.take().map_or(round.needs, |texts| close(texts).into_iter().collect());
                    round
                }
            }
        }
        Node::Backreference { .. } | Node::Foreign(_) => Known::nothing(),
    }
}

/// The characters of `set` as texts, when they are few. Raw bytes have no text.
fn characters(set: &Set) -> Option<Needed> {
    let ranges = set.as_ranges();
    let count: u32 = ranges.iter().map(|(low, high)| high - low + 1).try_fold(0, u32::checked_add)?;
    if set.contains_raw() || count as usize > MAX_CHARACTERS {
        return None;
    }
    let characters = ranges.iter().flat_map(|&(low, high)| low..=high);
    let mut texts = characters
        .map(|code| char::from_u32(code).map(|c| c.to_ascii_lowercase().to_string().into_bytes()))
        .collect::<Option<Needed>>()?;
    texts.dedup();
    texts.sort_unstable();
    texts.dedup();
    Some(texts)
}

fn concat(parts: impl Iterator<Item = Known>) -> Known {
    let mut run: Needed = vec![Vec::new()];
    let mut needs = Vec::new();
    let mut exact = true;
    for part in parts {
        match part.exact {
            Some(texts) => match product(&run, &texts) {
                Some(longer) => run = longer,
                None => {
                    exact = false;
                    needs.extend(close(std::mem::replace(&mut run, texts)));
                }
            },
            None => {
                exact = false;
                needs.extend(close(std::mem::replace(&mut run, vec![Vec::new()])));
                needs.extend(part.needs);
            }
        }
    }
    match exact {
        true => Known::exactly(run),
        false => {
            needs.extend(close(run));
            Known { exact: None, needs }
        }
    }
}

/// Each of `first` with each of `second` behind it, unless those are too many or too long.
fn product(first: &Needed, second: &Needed) -> Option<Needed> {
    let longest = |texts: &Needed| texts.iter().map(Vec::len).max().unwrap_or(0);
    if first.len() * second.len() > MAX_TEXTS || longest(first) + longest(second) > MAX_LENGTH {
        return None;
    }
    let mut texts: Needed = first.iter().flat_map(|a| second.iter().map(move |b| [&a[..], b].concat())).collect();
    texts.sort_unstable();
    texts.dedup();
    Some(texts)
}

fn alternate<'n>(branches: impl Iterator<Item = &'n Node>) -> Known {
    let branches: Vec<Known> = branches.map(known).collect();
    let exact: Option<Vec<&[Vec<u8>]>> = branches.iter().map(|branch| branch.exact.as_deref()).collect();
    if let Some(exact) = exact
        && exact.iter().map(|texts| texts.len()).sum::<usize>() <= MAX_TEXTS
    {
        let mut texts: Needed = exact.concat();
        texts.sort_unstable();
        texts.dedup();
        return Known::exactly(texts);
    }
    let best: Option<Vec<Needed>> = branches.into_iter().map(Known::into_best).collect();
    let needed = best.and_then(|best| close(best.concat())).filter(|texts| texts.len() <= MAX_TEXTS);
    Known { exact: None, needs: needed.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grok::Library;

    /// What lines that match `pattern` must hold: alternatives with `|`, sets with `, `.
    fn told(pattern: &str) -> String {
        let pattern = Library::stock().compile(pattern).unwrap_or_else(|error| panic!("{error}"));
        let sets = needed(pattern.tree());
        let shown = sets.iter().map(|set| {
            let texts: Vec<_> = set.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
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
