//! Objects on a tape and their members: finding members, and writing them to a document.

use super::tape::{Node, Tape};
use super::writer::{DocumentWriter, Tags};

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

    /// Returns the member called `name`, found by a linear search.
    pub fn find(self, name: &str) -> Option<Member<'a>> {
        self.members().find(|member| member.name == name)
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
    pub fn write<W: DocumentWriter>(&self, writer: &mut W, tags: &mut Tags) {
        let ObjectView { tape, line, .. } = self.level;
        writer.name(self.name);
        if !self.is_joined() {
            return write_value(tape, line, writer, self.at + 1, tags);
        }
        let mark = writer.open_array();
        for (item, at) in tape.joined_with(self.at).enumerate() {
            writer.item(item);
            write_value(tape, line, writer, at + 1, tags);
        }
        writer.close_array(mark);
    }

    /// Returns whether several members of this name were joined.
    fn is_joined(&self) -> bool {
        matches!(self.level.tape.nodes[self.at], Node::Name { next, .. } if next != 0)
    }
}

/// Writes the value at `index`.
fn write_value<W: DocumentWriter>(tape: &Tape, line: &str, writer: &mut W, index: usize, tags: &mut Tags) {
    match tape.nodes[index] {
        Node::Null => writer.null(),
        Node::Bool(value) => writer.bool(value),
        Node::Int(_, value) => writer.int(value),
        Node::Float(_, value) => writer.float(value),
        Node::OutOfRange(text) => {
            tags.add(Tags::TYPE);
            writer.text(tape.text(line, text).as_bytes());
        }
        Node::Text(text) | Node::Name { text, .. } => writer.text(tape.text(line, text).as_bytes()),
        Node::Object { .. } => {
            let mark = writer.open_object();
            let object = ObjectView { tape, line, index };
            object.members().for_each(|member| member.write(writer, tags));
            writer.close_object(mark);
        }
        Node::Array { end } => {
            let mark = writer.open_array();
            let (mut at, mut item) = (index + 1, 0);
            while at < end as usize {
                writer.item(item);
                write_value(tape, line, writer, at, tags);
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
    tags: &mut Tags,
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
            member.write(writer, tags);
        }
    }
    for member in inner.members().filter(|member| Some(member.at) != except) {
        let both = member.object().and_then(|object| {
            let other = find(outer, &sorted[outer_start..end], member.name)?.object()?;
            Some((other, object))
        });
        match both {
            None => member.write(writer, tags),
            Some((outer, inner)) => {
                writer.name(member.name);
                let mark = writer.open_object();
                write_merged(outer, inner, None, sorted, writer, tags);
                writer.close_object(mark);
            }
        }
    }
    sorted.truncate(inner_start);
}

fn name_at<'a>(level: ObjectView<'a>, at: u32) -> &'a str {
    match level.tape.nodes[at as usize] {
        Node::Name { text, .. } => level.tape.text(level.line, text),
        _ => "",
    }
}

fn find<'a>(level: ObjectView<'a>, sorted: &[u32], name: &str) -> Option<Member<'a>> {
    let index = sorted.binary_search_by(|&at| name_at(level, at).cmp(name)).ok()?;
    let at = sorted[index] as usize;
    Some(Member { name: name_at(level, sorted[index]), at, level })
}
