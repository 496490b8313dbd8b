//! Lines that are JSON objects already: they pass through with `_id` put first, keys renamed and `@timestamp` read.

use std::borrow::Cow;

use super::around::{Around, Level, write_merged};
use super::date::Formats;
use super::form::{Form, Tags};
use super::keys;
use super::scan::{Node, Tape};

/// The memory one thread needs to pass lines through.
#[derive(Debug, Clone, Default)]
pub(super) struct Passage {
    pub(super) tape: Tape,
    /// Indexes of names; used as a stack by nested objects.
    names: Vec<u32>,
}

/// A line that was read.
pub(super) struct Object<'a> {
    tape: &'a Tape,
    /// Memory to work in.
    names: &'a mut Vec<u32>,
    line: Cow<'a, str>,
    /// The index of the top-level `@timestamp_` that `@timestamp` replaces.
    replaced: Option<usize>,
    date: Option<i64>,
    tags: Tags,
}

impl Passage {
    /// Reads `line`; `None` when it is not a JSON object. `paths` are the candidates for `@timestamp`, as stored.
    pub fn read<'a>(
        &'a mut self,
        line: &'a [u8],
        paths: &[Vec<String>],
        dates: &mut Formats,
        now_ms: i64,
    ) -> Option<Object<'a>> {
        let line = String::from_utf8_lossy(line);
        self.tape.scan(&line)?;
        self.rename(&line, 0, true);
        let mut tags = Tags::default();
        if self.tape.lone_surrogate || matches!(line, Cow::Owned(_)) {
            tags.add(Tags::UTF8);
        }
        let (mut date, mut replaced, mut seen) = (None, None, false);
        for path in paths {
            let Some(index) = self.find(&line, path) else { continue };
            let text = match self.tape.nodes[index] {
                Node::Text(text) | Node::Int(text, _) | Node::Float(text, _) => text,
                Node::Null => continue,
                _ => {
                    seen = true;
                    continue;
                }
            };
            seen = true;
            date = dates.read(self.tape.text(&line, text).as_bytes(), now_ms);
            if date.is_some() {
                replaced = matches!(&path[..], [name] if name == "@timestamp_").then_some(index - 1);
                break;
            }
        }
        if seen && date.is_none() {
            tags.add(Tags::DATE);
        }
        Some(Object { tape: &self.tape, names: &mut self.names, line, replaced, date, tags })
    }

    /// Gives the names of the object at `index`, and of all objects in it, their stored form, and drops those that a
    /// later one repeats.
    pub(super) fn rename(&mut self, line: &str, index: usize, top: bool) {
        let (is_object, end) = match self.tape.nodes[index] {
            Node::Object { end } => (true, end as usize),
            Node::Array { end } => (false, end as usize),
            _ => return,
        };
        let base = self.names.len();
        let mut seen = [0_u64; 4];
        let mut suspicious = false;
        let mut at = index + 1;
        while at < end {
            if is_object {
                if let Node::Name { text, .. } = self.tape.nodes[at] {
                    let name = self.tape.text(line, text);
                    let renamed = match keys::stored(name, top) {
                        Cow::Borrowed(_) => None,
                        Cow::Owned(renamed) => Some(renamed),
                    };
                    let stored = renamed.as_deref().unwrap_or(name);
                    // A name that shares length, first and last byte with none before it is no repetition.
                    let edge = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or_default());
                    let bytes = stored.as_bytes();
                    let mixed = bytes.len().wrapping_mul(89) ^ edge(bytes.first()).wrapping_mul(7) ^ edge(bytes.last());
                    let bit = 1 << (mixed % 64);
                    suspicious |= seen[mixed / 64 % 4] & bit != 0;
                    seen[mixed / 64 % 4] |= bit;
                    if let Some(renamed) = renamed {
                        let text = self.tape.keep(&renamed);
                        self.tape.nodes[at] = Node::Name { text, kept: true };
                    }
                }
                self.names.push(at as u32);
                at += 1;
            }
            self.rename(line, at, false);
            at = self.tape.after(at);
        }
        if suspicious {
            self.drop_repeated(line, base);
        }
        self.names.truncate(base);
    }

    /// Of the names from `base` on, those that a later one repeats are dropped.
    fn drop_repeated(&mut self, line: &str, base: usize) {
        let Passage { tape, names } = self;
        let name_of = |tape: &'_ Tape, index: u32| match tape.nodes[index as usize] {
            Node::Name { text, .. } => Some(text),
            _ => None,
        };
        let names = &mut names[base..];
        names.sort_unstable_by(|&a, &b| {
            let text = |index| name_of(tape, index).map(|text| tape.text(line, text));
            text(a).cmp(&text(b)).then(a.cmp(&b))
        });
        for pair in names.windows(2) {
            let text = |index| name_of(tape, index).map(|text| tape.text(line, text));
            let same = text(pair[0]) == text(pair[1]);
            if let (true, Node::Name { kept, .. }) = (same, &mut tape.nodes[pair[0] as usize]) {
                *kept = false;
            }
        }
    }

    /// The index of the value at `path`.
    fn find(&self, line: &str, path: &[String]) -> Option<usize> {
        let mut index = 0;
        for part in path {
            let Node::Object { end } = self.tape.nodes[index] else { return None };
            let mut at = index + 1;
            loop {
                if at >= end as usize {
                    return None;
                }
                match self.tape.nodes[at] {
                    Node::Name { text, kept: true } if self.tape.text(line, text) == part => break,
                    _ => at = self.tape.after(at + 1),
                }
            }
            index = at + 1;
        }
        Some(index)
    }
}

impl Object<'_> {
    /// Writes everything after `_id`; with the fields of an envelope around it.
    pub fn write<F: Form>(&mut self, form: &mut F, around: Option<&Around>) {
        let mut tags = self.tags;
        if let Some(date) = self.date.or_else(|| around?.date()) {
            form.name("@timestamp");
            form.date(date);
        }
        let own = Level { tape: self.tape, line: &self.line, index: 0 };
        match around {
            None => {
                let members = own.members().filter(|member| Some(member.at) != self.replaced);
                members.for_each(|member| member.write(form, &mut tags));
            }
            Some(around) => {
                tags.add(around.tags());
                write_merged(around.root(), own, self.replaced, self.names, form, &mut tags);
            }
        }
        tags.write(form);
    }
}

impl Tape {
    pub(super) fn write_value<F: Form>(&self, line: &str, form: &mut F, index: usize, tags: &mut Tags) {
        match self.nodes[index] {
            Node::Null => form.null(),
            Node::Bool(value) => form.bool(value),
            Node::Int(_, value) => form.int(value),
            Node::Float(_, value) => form.float(value),
            Node::Huge(text) => {
                tags.add(Tags::TYPE);
                form.text(self.text(line, text).as_bytes());
            }
            Node::Text(text) | Node::Name { text, .. } => form.text(self.text(line, text).as_bytes()),
            Node::Object { .. } => {
                let mark = form.open_object();
                let level = Level { tape: self, line, index };
                level.members().for_each(|member| member.write(form, tags));
                form.close_object(mark);
            }
            Node::Array { end } => {
                let mark = form.open_array();
                let (mut at, mut item) = (index + 1, 0);
                while at < end as usize {
                    form.item(item);
                    self.write_value(line, form, at, tags);
                    (at, item) = (self.after(at), item + 1);
                }
                form.close_array(mark);
            }
        }
    }
}
