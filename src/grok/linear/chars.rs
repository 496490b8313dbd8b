//! Characters of a line, and the compiled form of a set of them.
//!
//! A line is read as UTF-8, and where it is none, a raw byte at a time. As no byte of a valid sequence is the beginning
//! of another, reading forwards and backwards finds the same characters.

use std::sync::OnceLock;

use super::blocks::{BLOCK, Ranges, Stops};
use crate::grok::set::Set;
use crate::grok::unicode::posix;

/// One character: its code point, or [`RAW`] for a byte that is not part of valid UTF-8.
pub(super) type Char = u32;

/// The number of every raw byte.
pub(super) const RAW: Char = Set::LAST + 1;

/// The character at `at`, and its length; `at` must be inside the line.
#[inline]
pub(super) fn decode(line: &[u8], at: usize) -> (Char, usize) {
    match line[at] {
        b if b < 0x80 => (u32::from(b), 1),
        _ => decode_long(&line[at..]),
    }
}

#[cold]
fn decode_long(rest: &[u8]) -> (Char, usize) {
    let length = match rest[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return (RAW, 1),
    };
    let text = rest.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
    text.and_then(|text| text.chars().next()).map_or((RAW, 1), |c| (c as u32, length))
}

/// The character that ends at `at`, and its length; `at` must not be 0.
#[inline]
pub(super) fn decode_last(line: &[u8], at: usize) -> (Char, usize) {
    match line[at - 1] {
        b if b < 0x80 => (u32::from(b), 1),
        _ => decode_last_long(line, at),
    }
}

#[cold]
fn decode_last_long(line: &[u8], at: usize) -> (Char, usize) {
    for length in 2..=at.min(4) {
        let start = at - length;
        if line[start] & 0xc0 != 0x80 {
            let (c, found) = decode(line, start);
            return if found == length { (c, length) } else { (RAW, 1) };
        }
    }
    (RAW, 1)
}

/// Whether `c` is in `set`.
pub(super) fn has(set: &Set, c: Char) -> bool {
    if c == RAW { set.contains_raw() } else { set.contains(c) }
}

/// The word characters of Unicode, which `\b` stands between.
pub(super) fn word() -> &'static Set {
    static NONE: OnceLock<Set> = OnceLock::new();
    posix("word").unwrap_or_else(|| NONE.get_or_init(Set::empty))
}

/// The bytes of `table` as ranges, if they are few.
fn ranges<const N: usize>(table: &[bool; 256]) -> Option<[(u8, u8); N]> {
    let mut found: Vec<(u8, u8)> = Vec::new();
    for byte in (0..=255u8).filter(|&byte| table[usize::from(byte)]) {
        match found.last_mut() {
            Some((_, high)) if *high + 1 == byte => *high = byte,
            _ => found.push((byte, byte)),
        }
    }
    let last = *found.last()?;
    (found.len() <= N).then(|| std::array::from_fn(|index| found.get(index).copied().unwrap_or(last)))
}

/// A set made to be asked fast.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Class {
    /// By byte: whether a character that is this byte belongs. A byte beyond ASCII is in it only when every character
    /// beyond ASCII and every raw byte is, so that the bytes need not be read as characters.
    table: [bool; 256],
    /// Characters beyond ASCII, when some belong and some do not.
    beyond: Option<Set>,
    scan: Scan,
}

/// How the end of a run is found.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scan {
    /// It reaches to the end of the line.
    All,
    /// At one of these bytes that is not in the table.
    At(Stops),
    /// At a byte in none of these ranges.
    Few(Ranges<FEW>),
    Many(Ranges<MANY>),
    /// By the table.
    Table,
}

/// The most ranges of bytes that are compared; what remains of an array repeats the last one.
const FEW: usize = 4;
const MANY: usize = 8;

/// More characters of ASCII than this are free text: letters, digits and what names are made of are not.
pub(super) const FREE: usize = 70;

impl Class {
    pub(super) fn new(set: &Set) -> Class {
        let ascii: Vec<bool> = (0..0x80).map(|c| set.contains(c)).collect();
        let beyond = Set::ranges([(0x80, Set::LAST)]);
        let all = set.contains_raw() && beyond.intersect(&set.negate()).is_empty();
        let none = !set.contains_raw() && beyond.is_disjoint(set);
        let table = std::array::from_fn(|b| if b < 0x80 { ascii[b] } else { all });
        let out = ascii.iter().filter(|&&belongs| !belongs).count();
        let scan = match Stops::new(|byte| !ascii[usize::from(byte)], !all) {
            _ if all && out == 0 => Scan::All,
            Some(stops) => Scan::At(stops),
            None => match (ranges(&table), ranges(&table)) {
                (Some(few), _) => Scan::Few(Ranges::new(few)),
                (None, Some(many)) => Scan::Many(Ranges::new(many)),
                (None, None) => Scan::Table,
            },
        };
        Class { table, beyond: if all || none { None } else { Some(set.clone()) }, scan }
    }

    /// Whether the character of ASCII belongs.
    pub(super) fn has_ascii(&self, byte: u8) -> bool {
        byte < 0x80 && self.table[usize::from(byte)]
    }

    /// Whether nearly anything belongs, as in free text.
    pub(super) fn is_free(&self) -> bool {
        self.table[..0x80].iter().filter(|&&belongs| belongs).count() > FREE
    }

    /// The length of the character at `at`, when it is there and belongs.
    #[inline]
    pub(super) fn step(&self, line: &[u8], at: usize) -> Option<usize> {
        let byte = *line.get(at)?;
        if byte < 0x80 {
            return if self.table[usize::from(byte)] { Some(1) } else { None };
        }
        self.step_long(line, at)
    }

    #[cold]
    fn step_long(&self, line: &[u8], at: usize) -> Option<usize> {
        let (c, length) = decode(line, at);
        let belongs = match &self.beyond {
            Some(set) => has(set, c),
            None => self.table[0x80],
        };
        if belongs { Some(length) } else { None }
    }

    /// Whether the character at `at` belongs; not at the end.
    #[inline]
    pub(super) fn at(&self, line: &[u8], at: usize) -> bool {
        self.step(line, at).is_some()
    }

    /// Whether the character before `at` belongs; not at the beginning.
    #[inline]
    pub(super) fn before(&self, line: &[u8], at: usize) -> bool {
        if at == 0 {
            return false;
        }
        let byte = line[at - 1];
        if byte < 0x80 {
            return self.table[usize::from(byte)];
        }
        let (c, _) = decode_last(line, at);
        match &self.beyond {
            Some(set) => has(set, c),
            None => self.table[0x80],
        }
    }

    /// Where the run of characters that belong ends, from `at` on.
    #[inline(always)]
    pub(super) fn run(&self, line: &[u8], at: usize) -> usize {
        let end = match &self.scan {
            Scan::At(stops) => stops.find(line, at),
            // Most runs are short.
            Scan::Few(ranges) => {
                let block = line.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>());
                match block.and_then(|block| ranges.outside(block)) {
                    Some(count) => at + count,
                    None => return self.run_far(line, at),
                }
            }
            _ => return self.run_far(line, at),
        };
        match line.get(end) {
            Some(&byte) if self.table[usize::from(byte)] || (byte >= 0x80 && self.beyond.is_some()) => {
                self.run_far(line, end)
            }
            _ => end,
        }
    }

    /// The same. Kept apart: comparing many bytes takes many registers, which callers would have to prepare whether they
    /// come here or not.
    #[inline(never)]
    fn run_far(&self, line: &[u8], mut at: usize) -> usize {
        loop {
            at = match &self.scan {
                Scan::All => return line.len(),
                Scan::At(stops) => stops.find(line, at),
                Scan::Few(ranges) => self.run_by_table(line, ranges.find(line, at)),
                Scan::Many(ranges) => self.run_by_table(line, ranges.find(line, at)),
                Scan::Table => self.run_by_table(line, at),
            };
            match self.step(line, at) {
                Some(length) => at += length,
                None => return at,
            }
        }
    }

    /// Where the table says that the run ends, or a character beyond ASCII begins.
    #[inline]
    fn run_by_table(&self, line: &[u8], at: usize) -> usize {
        let rest = line.get(at..).unwrap_or_default();
        at + rest.iter().position(|&byte| !self.table[usize::from(byte)]).unwrap_or(rest.len())
    }

    /// Where a run of at most `most` characters ends, and how many they are.
    pub(super) fn run_counted(&self, line: &[u8], at: usize, most: u32) -> (usize, u32) {
        let (mut end, mut count) = (at, 0);
        while count < most {
            let Some(length) = self.step(line, end) else { break };
            end += length;
            count += 1;
        }
        (end, count)
    }

    /// By byte, whether a character that begins with it can belong.
    pub(super) fn can_begin(&self) -> [bool; 256] {
        std::array::from_fn(|b| self.table[b] || (b >= 0x80 && self.beyond.is_some()))
    }
}

#[cfg(all(test, not(engines)))]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_the_same_from_both_ends() {
        let lines: [&[u8]; 6] = [
            "aé€😀b".as_bytes(),
            b"\x80\xc3\xa9\xff\xe2\x82",
            b"\xe2\x82\xac\x82\xc3",
            b"\xf0\x9f\x98\x80\x80\xf0\x9f\x98",
            b"\xed\xa0\x80\xc0\xaf",
            b"",
        ];
        for line in lines {
            let (mut forwards, mut at) = (Vec::new(), 0);
            while at < line.len() {
                let (c, length) = decode(line, at);
                forwards.push((at, c));
                at += length;
            }
            let (mut backwards, mut at) = (Vec::new(), line.len());
            while at > 0 {
                let (c, length) = decode_last(line, at);
                at -= length;
                backwards.push((at, c));
            }
            backwards.reverse();
            assert_eq!(forwards, backwards, "{line:x?}");
        }
    }

    #[test]
    fn a_class_is_its_set_on_every_byte_and_character() {
        let sets = [
            Set::one('a'),
            Set::one('a').negate(),
            Set::any(),
            Set::ranges([(0x61, 0x7a), (0xe9, 0xe9)]),
            Set::ranges([(0x61, 0x7a), (0xe9, 0xe9)]).negate(),
            Set::ranges([(0x80, Set::LAST)]),
        ];
        let line = "ab zé€\u{80}".bytes().chain([0xff, b'a', 0xc3]).collect::<Vec<u8>>();
        for set in sets {
            let class = Class::new(&set);
            let mut at = 0;
            while at < line.len() {
                let (c, length) = decode(&line, at);
                assert_eq!(class.at(&line, at), has(&set, c));
                assert_eq!(class.before(&line, at + length), has(&set, c));
                let mut end = at;
                while end < line.len() && has(&set, decode(&line, end).0) {
                    end += decode(&line, end).1;
                }
                assert_eq!(class.run(&line, at), end);
                assert_eq!(class.run_counted(&line, at, u32::MAX).0, end);
                at += length;
            }
        }
    }
}
