//! The alphabet of a DFA. Characters that belong to the same sets share one symbol.

use std::collections::HashMap;

use super::super::chars::{Char, RAW, has};
use super::BEYOND;
use crate::grok::set::Set;

/// The map from characters to symbols.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Symbols {
    /// The symbols of the ASCII characters.
    pub(super) ascii: [u8; 128],
    /// The symbols beyond ASCII: the first character of each range, and the symbol of the range.
    beyond: Vec<(Char, u8)>,
    pub(super) raw: u8,
    /// The symbol of the end of the line. As the previous character, it stands for the beginning of the line.
    pub(super) end: u8,
    /// The symbol of every byte beyond ASCII, before its character is decoded.
    pub(super) long: u8,
    /// For each symbol: its context, which is what a state stores about it when it is the previous character.
    pub(super) context: Vec<u8>,
    /// For each symbol and set: whether the symbol is in the set. The end is in no set.
    members: Vec<Vec<bool>>,
}

impl Symbols {
    /// Creates the alphabet for `sets`. `behind` tells which sets are tested against the previous character. `asks`
    /// tells whether it matters that there is a previous character. Returns `None` if there are too many symbols.
    pub(super) fn new(sets: &[Set], behind: &[bool], asks: bool) -> Option<Symbols> {
        let mut cuts: Vec<u32> = vec![0, BEYOND];
        for &(low, high) in sets.iter().flat_map(Set::as_ranges) {
            cuts.extend([low, high + 1]);
        }
        cuts.sort_unstable();
        cuts.dedup();
        let mut numbers: HashMap<Vec<bool>, u8> = HashMap::new();
        let mut members: Vec<Vec<bool>> = Vec::new();
        let mut number = |c: Char| -> Option<u8> {
            let row: Vec<bool> = sets.iter().map(|set| has(set, c)).collect();
            if let Some(&known) = numbers.get(&row) {
                return Some(known);
            }
            let new = u8::try_from(members.len()).ok().filter(|&new| new < 250)?;
            members.push(row.clone());
            numbers.insert(row, new);
            Some(new)
        };
        let mut ascii = [0; 128];
        let mut beyond: Vec<(Char, u8)> = Vec::new();
        for (index, &cut) in cuts.iter().enumerate().filter(|(_, cut)| **cut <= Set::LAST) {
            let symbol = number(cut)?;
            let next = cuts.get(index + 1).copied().unwrap_or(RAW);
            for c in cut..next.min(BEYOND) {
                ascii[c as usize] = symbol;
            }
            if cut >= BEYOND && beyond.last().is_none_or(|&(_, last)| last != symbol) {
                beyond.push((cut, symbol));
            }
        }
        let raw = number(RAW)?;
        let (end, long) = (members.len() as u8, members.len() as u8 + 1);
        members.extend([vec![false; sets.len()], vec![false; sets.len()]]);
        // The beginning of the line has a context of its own.
        let mut contexts: HashMap<(bool, Vec<bool>), u8> = HashMap::new();
        let context = (0..members.len())
            .map(|symbol| {
                let seen: Vec<bool> =
                    members[symbol].iter().zip(behind).filter(|(_, b)| **b).map(|(m, _)| *m).collect();
                let key = (asks && symbol == usize::from(end), seen);
                let new = contexts.len() as u8;
                *contexts.entry(key).or_insert(new)
            })
            .collect();
        Some(Symbols { ascii, beyond, raw, end, long, context, members })
    }

    /// Returns the number of symbols, including the end and [`long`](Self::long).
    pub(super) fn count(&self) -> usize {
        self.members.len()
    }

    pub(super) fn contexts(&self) -> usize {
        self.context.iter().map(|&context| usize::from(context) + 1).max().unwrap_or(1)
    }

    /// Returns whether `symbol` is in the set with index `set`.
    pub(super) fn is_in(&self, symbol: u8, set: usize) -> bool {
        self.members[usize::from(symbol)][set]
    }

    /// Returns the symbols of characters beyond ASCII.
    pub(super) fn beyond(&self) -> impl Iterator<Item = u8> {
        self.beyond.iter().map(|&(_, symbol)| symbol).chain([self.raw])
    }

    /// Returns the symbol of a character.
    pub(super) fn of(&self, c: Char) -> u8 {
        match c {
            RAW => self.raw,
            c if c < BEYOND => self.ascii[c as usize],
            c => {
                let index = self.beyond.partition_point(|&(from, _)| from <= c);
                self.beyond.get(index.wrapping_sub(1)).map_or(self.raw, |&(_, symbol)| symbol)
            }
        }
    }
}
