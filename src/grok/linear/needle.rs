//! Needles: literal texts that every match contains. If a needle is missing from a line, the line has no match.
//! Otherwise, no match starts after the last occurrence of a needle. Needles are found at the speed of memory.

use aho_corasick::packed::Searcher;
use memchr::memmem::Finder;

use super::lead::has_capture;
use crate::grok::ast::Node;
use crate::grok::literals::{Case, Needed, bits, bits_of, needed};

/// The needles of an expression, for each of its top-level alternatives (*ways*).
#[derive(Debug)]
pub(super) struct Needles(Vec<Way>);

/// The needles of one top-level alternative.
#[derive(Debug)]
struct Way {
    /// Needles that do not overlap, in the order in which they stand in a match.
    ordered: Vec<Needle>,
    /// The needle with the most information. If there are several ways, it is looked for first.
    telling: Option<Finder<'static>>,
    /// A large set of texts. Every match contains at least one of them.
    many: Option<Searcher>,
    /// The length of the shortest match, in bytes.
    least: usize,
}

/// A set of texts. Every match contains one of them, at least `before` bytes after its start.
#[derive(Debug, PartialEq, Eq)]
struct Needle {
    texts: Vec<Text>,
    /// The texts again, if they are two or three single bytes.
    bytes: Option<[u8; 3]>,
    before: usize,
    /// The number of needles with this text in a row. Lines with columns repeat their separator.
    times: usize,
}

/// A text that is searched from the end of the line, by its rarest byte.
#[derive(Debug, PartialEq, Eq)]
struct Text {
    text: Vec<u8>,
    /// The index of the rarest byte.
    rare: usize,
    /// The same byte as a capital letter, if the search ignores case.
    other: Option<u8>,
}

/// The most needles of a way, and the most texts of a needle.
const MAX_NEEDLES: usize = 32;
const MAX_TEXTS: usize = 3;
/// The most texts of a needle if there are several ways.
const MAX_TEXTS_OF_WAYS: usize = 6;

/// The most ways that are searched one by one, and the fewest alternatives at an expression's end that count as ways.
const MAX_WAYS: usize = 48;
const MANY_ENDS: usize = 8;

/// A needle that carries at most `LITTLE` bits of information is left out if at least `PLENTY` better needles exist.
/// For example, nearly every line contains a blank.
const LITTLE: f64 = 1.0;
const PLENTY: usize = 6;

/// The minimum information of a large set of texts, in bits. A set with less information is not searched.
const WORTH: f64 = 7.0;

impl Needles {
    pub(super) fn new(node: &Node) -> Needles {
        let mut nodes = Vec::new();
        if has_capture(node) {
            flatten(node, &mut nodes);
        }
        let mut ways: Vec<Way> = Vec::new();
        match nodes.len() {
            2..=MAX_WAYS => {
                for way in nodes.iter().map(|node| Way::new(node, MAX_TEXTS_OF_WAYS)) {
                    // Several programs can write the same message, so the same way can occur several times.
                    if !ways.iter().any(|known| known.least == way.least && known.ordered == way.ordered) {
                        ways.push(way);
                    }
                }
            }
            _ => ways.push(Way::new(node, MAX_TEXTS)),
        }
        // If one way has no needles, the needles of the other ways prove nothing.
        let least = ways.iter().map(|way: &Way| way.least).min().unwrap_or(0);
        match ways.iter().any(|way| way.ordered.is_empty()) {
            true if ways.len() > 1 => Needles(vec![Way { least, ..Way::new(&Node::Empty, 0) }]),
            _ => Needles(ways),
        }
    }

    /// Returns the approximate cost of the search, in bytes that an automaton reads in the same time.
    pub(super) fn price(&self) -> usize {
        match &self.0[..] {
            [way] => {
                let many = if way.many.is_some() { 12 } else { 0 };
                3 + many + way.ordered.iter().map(|needle| 4 * needle.texts.len()).sum::<usize>()
            }
            ways => 8 * ways.len(),
        }
    }

    /// Returns the last position where a match can start, if there is one.
    pub(super) fn last(&self, line: &[u8]) -> Option<usize> {
        match &self.0[..] {
            [way] => way.last(line),
            ways => ways.iter().filter_map(|way| way.last_of_ways(line)).max(),
        }
    }

    /// Returns whether the line lacks every text of the large set.
    pub(super) fn lacks(&self, line: &[u8]) -> bool {
        let [Way { many: Some(many), .. }] = &self.0[..] else { return false };
        many.find(line).is_none()
    }
}

/// Collects the alternatives that `node` consists of or ends with, nested alternatives included.
fn flatten(node: &Node, ways: &mut Vec<Node>) {
    match node {
        Node::Alternate(all) => all.iter().for_each(|way| flatten(way, ways)),
        Node::Concat(parts) => match parts.split_last() {
            Some((Node::Alternate(ends), before)) if ends.len() >= MANY_ENDS => {
                for end in ends {
                    flatten(&Node::concat(before.iter().cloned().chain([end.clone()])), ways);
                }
            }
            _ => ways.push(node.clone()),
        },
        way => ways.push(way.clone()),
    }
}

impl Way {
    fn new(node: &Node, most: usize) -> Way {
        let (mut needs, least) = needed(node, Case::Exact);
        let mut case = Case::Exact;
        if needs.is_empty() {
            case = Case::Folded;
            needs = needed(node, case).0;
        }
        let many = needs.iter().filter(|need| case == Case::Exact && need.texts.len() > most);
        let many = many.filter(|need| bits(&need.texts) >= WORTH && need.texts.iter().all(|text| text.len() > 1));
        let many = many.max_by(|a, b| bits(&a.texts).total_cmp(&bits(&b.texts)));
        let many = many.and_then(|need| Searcher::new(&need.texts));
        let mut few: Vec<&Needed> = needs.iter().filter(|need| need.texts.len() <= most).collect();
        let tells = |need: &&Needed| bits(&need.texts) > LITTLE;
        if few.iter().filter(|need| tells(need)).count() >= PLENTY {
            few.retain(tells);
        }
        let mut best: Vec<usize> = (0..few.len()).collect();
        best.sort_by(|&a, &b| bits(&few[b].texts).total_cmp(&bits(&few[a].texts)));
        let telling = best.first().filter(|_| case == Case::Exact).and_then(|&index| match &few[index].texts[..] {
            [text] => Some(Finder::new(text).into_owned()),
            _ => None,
        });
        // The last needle is always kept, because its absence reveals a truncated line at once.
        let last = few.len().checked_sub(1).filter(|last| !best.iter().take(MAX_NEEDLES).any(|index| index == last));
        best.truncate(MAX_NEEDLES);
        best.extend(last);
        best.sort_unstable();
        let mut ordered: Vec<Needle> = Vec::new();
        for needle in best.into_iter().map(|index| Needle::new(few[index], case)) {
            match ordered.last_mut() {
                Some(last) if last.byte().is_some() && last.byte() == needle.byte() => last.times += 1,
                _ => ordered.push(needle),
            }
        }
        Way { ordered, telling, many, least }
    }

    fn last_of_ways(&self, line: &[u8]) -> Option<usize> {
        match &self.telling {
            Some(text) if text.find(line).is_none() => None,
            _ => self.last(line),
        }
    }

    fn last(&self, line: &[u8]) -> Option<usize> {
        let mut last = line.len().checked_sub(self.least)?;
        let mut end = line.len();
        for needle in self.ordered.iter().rev() {
            end = needle.find_last(&line[..end])?;
            last = last.min(end.checked_sub(needle.before)?);
        }
        Some(last)
    }
}

impl Needle {
    fn new(needed: &Needed, case: Case) -> Needle {
        let text = |text: &Vec<u8>| {
            let common =
                |byte: u8| (bits_of(byte) * 2.0) as u32 - u32::from(case == Case::Folded && byte.is_ascii_alphabetic());
            let rare = (0..text.len()).max_by_key(|&at| common(text[at])).unwrap_or(0);
            Text { text: text.clone(), rare, other: (case == Case::Folded).then(|| text[rare].to_ascii_uppercase()) }
        };
        let bytes = match &needed.texts[..] {
            _ if case == Case::Folded => None,
            [a, b] => a.first().zip(b.first()).map(|(&a, &b)| [a, b, b]),
            [a, b, c] => a.first().zip(b.first()).zip(c.first()).map(|((&a, &b), &c)| [a, b, c]),
            _ => None,
        };
        let bytes = bytes.filter(|_| needed.texts.iter().all(|text| text.len() == 1));
        Needle { texts: needed.texts.iter().map(text).collect(), bytes, before: needed.before, times: 1 }
    }

    /// Returns the needle's byte, if the needle is a single byte.
    fn byte(&self) -> Option<u8> {
        match &self.texts[..] {
            [Text { text, other: None, .. }] if text.len() == 1 => text.first().copied(),
            _ => None,
        }
    }

    /// Returns where the last occurrence in `line` starts. For a needle that repeats `times` times, returns the first
    /// of the last `times` occurrences.
    fn find_last(&self, line: &[u8]) -> Option<usize> {
        if let (2.., Some(byte)) = (self.times, self.byte()) {
            let more = memchr::memchr_iter(byte, line).count().checked_sub(self.times)?;
            return memchr::memchr_iter(byte, line).nth(more);
        }
        if let Some([a, b, c]) = self.bytes {
            return memchr::memrchr3(a, b, c, line);
        }
        match &self.texts[..] {
            [text] => text.find_last(line),
            texts => texts.iter().filter_map(|text| text.find_last(line)).max(),
        }
    }
}

impl Text {
    fn find_last(&self, line: &[u8]) -> Option<usize> {
        let mut end = line.len().checked_sub(self.text.len() - 1 - self.rare)?;
        loop {
            let before = line.get(..end)?;
            let found = match self.other {
                None => memchr::memrchr(self.text[self.rare], before)?,
                Some(other) => memchr::memrchr2(self.text[self.rare], other, before)?,
            };
            if let Some(start) = found.checked_sub(self.rare)
                && let Some(there) = line.get(start..start + self.text.len())
                && if self.other.is_some() { there.eq_ignore_ascii_case(&self.text) } else { there == self.text }
            {
                return Some(start);
            }
            end = found;
        }
    }
}
