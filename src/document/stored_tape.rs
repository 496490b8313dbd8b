//! [`StoredTape`]: a JSON object whose names have their stored form.

use super::encoded::Encoding;
use super::keys;
use super::tape::{Node, Tape};

/// A tape whose names have the form that documents of one encoding store, and the working memory for renaming. Each
/// thread has its own.
#[derive(Debug, Clone, Default)]
pub(super) struct StoredTape {
    pub(super) tape: Tape,
    /// Indexes of names. Nested objects use it as a stack.
    pub(super) names: Vec<u32>,
    /// The new name of the current member.
    renamed: String,
}

impl StoredTape {
    /// Copies the content of `other` and reuses the memory.
    pub(super) fn copy(&mut self, other: &StoredTape) {
        let Tape { nodes, unescaped, lone_surrogate, duplicates } = &other.tape;
        self.tape.nodes.clone_from(nodes);
        self.tape.unescaped.clone_from(unescaped);
        self.tape.duplicates.clone_from(duplicates);
        self.tape.lone_surrogate = *lone_surrogate;
    }

    /// Changes the names of the object on the tape, and of all objects within it, to the form that they have in a
    /// document of `encoding`. Then joins the members of one object that have the same name. Returns whether a BSON
    /// document would have another name for one of them.
    pub(super) fn rename(&mut self, encoding: Encoding, line: &str) -> bool {
        self.tape.separate_duplicates();
        let refused = self.rename_at(encoding, line, 0, true);
        if self.tape.duplicates.len() > 1 {
            let mut duplicates = std::mem::take(&mut self.tape.duplicates);
            duplicates.sort_unstable_by(|&a, &b| self.tape.text(line, a).cmp(self.tape.text(line, b)));
            duplicates.dedup_by(|a, b| self.tape.text(line, *a) == self.tape.text(line, *b));
            self.tape.duplicates = duplicates;
        }
        refused
    }

    fn rename_at(&mut self, encoding: Encoding, line: &str, index: usize, top: bool) -> bool {
        let (is_object, end) = match self.tape.nodes[index] {
            Node::Object { end } => (true, end as usize),
            Node::Array { end } => (false, end as usize),
            _ => return false,
        };
        let base = self.names.len();
        let mut seen = [0_u64; 4];
        let (mut suspicious, mut refused) = (false, false);
        let mut at = index + 1;
        while at < end {
            if is_object {
                if let Node::Name { text, written: true, .. } = self.tape.nodes[at] {
                    let name = self.tape.text(line, text);
                    refused |= keys::is_renamed_in_bson(name);
                    let is_renamed = keys::rename(encoding, name, top, &mut self.renamed);
                    let stored = if is_renamed { self.renamed.as_str() } else { name };
                    // If no earlier name shares length, first byte and last byte with this name, it cannot be a
                    // repetition.
                    let edge = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or_default());
                    let bytes = stored.as_bytes();
                    let mixed = bytes.len().wrapping_mul(89) ^ edge(bytes.first()).wrapping_mul(7) ^ edge(bytes.last());
                    let bit = 1 << (mixed % 64);
                    suspicious |= seen[mixed / 64 % 4] & bit != 0;
                    seen[mixed / 64 % 4] |= bit;
                    if is_renamed {
                        let text = self.tape.store_text(&self.renamed);
                        self.tape.nodes[at] = Node::Name { text, written: true, next: 0 };
                    }
                    self.names.push(at as u32);
                }
                at += 1;
            }
            refused |= self.rename_at(encoding, line, at, false);
            at = self.tape.after(at);
        }
        if suspicious {
            self.join_duplicates(line, base);
        }
        self.names.truncate(base);
        refused
    }

    /// Joins the members with the same name among the names from `base` on.
    fn join_duplicates(&mut self, line: &str, base: usize) {
        let StoredTape { tape, names, .. } = self;
        let names = &mut names[base..];
        names.sort_unstable_by(|&a, &b| tape.name(line, a).cmp(&tape.name(line, b)).then(a.cmp(&b)));
        let mut joined = None;
        for pair in names.windows(2) {
            let (first, second) = (pair[0], pair[1]);
            if tape.name(line, first) != tape.name(line, second) {
                continue;
            }
            if let Node::Name { text, next, .. } = &mut tape.nodes[first as usize] {
                *next = second;
                if joined != Some(first) {
                    tape.duplicates.push(*text);
                }
            }
            if let Node::Name { written, .. } = &mut tape.nodes[second as usize] {
                *written = false;
            }
            joined = Some(second);
        }
    }

    /// Returns the index of the name at `path`.
    pub(super) fn find(&self, line: &str, path: &[String]) -> Option<usize> {
        let (mut object, mut found) = (0, None);
        for part in path {
            let Node::Object { end } = self.tape.nodes[object] else { return None };
            let mut at = object + 1;
            loop {
                if at >= end as usize {
                    return None;
                }
                match self.tape.nodes[at] {
                    Node::Name { text, written: true, .. } if self.tape.text(line, text) == part => break,
                    _ => at = self.tape.after(at + 1),
                }
            }
            (object, found) = (at + 1, Some(at));
        }
        found
    }
}
