//! Decodes the characters of a line, and compiles sets of characters for fast tests.
//!
//! A line is read as UTF-8. Bytes that are not valid UTF-8 are read as one raw byte each. No byte inside a valid
//! sequence can start another sequence, so reading forwards and backwards gives the same characters.

use std::sync::OnceLock;

use super::blocks::{BLOCK, Ranges, Stops};
use crate::grok::set::Set;
use crate::grok::unicode::posix;

/// One character: its code point, or [`RAW`] for a byte that is not part of valid UTF-8.
pub(super) type Char = u32;

/// The character code of every raw byte.
pub(super) const RAW: Char = Set::LAST + 1;

/// Decodes the character at `at`. Returns it with its length. `at` must be inside the line.
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

/// Decodes the character that ends at `at`. Returns it with its length. `at` must not be 0.
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

/// Returns whether `c` is in `set`.
pub(super) fn has(set: &Set, c: Char) -> bool {
    if c == RAW { set.contains_raw() } else { set.contains(c) }
}

/// Returns the word characters of Unicode. `\b` tests for them.
pub(super) fn word() -> &'static Set {
    static NONE: OnceLock<Set> = OnceLock::new();
    posix("word").unwrap_or_else(|| NONE.get_or_init(Set::empty))
}

/// Returns the bytes of `table` as ranges, if there are at most `N` ranges.
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

/// A set that is compiled for fast tests.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Class {
    /// For each byte: whether it is a character of the set. A byte beyond ASCII is `true` only if the set has every
    /// character beyond ASCII and every raw byte; then the bytes need not be decoded.
    table: [bool; 256],
    /// The set, if it has some characters beyond ASCII and lacks others.
    beyond: Option<Set>,
    scan: Scan,
}

/// The method that finds the end of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scan {
    /// The run ends at the end of the line.
    All,
    /// The run ends at one of these bytes, if that byte is not in the table.
    At(Stops),
    /// The run ends at a byte in none of these ranges.
    Few(Ranges<FEW>),
    Many(Ranges<MANY>),
    /// The run ends at a byte that is not in the table.
    Table,
}

/// The most ranges that are compared. Unused entries repeat the last range.
const FEW: usize = 4;
const MANY: usize = 8;

/// A class with more ASCII characters than this matches *free text*: nearly anything. Classes of letters, digits and
/// the characters of names are smaller.
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

    /// Returns whether the byte is an ASCII character of the class.
    pub(super) fn has_ascii(&self, byte: u8) -> bool {
        byte < 0x80 && self.table[usize::from(byte)]
    }

    /// Returns whether the class matches free text.
    pub(super) fn is_free(&self) -> bool {
        self.table[..0x80].iter().filter(|&&belongs| belongs).count() > FREE
    }

    /// Returns the length of the character at `at`, if it is in the class.
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

    /// Returns whether the character at `at` is in the class; `false` at the end of the line.
    #[inline]
    pub(super) fn at(&self, line: &[u8], at: usize) -> bool {
        self.step(line, at).is_some()
    }

    /// Returns whether the character before `at` is in the class; `false` at the beginning of the line.
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

    /// Returns where the run of characters of the class that starts at `at` ends.
    #[inline(always)]
    pub(super) fn run(&self, line: &[u8], at: usize) -> usize {
        let end = match &self.scan {
            Scan::At(stops) => stops.find(line, at),
            // Most runs are shorter than a block.
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

    /// Like `run`, for long runs. It is never inlined, because comparing many bytes uses many registers, which each
    /// caller would have to free even if it never comes here.
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

    /// Returns the first position from `at` on whose byte is not in the table.
    #[inline]
    fn run_by_table(&self, line: &[u8], at: usize) -> usize {
        let rest = line.get(at..).unwrap_or_default();
        at + rest.iter().position(|&byte| !self.table[usize::from(byte)]).unwrap_or(rest.len())
    }

    /// Returns where a run of at most `most` characters ends, and the number of its characters.
    pub(super) fn run_counted(&self, line: &[u8], at: usize, most: u32) -> (usize, u32) {
        let (mut end, mut count) = (at, 0);
        while count < most {
            let Some(length) = self.step(line, end) else { break };
            end += length;
            count += 1;
        }
        (end, count)
    }

    /// Returns, for each byte, whether a character of the class can start with it.
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
