//! Texts that every match contains: where one of them is not in a line, there is no match, and none begins behind the
//! last of them. They are looked for at the speed of memory.

use aho_corasick::packed::Searcher;
use memchr::memmem::Finder;

use super::lead::has_capture;
use crate::grok::ast::Node;
use crate::grok::literals::{Case, Needed, bits, bits_of, needed};

/// What a line is looked through for: for each way in which a match can go, what it needs.
#[derive(Debug)]
pub(super) struct Needles(Vec<Way>);

/// What every match needs that goes this way.
#[derive(Debug)]
struct Way {
    /// In the order in which they stand in a match, apart from each other.
    ordered: Vec<Needle>,
    /// The one of them that tells most: it is looked for first when there are other ways.
    telling: Option<Finder<'static>>,
    /// Many texts, of which one is in every match.
    many: Option<Searcher>,
    /// The fewest bytes of a match.
    least: usize,
}

/// Texts of which one stands in every match, behind so many bytes of it at least.
#[derive(Debug, PartialEq, Eq)]
struct Needle {
    texts: Vec<Text>,
    /// The texts, when they are two or three bytes.
    bytes: Option<[u8; 3]>,
    before: usize,
    /// How many of them there are in a row: the columns of a table.
    times: usize,
}

/// A text that is looked for from the end, by its rarest byte.
#[derive(Debug, PartialEq, Eq)]
struct Text {
    text: Vec<u8>,
    /// Where in it the byte stands.
    rare: usize,
    /// The same in small letters, when upper and lower case are the same.
    other: Option<u8>,
}

/// The most needles in a row, and the most texts of one of them.
const MAX_NEEDLES: usize = 32;
const MAX_TEXTS: usize = 3;
/// The same where there are several ways.
const MAX_TEXTS_OF_WAYS: usize = 6;

/// The most ways that are looked at one by one, and the fewest alternatives at an end that are taken for ways.
const MAX_WAYS: usize = 48;
const MANY_ENDS: usize = 8;

/// A needle that tells no more, in bits, is left out where there are so many others: blanks are everywhere.
const LITTLE: f64 = 1.0;
const PLENTY: usize = 6;

/// What many texts must tell, in bits, to be looked for.
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
                    // What several programs write is there several times.
                    if !ways.iter().any(|known| known.least == way.least && known.ordered == way.ordered) {
                        ways.push(way);
                    }
                }
            }
            _ => ways.push(Way::new(node, MAX_TEXTS)),
        }
        // When nothing is known of one way, the others tell nothing.
        let least = ways.iter().map(|way: &Way| way.least).min().unwrap_or(0);
        match ways.iter().any(|way| way.ordered.is_empty()) {
            true if ways.len() > 1 => Needles(vec![Way { least, ..Way::new(&Node::Empty, 0) }]),
            _ => Needles(ways),
        }
    }

    /// How much it takes to look for them, in bytes that an automaton reads in that time, roughly.
    pub(super) fn price(&self) -> usize {
        match &self.0[..] {
            [way] => {
                let many = if way.many.is_some() { 12 } else { 0 };
                3 + many + way.ordered.iter().map(|needle| 4 * needle.texts.len()).sum::<usize>()
            }
            ways => 8 * ways.len(),
        }
    }

    /// The last place where a match can begin, if there can be one.
    pub(super) fn last(&self, line: &[u8]) -> Option<usize> {
        match &self.0[..] {
            [way] => way.last(line),
            ways => ways.iter().filter_map(|way| way.last_of_ways(line)).max(),
        }
    }

    /// Whether the line lacks all of what every match has one of.
    pub(super) fn lacks(&self, line: &[u8]) -> bool {
        let [Way { many: Some(many), .. }] = &self.0[..] else { return false };
        many.find(line).is_none()
    }
}

/// The alternatives that `node` is made of or ends with, those of alternatives with them.
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
        // A line that was cut lacks the last one, and that is found out at once.
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

    /// The byte that it is.
    fn byte(&self) -> Option<u8> {
        match &self.texts[..] {
            [Text { text, other: None, .. }] if text.len() == 1 => text.first().copied(),
            _ => None,
        }
    }

    /// Where the last such text of `line` begins, or the first one of the last so many.
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
