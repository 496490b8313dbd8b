//! [`Tape`]: a JSON object as a flat list of nodes.

use std::sync::Arc;

use crate::document::{Encoding, keys};

/// One token of a JSON text. The nodes have the order of the text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    /// An integer: its text and its value.
    Int(Text, i64),
    Float(Text, f64),
    /// A number that fits neither a 64-bit integer nor a double.
    OutOfRange(Text),
    Text(Text),
    /// The name of a member; its value follows. `written` is false when the member is left out, or when an earlier
    /// member has the same stored name. In that case `next` of the earlier name is the index of this name. `next` is 0
    /// in the last name of such a chain. `copied_to` is the end of the member in the line if a JSON document holds the
    /// same bytes, and otherwise 0.
    Name {
        text: Text,
        written: bool,
        next: u32,
        copied_to: u32,
    },
    /// The items are the nodes up to `end` (exclusive).
    Array {
        end: u32,
    },
    /// The names and values are the nodes up to `end` (exclusive).
    Object {
        end: u32,
    },
}

impl Node {
    /// Returns the node of a name that is written.
    pub fn name(text: Text) -> Node {
        Node::Name { text, written: true, next: 0, copied_to: 0 }
    }
}

/// A range of text: a part of the line, or of [`Tape::unescaped`]. It is one number, because a structure that is written
/// in parts and read as a whole makes processors wait.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Text(u64);

impl Text {
    const UNESCAPED: u64 = 1 << 63;

    /// Returns the range `start..end` of the line. Both are below 2^31.
    #[inline]
    pub fn of_line(start: usize, end: usize) -> Text {
        Text(start as u64 | (end as u64) << 32)
    }

    /// Returns the range `start..end` of [`Tape::unescaped`].
    #[inline]
    pub fn of_unescaped(start: usize, end: usize) -> Text {
        Text(Text::of_line(start, end).0 | Text::UNESCAPED)
    }

    #[inline]
    pub fn start(self) -> usize {
        self.0 as u32 as usize
    }

    #[inline]
    pub fn end(self) -> usize {
        ((self.0 & !Text::UNESCAPED) >> 32) as usize
    }

    /// Returns whether it is a part of [`Tape::unescaped`].
    #[inline]
    pub fn is_unescaped(self) -> bool {
        self.0 & Text::UNESCAPED != 0
    }
}

/// The nodes of one line, and the texts that differ from the line.
#[derive(Debug, Clone, Default)]
pub(super) struct Tape {
    pub nodes: Vec<Node>,
    /// Texts that had escapes, and names that are stored under another name.
    pub unescaped: String,
    /// Whether a `\u` escape was an unpaired surrogate. It became U+FFFD.
    pub lone_surrogate: bool,
    /// Whether there is a [`Node::OutOfRange`].
    pub out_of_range: bool,
    /// The stored names that occur more than once in one object, each listed once.
    duplicates: Vec<Text>,
    /// Working memory: the names of one object, and a new name.
    names: Vec<u32>,
    renamed: String,
}

impl Tape {
    /// Returns the text of a range. `line` is the line that was read.
    #[inline]
    pub fn text<'a>(&'a self, line: &'a str, text: Text) -> &'a str {
        let from = if text.is_unescaped() { self.unescaped.as_str() } else { line };
        &from[text.start()..text.end()]
    }

    /// Returns whether the text of a range is `other`.
    #[inline]
    pub fn is_text(&self, line: &str, text: Text, other: &str) -> bool {
        let from = if text.is_unescaped() { self.unescaped.as_bytes() } else { line.as_bytes() };
        from.get(text.start()..text.end()) == Some(other.as_bytes())
    }

    /// Stores `text` in [`unescaped`](Tape::unescaped).
    pub fn store_text(&mut self, text: &str) -> Text {
        let start = self.unescaped.len();
        self.unescaped.push_str(text);
        self.text_since(start)
    }

    /// Returns the range of [`unescaped`](Tape::unescaped) from `start` to its end.
    pub fn text_since(&self, start: usize) -> Text {
        Text::of_unescaped(start, self.unescaped.len())
    }

    /// Calls `call` with the name of each member that holds a [`Node::OutOfRange`], as patterns write it.
    #[cold]
    pub fn each_out_of_range(&self, line: &str, mut call: impl FnMut(&Arc<str>)) {
        // The ends of the open objects and arrays, each with the number of names that lead to it.
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut path: Vec<String> = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            while open.last().is_some_and(|(end, _)| *end <= at) {
                open.pop();
            }
            let depth = open.last().map_or(0, |(_, depth)| *depth);
            // An item of an array has the name of the array.
            if !matches!(at.checked_sub(1).map(|before| self.nodes[before]), Some(Node::Name { .. })) {
                path.truncate(depth);
            }
            match *node {
                Node::Name { text, .. } => {
                    path.truncate(depth);
                    path.push(self.text(line, text).to_owned());
                }
                Node::Object { end } | Node::Array { end } => {
                    open.push((end as usize, if at == 0 { 0 } else { path.len() }))
                }
                Node::OutOfRange(_) => call(&keys::display_path(&path).into()),
                _ => {}
            }
        }
    }

    /// Removes everything and keeps the memory.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.unescaped.clear();
        self.lone_surrogate = false;
        self.out_of_range = false;
        self.duplicates.clear();
    }

    /// Returns the index after the value at `index`.
    #[inline]
    pub fn after(&self, index: usize) -> usize {
        match self.nodes[index] {
            Node::Array { end } | Node::Object { end } => end as usize,
            _ => index + 1,
        }
    }

    /// Returns the text of the name at `at`; empty if the node is not a name.
    pub fn name<'a>(&'a self, line: &'a str, at: u32) -> &'a str {
        match self.nodes[at as usize] {
            Node::Name { text, .. } => self.text(line, text),
            _ => "",
        }
    }

    /// Iterates over the index of the name at `at` and the indexes of the names that were joined with it.
    pub fn joined_with(&self, at: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(at), |&at| match self.nodes[at] {
            Node::Name { next, .. } if next != 0 => Some(next as usize),
            _ => None,
        })
    }

    /// Joins the members with the same name in the object at `index`, and returns whether there are any.
    pub fn join_duplicates(&mut self, line: &str, index: usize) -> bool {
        let mut names = std::mem::take(&mut self.names);
        let end = self.after(index);
        let mut at = index + 1;
        while at < end {
            if let Node::Name { written: true, .. } = self.nodes[at] {
                names.push(at as u32);
            }
            at = self.after(at + 1);
        }
        names.sort_unstable_by(|&a, &b| self.name(line, a).cmp(self.name(line, b)).then(a.cmp(&b)));
        let mut joined = None;
        for pair in names.windows(2) {
            let (first, second) = (pair[0], pair[1]);
            if self.name(line, first) != self.name(line, second) {
                continue;
            }
            if let Node::Name { text, next, copied_to, .. } = &mut self.nodes[first as usize] {
                (*next, *copied_to) = (second, 0);
                if joined != Some(first) {
                    self.duplicates.push(*text);
                }
            }
            if let Node::Name { written, .. } = &mut self.nodes[second as usize] {
                *written = false;
            }
            joined = Some(second);
        }
        names.clear();
        self.names = names;
        joined.is_some()
    }

    /// Sorts the duplicate names and lists each once. It is called when all objects are joined.
    pub fn finish_duplicates(&mut self, line: &str) {
        if self.duplicates.len() > 1 {
            let mut duplicates = std::mem::take(&mut self.duplicates);
            duplicates.sort_unstable_by(|&a, &b| self.text(line, a).cmp(self.text(line, b)));
            duplicates.dedup_by(|a, b| self.text(line, *a) == self.text(line, *b));
            self.duplicates = duplicates;
        }
    }

    /// Iterates over the stored names that occur more than once in one object.
    pub fn duplicates<'a>(&'a self, line: &'a str) -> impl Iterator<Item = &'a str> {
        self.duplicates.iter().map(move |&text| self.text(line, text))
    }

    /// Returns whether members of this name were joined.
    pub fn is_duplicate(&self, line: &str, name: &str) -> bool {
        self.duplicates.binary_search_by(|&text| self.text(line, text).cmp(name)).is_ok()
    }

    /// Returns whether a BSON document has another name for one of the names.
    pub fn is_renamed_in_bson(&self, line: &str) -> bool {
        let renamed =
            |node: &Node| matches!(node, Node::Name { text, .. } if keys::is_renamed_in_bson(self.text(line, *text)));
        self.nodes.iter().any(renamed)
    }

    /// Becomes a copy of `other`, and reuses the memory.
    pub fn copy(&mut self, other: &Tape) {
        self.nodes.clone_from(&other.nodes);
        self.unescaped.clone_from(&other.unescaped);
        self.lone_surrogate = other.lone_surrogate;
        self.out_of_range = other.out_of_range;
        self.duplicates.clone_from(&other.duplicates);
    }

    /// Becomes a copy of `json` whose names are those of a BSON document.
    pub fn rename_for_bson(&mut self, json: &Tape, line: &str) {
        self.copy(json);
        self.duplicates.clear();
        let mut renamed = std::mem::take(&mut self.renamed);
        let mut top = 1;
        for at in 0..self.nodes.len() {
            let Node::Name { text, written, next, .. } = self.nodes[at] else { continue };
            // What was joined is separated. What was left out stays so.
            if let Some(Node::Name { written, .. }) = self.nodes.get_mut(next as usize) {
                *written = true;
            }
            let is_top = at == top;
            if is_top {
                top = self.after(at + 1);
            }
            let is_renamed = keys::rename(Encoding::Bson, self.text(line, text), is_top, &mut renamed);
            let text = if is_renamed { self.store_text(&renamed) } else { text };
            self.nodes[at] = Node::Name { text, written, next: 0, copied_to: 0 };
        }
        self.renamed = renamed;
        for index in 0..self.nodes.len() {
            if let Node::Object { end } = self.nodes[index] {
                let (mut seen, mut at) = (Seen::default(), index + 1);
                while at < end as usize {
                    seen.add(Seen::mix(self.name(line, at as u32)));
                    at = self.after(at + 1);
                }
                if seen.may_repeat {
                    self.join_duplicates(line, index);
                }
            }
        }
        self.finish_duplicates(line);
    }
}

/// A quick look for names that occur twice in one object. It misses none, and also reports some that occur once.
#[derive(Default)]
pub(super) struct Seen {
    bits: [u64; 4],
    /// Whether two of the names may be the same.
    pub may_repeat: bool,
}

impl Seen {
    /// Adds a name by its [`mix`](Seen::mix).
    #[inline]
    pub fn add(&mut self, mix: u8) {
        let bit = 1 << (mix % 64);
        let word = &mut self.bits[usize::from(mix / 64)];
        self.may_repeat |= *word & bit != 0;
        *word |= bit;
    }

    /// Returns a number that is the same for the same names. It depends on length, first byte and last byte.
    #[inline]
    pub fn mix(name: &str) -> u8 {
        let (Some(first), Some(last)) = (name.as_bytes().first(), name.as_bytes().last()) else { return 0 };
        (name.len() as u8).wrapping_mul(89) ^ first.wrapping_mul(7) ^ last
    }
}
