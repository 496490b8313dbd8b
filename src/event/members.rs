//! Objects on a tape and their members: finding members, and writing them to a document.

use std::ops::Range;

use super::tape::{Node, Tape};
use super::value::{Holds, Look, Value};
use crate::document::DocumentWriter;
use crate::document::keys::Key;

/// An object on a tape.
#[derive(Clone, Copy)]
pub(super) struct ObjectView<'a> {
    pub tape: &'a Tape,
    pub line: &'a str,
    pub index: usize,
}

/// A member of an object: its name and its value.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    pub name: &'a str,
    /// The index of the name on the tape.
    pub at: usize,
    level: ObjectView<'a>,
}

impl<'a> ObjectView<'a> {
    /// Iterates over the names that occur more than once in the object or within it, as a tag lists them.
    pub fn duplicates(self) -> impl Iterator<Item = &'a str> {
        self.tape.duplicates(self.line)
    }

    /// Returns whether `name` occurs more than once in the object or within it.
    pub fn is_duplicate(self, name: &str) -> bool {
        self.tape.is_duplicate(self.line, name)
    }

    /// Returns whether several members were joined under the name at `at`.
    pub fn is_joined(self, at: usize) -> bool {
        matches!(self.tape.nodes[at], Node::Name { next, .. } if next != 0)
    }

    /// Returns what the object has under `name`.
    pub fn holds(self, name: &str) -> Option<Holds> {
        self.find(name).map(|member| if member.object().is_some() { Holds::Object } else { Holds::Value })
    }

    /// Whether a member that is called `path`, or is within it, excludes a field of that name. The same holds for a value in the
    /// place of an object.
    pub fn excludes(self, path: &[Key]) -> bool {
        let Some((key, rest)) = path.split_first() else { return true };
        self.find(&key.name).is_some_and(|member| member.object().is_none_or(|object| object.excludes(rest)))
    }

    /// Whether there is no member.
    pub fn is_empty(self) -> bool {
        self.tape.after(self.index) == self.index + 1
    }

    /// Returns the index of the name at `path`.
    pub fn at(self, path: &[String]) -> Option<usize> {
        let (name, rest) = path.split_first()?;
        let member = self.find(name)?;
        match rest {
            [] => Some(member.at),
            _ => ObjectView { index: member.at + 1, ..self }.at(rest),
        }
    }

    /// Looks for the field at `path`. The member at the index `except` is left out.
    pub fn look(self, path: &[Key], except: Option<usize>) -> Option<Look<'a>> {
        let (key, rest) = path.split_first()?;
        let member = self.find(&key.name).filter(|member| Some(member.at) != except)?;
        if let (Some(object), [_, ..]) = (member.object(), rest) {
            return object.look(rest, None);
        }
        let value = match self.tape.nodes[member.at + 1] {
            _ if member.is_joined() || !rest.is_empty() => return Some(Look::Other),
            Node::Null => Value::Null,
            Node::Bool(value) => Value::Bool(value),
            Node::Int(_, value) => Value::Int(value),
            Node::Float(_, value) => Value::Float(value),
            Node::Text(text) | Node::OutOfRange(text) => Value::Text(self.tape.text(self.line, text).as_bytes()),
            Node::Name { .. } | Node::Array { .. } | Node::Object { .. } => return Some(Look::Other),
        };
        Some(Look::Value(value))
    }

    /// Iterates over the members that are written to the document.
    pub fn members(self) -> impl Iterator<Item = Member<'a>> {
        let end = self.tape.after(self.index);
        let mut at = self.index + 1;
        std::iter::from_fn(move || {
            while at < end {
                let here = at;
                at = self.tape.after(here + 1);
                if let Node::Name { text, written: true, .. } = self.tape.nodes[here] {
                    return Some(Member { name: self.tape.text(self.line, text), at: here, level: self });
                }
            }
            None
        })
    }

    /// Writes the members, except the one at the index `except`. Neighbours that a document holds as they are in the
    /// line are copied together.
    pub fn write_members<W: DocumentWriter>(self, except: Option<usize>, writer: &mut W) {
        let end = self.tape.after(self.index);
        let mut at = self.index + 1;
        let mut copied = 0..0;
        while at < end {
            let here = at;
            at = self.tape.after(here + 1);
            let Node::Name { text, written: true, copied_to, .. } = self.tape.nodes[here] else { continue };
            if Some(here) == except {
                continue;
            }
            if W::COPIES && copied_to != 0 {
                let start = text.start() - 1;
                if copied.end + 1 != start || copied.is_empty() {
                    self.copy(&copied, writer);
                    copied.start = start;
                }
                copied.end = copied_to as usize;
                continue;
            }
            self.copy(&copied, writer);
            copied = 0..0;
            Member { name: self.tape.text(self.line, text), at: here, level: self }.write(writer);
        }
        self.copy(&copied, writer);
    }

    fn copy<W: DocumentWriter>(self, range: &Range<usize>, writer: &mut W) {
        if !range.is_empty() {
            writer.copy(&self.line[range.clone()]);
        }
    }

    /// Returns the member called `name`, found by a linear search.
    pub fn find(self, name: &str) -> Option<Member<'a>> {
        let Node::Object { end } = self.tape.nodes[self.index] else { return None };
        let mut at = self.index + 1;
        while at < end as usize {
            if let Node::Name { text, written: true, .. } = self.tape.nodes[at]
                && self.tape.is_text(self.line, text, name)
            {
                return Some(Member { name: self.tape.text(self.line, text), at, level: self });
            }
            at = self.tape.after(at + 1);
        }
        None
    }
}

impl<'a> Member<'a> {
    /// Returns the value, if it is an object and the only value of this name.
    pub fn object(&self) -> Option<ObjectView<'a>> {
        if self.is_joined() {
            return None;
        }
        let index = self.at + 1;
        matches!(self.level.tape.nodes[index], Node::Object { .. }).then_some(ObjectView { index, ..self.level })
    }

    /// Writes the name and the value. Several values of one name are written as an array.
    pub fn write<W: DocumentWriter>(&self, writer: &mut W) {
        let ObjectView { tape, line, .. } = self.level;
        if let Node::Name { text, copied_to: end @ 1.., .. } = tape.nodes[self.at]
            && W::COPIES
        {
            return writer.copy(&line[text.start() - 1..end as usize]);
        }
        writer.name(self.name);
        if !self.is_joined() {
            return write_value(tape, line, writer, self.at + 1);
        }
        let mark = writer.open_array();
        for (item, at) in tape.joined_with(self.at).enumerate() {
            writer.item(item);
            write_value(tape, line, writer, at + 1);
        }
        writer.close_array(mark);
    }

    /// Returns whether several members of this name were joined.
    fn is_joined(&self) -> bool {
        self.level.is_joined(self.at)
    }
}

/// Writes the value at `index`.
fn write_value<W: DocumentWriter>(tape: &Tape, line: &str, writer: &mut W, index: usize) {
    match tape.nodes[index] {
        Node::Null => writer.null(),
        Node::Bool(value) => writer.bool(value),
        Node::Int(_, value) => writer.int(value),
        Node::Float(_, value) => writer.float(value),
        Node::Text(text) | Node::OutOfRange(text) | Node::Name { text, .. } => {
            writer.text(tape.text(line, text).as_bytes())
        }
        Node::Object { .. } => {
            let mark = writer.open_object();
            ObjectView { tape, line, index }.write_members(None, writer);
            writer.close_object(mark);
        }
        Node::Array { end } => {
            let mark = writer.open_array();
            let (mut at, mut item) = (index + 1, 0);
            while at < end as usize {
                writer.item(item);
                write_value(tape, line, writer, at);
                (at, item) = (tape.after(at), item + 1);
            }
            writer.close_array(mark);
        }
    }
}

/// Writes the members of `outer` and of `inner` as the members of one object. If both have a name, the member of
/// `inner` counts; two objects are merged. `except` is the index of a member of `inner` that is left out. `sorted` is
/// working memory.
pub(super) fn write_merged<W: DocumentWriter>(
    outer: ObjectView<'_>,
    inner: ObjectView<'_>,
    except: Option<usize>,
    sorted: &mut Vec<u32>,
    writer: &mut W,
) {
    let sort = |level: ObjectView<'_>, sorted: &mut Vec<u32>| {
        let start = sorted.len();
        sorted.extend(level.members().map(|member| member.at as u32));
        sorted[start..].sort_unstable_by(|&a, &b| name_at(level, a).cmp(name_at(level, b)));
        start
    };
    let inner_start = sort(inner, sorted);
    let outer_start = sort(outer, sorted);
    let end = sorted.len();
    for member in outer.members() {
        if find(inner, &sorted[inner_start..outer_start], member.name).is_none_or(|found| Some(found.at) == except) {
            member.write(writer);
        }
    }
    for member in inner.members().filter(|member| Some(member.at) != except) {
        let both = member.object().and_then(|object| {
            let other = find(outer, &sorted[outer_start..end], member.name)?.object()?;
            Some((other, object))
        });
        match both {
            None => member.write(writer),
            Some((outer, inner)) => {
                writer.name(member.name);
                let mark = writer.open_object();
                write_merged(outer, inner, None, sorted, writer);
                writer.close_object(mark);
            }
        }
    }
    sorted.truncate(inner_start);
}

fn name_at<'a>(level: ObjectView<'a>, at: u32) -> &'a str {
    level.tape.name(level.line, at)
}

fn find<'a>(level: ObjectView<'a>, sorted: &[u32], name: &str) -> Option<Member<'a>> {
    let index = sorted.binary_search_by(|&at| name_at(level, at).cmp(name)).ok()?;
    let at = sorted[index] as usize;
    Some(Member { name: name_at(level, sorted[index]), at, level })
}
