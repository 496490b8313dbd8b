//! The alphabet of a token: characters that no set of it tells apart are one symbol.

use std::collections::HashMap;

use super::super::chars::{Char, RAW, has};
use super::BEYOND;
use crate::grok::set::Set;

/// From characters to symbols.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Symbols {
    /// By ASCII character.
    pub(super) ascii: [u8; 128],
    /// From this character on (to the next entry's), beyond ASCII.
    beyond: Vec<(Char, u8)>,
    pub(super) raw: u8,
    /// The end of the line, and its beginning where it is what stands before.
    pub(super) end: u8,
    /// What all bytes beyond ASCII are until the character is looked at.
    pub(super) long: u8,
    /// By symbol: what a state has to know of it when it is the character before.
    pub(super) context: Vec<u8>,
    /// By symbol, by set: whether it belongs. The end belongs to none.
    members: Vec<Vec<bool>>,
}

impl Symbols {
    /// For `sets`; those of `behind` (by index) are asked for the character before, and if `asks`, it matters whether
    /// there is one. `None` when there are too many.
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
        // The beginning of the line is a context of its own.
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

    /// The number of symbols, the end and [`long`](Self::long) with them.
    pub(super) fn count(&self) -> usize {
        self.members.len()
    }

    pub(super) fn contexts(&self) -> usize {
        self.context.iter().map(|&context| usize::from(context) + 1).max().unwrap_or(1)
    }

    /// Whether `symbol` is in the set of this index.
    pub(super) fn is_in(&self, symbol: u8, set: usize) -> bool {
        self.members[usize::from(symbol)][set]
    }

    /// The symbols of characters beyond ASCII.
    pub(super) fn beyond(&self) -> impl Iterator<Item = u8> {
        self.beyond.iter().map(|&(_, symbol)| symbol).chain([self.raw])
    }

    /// The symbol of a character.
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
