//! [`Tape`]: the flat list of nodes that a JSON object is read into.

/// One step of a JSON text, in its order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    /// The number's text and value.
    Int(Text, i64),
    Float(Text, f64),
    /// A number that neither an integer of 64 bits nor a double can hold: see [`scan`](super::scan::scan).
    OutOfRange(Text),
    Text(Text),
    /// A member's name, followed by its value. `kept` is false when it is left out, or when an earlier member has the
    /// same stored name; `next` of that one is then the index of this one. It is 0 in the last of them.
    Name {
        text: Text,
        written: bool,
        next: u32,
    },
    /// The nodes up to `end` (exclusive) are its items.
    Array {
        end: u32,
    },
    /// The nodes up to `end` (exclusive) are its names and values.
    Object {
        end: u32,
    },
}

/// A piece of text: `start..end` of the line, or of the unescaped texts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Text {
    pub start: u32,
    pub end: u32,
    pub unescaped: bool,
}

/// The nodes of one line.
#[derive(Debug, Clone, Default)]
pub(super) struct Tape {
    pub nodes: Vec<Node>,
    /// Texts that had escapes, or a name that is stored as another.
    pub unescaped: String,
    /// Whether a `\u` escape was half of a surrogate pair, and became U+FFFD.
    pub lone_surrogate: bool,
    /// The stored names of fields that are there more than once, each once.
    pub duplicates: Vec<Text>,
}

impl Tape {
    /// The text of a piece, in the line that was scanned.
    #[inline]
    pub fn text<'a>(&'a self, line: &'a str, text: Text) -> &'a str {
        let from = if text.unescaped { self.unescaped.as_str() } else { line };
        &from[text.start as usize..text.end as usize]
    }

    /// Stores `text` apart from the line.
    pub fn store_text(&mut self, text: &str) -> Text {
        let start = self.unescaped.len();
        self.unescaped.push_str(text);
        self.text_since(start)
    }

    /// What was stored apart from the line from `start` on.
    pub fn text_since(&self, start: usize) -> Text {
        Text { start: start as u32, end: self.unescaped.len() as u32, unescaped: true }
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.unescaped.clear();
        self.lone_surrogate = false;
        self.duplicates.clear();
    }

    /// The stored names of fields that are there more than once.
    pub fn duplicates<'a>(&'a self, line: &'a str) -> impl Iterator<Item = &'a str> {
        self.duplicates.iter().map(move |&text| self.text(line, text))
    }

    /// The index after the value at `index`.
    #[inline]
    pub fn after(&self, index: usize) -> usize {
        match self.nodes[index] {
            Node::Array { end } | Node::Object { end } => end as usize,
            _ => index + 1,
        }
    }

    /// The name at `at`, which is one.
    pub fn name<'a>(&'a self, line: &'a str, at: u32) -> Option<&'a str> {
        match self.nodes[at as usize] {
            Node::Name { text, .. } => Some(self.text(line, text)),
            _ => None,
        }
    }

    /// The indexes of the name at `at` and of those that were joined with it.
    pub fn joined_with(&self, at: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(at), |&at| match self.nodes[at] {
            Node::Name { next, .. } if next != 0 => Some(next as usize),
            _ => None,
        })
    }

    /// Undoes that members were joined.
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

    /// Whether `name` is that of members that were joined.
    pub fn is_duplicate(&self, line: &str, name: &str) -> bool {
        self.duplicates.binary_search_by(|&text| self.text(line, text).cmp(name)).is_ok()
    }
}
