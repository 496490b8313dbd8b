//! [`Tape`]: a JSON object as a flat list of nodes.

/// One token of a JSON text. The nodes have the order of the text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    /// An integer: its text and its value.
    Int(Text, i64),
    Float(Text, f64),
    /// A number that fits neither a 64-bit integer nor a double; see [`scan`](super::scan::scan).
    OutOfRange(Text),
    Text(Text),
    /// The name of a member; its value follows. `written` is false when the member is left out, or when an earlier
    /// member has the same stored name. In that case `next` of the earlier name is the index of this name. `next` is 0
    /// in the last name of such a chain.
    Name {
        text: Text,
        written: bool,
        next: u32,
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

/// A range of text: `start..end` of the line, or of [`Tape::unescaped`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Text {
    pub start: u32,
    pub end: u32,
    pub unescaped: bool,
}

/// The nodes of one line, and the texts that differ from the line.
#[derive(Debug, Clone, Default)]
pub(super) struct Tape {
    pub nodes: Vec<Node>,
    /// Texts that had escapes, and names that are stored under another name.
    pub unescaped: String,
    /// Whether a `\u` escape was an unpaired surrogate. It became U+FFFD.
    pub lone_surrogate: bool,
    /// The stored names that occur more than once in one object, each listed once.
    pub duplicates: Vec<Text>,
}

impl Tape {
    /// Returns the text of a range. `line` is the line that was scanned.
    #[inline]
    pub fn text<'a>(&'a self, line: &'a str, text: Text) -> &'a str {
        let from = if text.unescaped { self.unescaped.as_str() } else { line };
        &from[text.start as usize..text.end as usize]
    }

    /// Stores `text` in [`unescaped`](Tape::unescaped).
    pub fn store_text(&mut self, text: &str) -> Text {
        let start = self.unescaped.len();
        self.unescaped.push_str(text);
        self.text_since(start)
    }

    /// Returns the range of [`unescaped`](Tape::unescaped) from `start` to its end.
    pub fn text_since(&self, start: usize) -> Text {
        Text { start: start as u32, end: self.unescaped.len() as u32, unescaped: true }
    }

    /// Removes everything and keeps the memory.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.unescaped.clear();
        self.lone_surrogate = false;
        self.duplicates.clear();
    }

    /// Iterates over the stored names that occur more than once in one object.
    pub fn duplicates<'a>(&'a self, line: &'a str) -> impl Iterator<Item = &'a str> {
        self.duplicates.iter().map(move |&text| self.text(line, text))
    }

    /// Returns the index after the value at `index`.
    #[inline]
    pub fn after(&self, index: usize) -> usize {
        match self.nodes[index] {
            Node::Array { end } | Node::Object { end } => end as usize,
            _ => index + 1,
        }
    }

    /// Returns the text of the name at `at`; `None` if the node is not a name.
    pub fn name<'a>(&'a self, line: &'a str, at: u32) -> Option<&'a str> {
        match self.nodes[at as usize] {
            Node::Name { text, .. } => Some(self.text(line, text)),
            _ => None,
        }
    }

    /// Iterates over the index of the name at `at` and the indexes of the names that were joined with it.
    pub fn joined_with(&self, at: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(at), |&at| match self.nodes[at] {
            Node::Name { next, .. } if next != 0 => Some(next as usize),
            _ => None,
        })
    }

    /// Separates the members that were joined.
    pub fn separate_duplicates(&mut self) {
        if std::mem::take(&mut self.duplicates).is_empty() {
            return;
        }
        for at in 0..self.nodes.len() {
            if let Node::Name { next, .. } = &mut self.nodes[at]
                && *next != 0
            {
                let other = std::mem::take(next) as usize;
                if let Node::Name { written, .. } = &mut self.nodes[other] {
                    *written = true;
                }
            }
        }
    }

    /// Returns whether members of this name were joined.
    pub fn is_duplicate(&self, line: &str, name: &str) -> bool {
        self.duplicates.binary_search_by(|&text| self.text(line, text).cmp(name)).is_ok()
    }
}
