//! Lines that are JSON objects already: they pass through with `_id` put first, names as the store takes them, and
//! `@timestamp` read.
//!
//! Members that are called alike in one object, or are once the store's names are given to them, become one member: the
//! array of their values, in their order, and the document is tagged with the name.

use std::borrow::Cow;

use super::Encoding;
use super::date::Formats;
use super::keys;
use super::outer_fields::{Level, OuterFields, write_merged};
use super::scan::{Node, Tape};
use super::writer::{DocumentWriter, Tags};

/// The memory one thread needs to pass lines through.
#[derive(Debug, Clone, Default)]
pub(super) struct Passage {
    pub(super) tape: Tape,
    /// Indexes of names; used as a stack by nested objects.
    names: Vec<u32>,
    /// The name that a member gets.
    renamed: String,
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

impl Object<'_> {
    /// Marks the document with `tags` as well.
    pub fn tag(&mut self, tags: Tags) {
        self.tags.add(tags);
    }
}

impl Passage {
    /// Takes over what `other` holds, into memory that is kept.
    pub(super) fn copy(&mut self, other: &Passage) {
        let Tape { nodes, unescaped, lone_surrogate, doubles } = &other.tape;
        self.tape.nodes.clone_from(nodes);
        self.tape.unescaped.clone_from(unescaped);
        self.tape.doubles.clone_from(doubles);
        self.tape.lone_surrogate = *lone_surrogate;
    }

    /// Reads `line` for a document of `encoding`; `None` when it is not a JSON object. `paths` are the candidates for
    /// `@timestamp`, as stored.
    pub fn read<'a>(
        &'a mut self,
        encoding: Encoding,
        line: &'a [u8],
        paths: &[Vec<String>],
        dates: &mut Formats,
        now_ms: i64,
    ) -> Option<Object<'a>> {
        let line = String::from_utf8_lossy(line);
        self.tape.scan(&line)?;
        self.rename(encoding, &line);
        let mut tags = Tags::default();
        if self.tape.lone_surrogate || matches!(line, Cow::Owned(_)) {
            tags.add(Tags::UTF8);
        }
        let (mut date, mut replaced, mut seen) = (None, None, false);
        'paths: for path in paths {
            let Some(name) = self.find(&line, path) else { continue };
            for at in self.tape.same(name) {
                let text = match self.tape.nodes[at + 1] {
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
                    // Where there are several, the others have to stay somewhere.
                    let is_only = self.tape.same(name).count() == 1;
                    let is_own = matches!(&path[..], [name] if name == "@timestamp_");
                    replaced = (is_only && is_own).then_some(name);
                    break 'paths;
                }
            }
        }
        if seen && date.is_none() {
            tags.add(Tags::DATE);
        }
        Some(Object { tape: &self.tape, names: &mut self.names, line, replaced, date, tags })
    }

    /// Gives the names of the object that the tape holds, and of all objects in it, the form they have in a document of
    /// `encoding`, and joins the members that are then called alike. Answers whether one of the names would be another
    /// one in a BSON document.
    pub(super) fn rename(&mut self, encoding: Encoding, line: &str) -> bool {
        self.tape.part_doubles();
        let refused = self.rename_at(encoding, line, 0, true);
        if self.tape.doubles.len() > 1 {
            let mut doubles = std::mem::take(&mut self.tape.doubles);
            doubles.sort_unstable_by(|&a, &b| self.tape.text(line, a).cmp(self.tape.text(line, b)));
            doubles.dedup_by(|a, b| self.tape.text(line, *a) == self.tape.text(line, *b));
            self.tape.doubles = doubles;
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
                if let Node::Name { text, kept: true, .. } = self.tape.nodes[at] {
                    let name = self.tape.text(line, text);
                    refused |= keys::is_refused(name);
                    let is_renamed = keys::rename(encoding, name, top, &mut self.renamed);
                    let stored = if is_renamed { self.renamed.as_str() } else { name };
                    // A name that shares length, first and last byte with none before it is no repetition.
                    let edge = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or_default());
                    let bytes = stored.as_bytes();
                    let mixed = bytes.len().wrapping_mul(89) ^ edge(bytes.first()).wrapping_mul(7) ^ edge(bytes.last());
                    let bit = 1 << (mixed % 64);
                    suspicious |= seen[mixed / 64 % 4] & bit != 0;
                    seen[mixed / 64 % 4] |= bit;
                    if is_renamed {
                        let text = self.tape.keep(&self.renamed);
                        self.tape.nodes[at] = Node::Name { text, kept: true, next: 0 };
                    }
                    self.names.push(at as u32);
                }
                at += 1;
            }
            refused |= self.rename_at(encoding, line, at, false);
            at = self.tape.after(at);
        }
        if suspicious {
            self.join_doubles(line, base);
        }
        self.names.truncate(base);
        refused
    }

    /// Of the names from `base` on, those that are alike are joined.
    fn join_doubles(&mut self, line: &str, base: usize) {
        let Passage { tape, names, .. } = self;
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
                    tape.doubles.push(*text);
                }
            }
            if let Node::Name { kept, .. } = &mut tape.nodes[second as usize] {
                *kept = false;
            }
            joined = Some(second);
        }
    }

    /// The index of the name at `path`.
    fn find(&self, line: &str, path: &[String]) -> Option<usize> {
        let (mut object, mut found) = (0, None);
        for part in path {
            let Node::Object { end } = self.tape.nodes[object] else { return None };
            let mut at = object + 1;
            loop {
                if at >= end as usize {
                    return None;
                }
                match self.tape.nodes[at] {
                    Node::Name { text, kept: true, .. } if self.tape.text(line, text) == part => break,
                    _ => at = self.tape.after(at + 1),
                }
            }
            (object, found) = (at + 1, Some(at));
        }
        found
    }
}

impl Object<'_> {
    /// Writes everything after `_id`; with the fields of an envelope around it.
    pub fn write<W: DocumentWriter>(&mut self, writer: &mut W, outer: Option<&OuterFields>) {
        let mut tags = self.tags;
        if let Some(date) = self.date.or_else(|| outer?.date()) {
            writer.name("@timestamp");
            writer.date(date);
        }
        let own = Level { tape: self.tape, line: &self.line, index: 0 };
        match outer {
            None => {
                let members = own.members().filter(|member| Some(member.at) != self.replaced);
                members.for_each(|member| member.write(writer, &mut tags));
            }
            Some(outer) => {
                tags.add(outer.tags());
                write_merged(outer.root(W::ENCODING), own, self.replaced, self.names, writer, &mut tags);
            }
        }
        let own = self.tape.doubles(&self.line);
        let outer = outer.into_iter().flat_map(|outer| outer.doubles(W::ENCODING));
        tags.write(writer, own.chain(outer.filter(|name| !self.tape.has_double(&self.line, name))));
    }
}

impl Tape {
    /// The name at `at`, which is one.
    fn name<'a>(&'a self, line: &'a str, at: u32) -> Option<&'a str> {
        match self.nodes[at as usize] {
            Node::Name { text, .. } => Some(self.text(line, text)),
            _ => None,
        }
    }

    /// The indexes of the name at `at` and of those that were joined with it.
    pub(super) fn same(&self, at: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(at), |&at| match self.nodes[at] {
            Node::Name { next, .. } if next != 0 => Some(next as usize),
            _ => None,
        })
    }

    /// Undoes that members were joined.
    fn part_doubles(&mut self) {
        if std::mem::take(&mut self.doubles).is_empty() {
            return;
        }
        for at in 0..self.nodes.len() {
            if let Node::Name { next, .. } = &mut self.nodes[at]
                && *next != 0
            {
                let other = std::mem::take(next) as usize;
                if let Node::Name { kept, .. } = &mut self.nodes[other] {
                    *kept = true;
                }
            }
        }
    }

    /// Whether `name` is that of members that were joined.
    fn has_double(&self, line: &str, name: &str) -> bool {
        self.doubles.binary_search_by(|&text| self.text(line, text).cmp(name)).is_ok()
    }

    pub(super) fn write_value<W: DocumentWriter>(&self, line: &str, writer: &mut W, index: usize, tags: &mut Tags) {
        match self.nodes[index] {
            Node::Null => writer.null(),
            Node::Bool(value) => writer.bool(value),
            Node::Int(_, value) => writer.int(value),
            Node::Float(_, value) => writer.float(value),
            Node::Huge(text) => {
                tags.add(Tags::TYPE);
                writer.text(self.text(line, text).as_bytes());
            }
            Node::Text(text) | Node::Name { text, .. } => writer.text(self.text(line, text).as_bytes()),
            Node::Object { .. } => {
                let mark = writer.open_object();
                let level = Level { tape: self, line, index };
                level.members().for_each(|member| member.write(writer, tags));
                writer.close_object(mark);
            }
            Node::Array { end } => {
                let mark = writer.open_array();
                let (mut at, mut item) = (index + 1, 0);
                while at < end as usize {
                    writer.item(item);
                    self.write_value(line, writer, at, tags);
                    (at, item) = (self.after(at), item + 1);
                }
                writer.close_array(mark);
            }
        }
    }
}
