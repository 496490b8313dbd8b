//! [`Plan`]: the nested shape of the documents of a pattern. It is compiled once and then writes the captures of each
//! line.
//!
//! # Differences from Logstash
//!
//! The values are those of Logstash's grok filter, including peculiarities that a log can show:
//!
//! * Of several captures with the same text in the pattern (`%{INT:port:int}` twice), only the first is converted. If
//!   they stand in different branches, the second branch gives a text.
//! * The values of an array are ordered by the text of their captures in the pattern, and then by position.
//! * Fields of `[@metadata]` are captured and not written.
//!
//! It differs from Logstash where Logstash loses content of the line or makes content up:
//!
//! * Logstash reads `:int` and `:float` from the beginning of any text (`12abc` is 12, `-` is 0). Here a text that is no
//!   number as a whole stays a text, tagged `_typefailure:FIELD`.
//! * For Logstash, an empty `:int` is 0. Here every empty capture is left out.
//! * Logstash drops every value after a number (`%{INT:a:int} %{INT:a:int}` on `1 2` gives `1`). Here the field is an
//!   array and all numbers are converted: `[1, 2]`.
//! * An integer beyond 64 bits stays a text, tagged `_typefailure:FIELD`: BSON has no larger integers, and JSON documents
//!   hold the same values as BSON documents. The same holds for a decimal beyond the range of doubles.

use std::sync::Arc;

use crate::core::error::{Error, Result};
use crate::grok::{Field, FieldSlot, FieldType, Span};

use super::field_dates::{COMMON, FieldDates};
use super::members::ObjectView;
use super::value::{Holds, Look, Value};
use crate::document::date::{DateOptions, Fault, Notes};
use crate::document::keys::{self, Key};
use crate::document::{DocumentWriter, Encoding, Tags, value, write_text};

/// The maximum nesting of a field's name. MongoDB stores 100 levels.
const MAX_DEPTH: usize = 64;

/// The shape of the documents of a pattern.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
enum Node {
    Leaf(Leaf),
    Object { key: Key, children: Vec<Node> },
}

#[derive(Debug, Clone)]
struct Leaf {
    key: Key,
    slots: Vec<FieldSlot>,
    /// The index of the reader of its dates.
    dates: u32,
    /// The name as patterns write it, for tags.
    name: Arc<str>,
}

/// How the parts of a field's name become keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// The names as stores accept them. No field gets a name that belongs to logator.
    Stored,
    /// The names as the pattern has them.
    Captured,
}

/// The object whose fields Logstash keeps for its own use and writes to no output.
pub(super) const METADATA: &str = "@metadata";

/// The captures of one line.
pub(super) struct Captured<'a> {
    pub line: &'a [u8],
    pub spans: &'a [Span],
    /// Whether the whole line is ASCII. Then no capture has to be checked for UTF-8.
    pub ascii: bool,
    pub now_ms: i64,
}

impl<'a> Captured<'a> {
    /// Returns the text of `slot`; `None` when it is empty or took no part in the match.
    #[inline]
    pub fn text(&self, slot: usize) -> Option<&'a [u8]> {
        self.spans.get(slot)?.text(self.line)
    }
}

/// Returns whether every capture of `slot` becomes a number.
#[inline]
fn is_number(slot: &FieldSlot) -> bool {
    matches!(slot.kind, FieldType::Int | FieldType::Float) && !slot.again
}

/// A node of the plan under construction.
struct Draft {
    key: Key,
    /// The path of the field that added the node, for error messages.
    path: Vec<String>,
    content: Content,
}

enum Content {
    Leaf(Vec<FieldSlot>),
    Object(Vec<Draft>),
}

impl Plan {
    /// Compiles the plan for `fields`.
    ///
    /// # Errors
    /// A usage error that names both fields, when one needs a name to be a value and the other needs it to be an
    /// object, or when two names are the same in one store.
    pub fn new(fields: &[Field], naming: Naming) -> Result<Plan> {
        let mut drafts = Vec::new();
        for field in fields.iter().filter(|field| field.path.first().is_none_or(|name| name != METADATA)) {
            if field.path.is_empty() {
                return Err(Error::usage("a field has no name"));
            }
            if field.path.len() > MAX_DEPTH {
                let name = keys::display_path(&field.path);
                return Err(Error::usage(format!("field {name} is nested more than {MAX_DEPTH} levels deep")));
            }
            insert(&mut drafts, field, 0, naming)?;
        }
        Ok(Plan { nodes: drafts.into_iter().map(Draft::finish).collect() })
    }

    /// Gives the fields whose formats the user names their own readers.
    pub fn with_own_dates(mut self, options: &DateOptions) -> Plan {
        for (index, (path, _)) in options.formats.iter().enumerate() {
            let mut nodes = &mut self.nodes[..];
            for (depth, part) in path.iter().enumerate() {
                let name = Key::stored(part, depth == 0).name;
                match nodes.iter_mut().find(|node| node.name(Encoding::Json) == name) {
                    Some(Node::Object { children, .. }) => nodes = children,
                    Some(Node::Leaf(leaf)) if depth + 1 == path.len() => {
                        leaf.dates = index as u32 + 1;
                        break;
                    }
                    _ => break,
                }
            }
        }
        self
    }

    /// Returns what the documents may hold at the top level under `name`.
    pub fn holds(&self, encoding: Encoding, name: &str) -> Option<Holds> {
        let node = self.nodes.iter().find(|node| node.name(encoding) == name)?;
        Some(match node {
            Node::Leaf(_) => Holds::Value,
            Node::Object { .. } => Holds::Object,
        })
    }

    /// Whether a field that is called `path`, or is within it, excludes a field of that name. The same holds for a value in the
    /// place of an object.
    pub fn excludes(&self, encoding: Encoding, path: &[Key]) -> bool {
        let mut nodes = &self.nodes;
        for key in path {
            match nodes.iter().find(|node| node.name(encoding) == key.name(encoding)) {
                None => return false,
                Some(Node::Leaf(_)) => return true,
                Some(Node::Object { children, .. }) => nodes = children,
            }
        }
        true
    }

    /// Whether a value may not be of the type of its field.
    pub fn has_types(&self) -> bool {
        has_types(&self.nodes)
    }

    /// Looks for the field at `path`.
    pub fn look<'a>(&self, path: &[Key], captured: &Captured<'a>, dates: &FieldDates) -> Option<Look<'a>> {
        let mut nodes = &self.nodes;
        for (depth, part) in path.iter().enumerate() {
            let node = nodes.iter().find(|node| node.name(Encoding::Json) == part.name)?;
            let is_last = depth + 1 == path.len();
            match node {
                Node::Object { children, .. } if !is_last => nodes = children,
                node if !node.has_value(captured) => return None,
                Node::Leaf(leaf) if is_last => return Some(leaf.look(captured, dates)),
                _ => return Some(Look::Other),
            }
        }
        None
    }

    /// Writes the fields that have a value.
    #[inline]
    pub fn write<W: DocumentWriter>(
        &self,
        writer: &mut W,
        captured: &Captured<'_>,
        dates: &mut FieldDates,
        tags: &mut Tags,
    ) {
        write_nodes(&self.nodes, None, writer, captured, dates, tags);
    }

    /// Writes the fields that have a value, and the fields of `outer` that have none in the captures.
    pub fn write_enveloped<W: DocumentWriter>(
        &self,
        outer: ObjectView<'_>,
        writer: &mut W,
        captured: &Captured<'_>,
        dates: &mut FieldDates,
        tags: &mut Tags,
    ) {
        write_outer(&self.nodes, outer, writer, captured);
        write_nodes(&self.nodes, Some(outer), writer, captured, dates, tags);
    }
}

fn has_types(nodes: &[Node]) -> bool {
    nodes.iter().any(|node| match node {
        Node::Leaf(leaf) => leaf.slots.iter().any(|slot| !matches!(slot.kind, FieldType::Text | FieldType::Ip)),
        Node::Object { children, .. } => has_types(children),
    })
}

fn insert(level: &mut Vec<Draft>, field: &Field, depth: usize, naming: Naming) -> Result<()> {
    let part = &field.path[depth];
    let key = match naming {
        Naming::Stored => Key::stored(part, depth == 0),
        Naming::Captured => Key::new(part),
    };
    let is_last = depth + 1 == field.path.len();
    let alike = |draft: &&mut Draft| draft.key.name == key.name || draft.key.bson_name == key.bson_name;
    let Some(present) = level.iter_mut().find(alike) else {
        let mut content = Content::Leaf(field.slots.clone());
        if !is_last {
            let mut children = Vec::new();
            insert(&mut children, field, depth + 1, naming)?;
            content = Content::Object(children);
        }
        level.push(Draft { key, path: field.path.clone(), content });
        return Ok(());
    };
    if present.key.name != key.name {
        return Err(Error::usage(format!(
            "fields {} and {} would both be stored as {} in MongoDB; rename one of them",
            keys::display_path(&present.path),
            keys::display_path(&field.path),
            key.bson_name,
        )));
    }
    let name = key.name;
    match &mut present.content {
        Content::Object(children) if !is_last => insert(children, field, depth + 1, naming),
        Content::Leaf(..) if is_last => Err(Error::usage(format!(
            "fields {} and {} would both be stored as {name}; rename one of them",
            keys::display_path(&present.path),
            keys::display_path(&field.path),
        ))),
        _ => Err(Error::usage(format!(
            "fields {} and {} exclude each other: {name} cannot be both a value and an object; rename one of them",
            keys::display_path(&present.path),
            keys::display_path(&field.path),
        ))),
    }
}

impl Draft {
    fn finish(self) -> Node {
        let key = self.key;
        match self.content {
            Content::Leaf(slots) => {
                Node::Leaf(Leaf { key, slots, dates: COMMON, name: keys::display_path(&self.path).into() })
            }
            Content::Object(children) => {
                Node::Object { key, children: children.into_iter().map(Draft::finish).collect() }
            }
        }
    }
}

impl Node {
    fn name(&self, encoding: Encoding) -> &str {
        match self {
            Node::Leaf(leaf) => leaf.key.name(encoding),
            Node::Object { key, .. } => key.name(encoding),
        }
    }

    /// Returns whether the node writes anything for this line.
    fn has_value(&self, captured: &Captured<'_>) -> bool {
        match self {
            Node::Leaf(leaf) => leaf.slots.iter().any(|slot| captured.text(slot.slot).is_some()),
            Node::Object { children, .. } => children.iter().any(|child| child.has_value(captured)),
        }
    }
}

impl Leaf {
    /// Returns the values of the slots that have one, with their types.
    fn values<'a>(&self, captured: &Captured<'a>) -> impl Iterator<Item = (FieldType, &'a [u8])> {
        let values = || self.slots.iter().filter_map(|slot| Some((slot, captured.text(slot.slot)?)));
        // Logstash drops values after a number. Here they are kept and converted to numbers as well.
        let numbers = self.slots.len() > 1 && values().any(|(slot, _)| is_number(slot));
        values().map(move |(slot, text)| match slot.kind {
            FieldType::Int | FieldType::Float if slot.again && !numbers => (FieldType::Text, text),
            kind => (kind, text),
        })
    }

    fn look<'a>(&self, captured: &Captured<'a>, dates: &FieldDates) -> Look<'a> {
        let mut values = self.values(captured);
        let (Some((kind, text)), None) = (values.next(), values.next()) else { return Look::Other };
        let typed = match kind {
            FieldType::Text | FieldType::Ip => None,
            FieldType::Int => value::int(text).map(Value::Int),
            FieldType::Float => value::float(text).map(Value::Float),
            FieldType::Bool => value::bool(text).map(Value::Bool),
            FieldType::Date => {
                let read = dates.peek(self.dates).look(text, captured.now_ms).ok();
                read.map(|reading| Value::Date(reading.date))
            }
        };
        Look::Value(typed.unwrap_or(Value::Text(text)))
    }
}

/// Writes the members of `outer` that no node replaces. An object that is also a node is left to that node.
fn write_outer<W: DocumentWriter>(nodes: &[Node], outer: ObjectView<'_>, writer: &mut W, captured: &Captured<'_>) {
    for member in outer.members() {
        match nodes.iter().find(|node| node.name(W::ENCODING) == member.name) {
            Some(Node::Object { .. }) if member.object().is_some() => {}
            Some(node) if node.has_value(captured) => {}
            _ => member.write(writer),
        }
    }
}

#[inline]
fn write_nodes<W: DocumentWriter>(
    nodes: &[Node],
    outer: Option<ObjectView<'_>>,
    writer: &mut W,
    captured: &Captured<'_>,
    dates: &mut FieldDates,
    tags: &mut Tags,
) {
    for node in nodes {
        match node {
            Node::Leaf(leaf) => match leaf.slots[..] {
                [slot] => {
                    if let Some(text) = captured.text(slot.slot) {
                        writer.key(&leaf.key);
                        write_value(leaf, slot.kind, text, writer, captured, dates, tags);
                    }
                }
                _ => write_repeated(leaf, writer, captured, dates, tags),
            },
            Node::Object { key, children } => {
                let before = writer.position();
                writer.key(key);
                let mark = writer.open_object();
                let other = outer.and_then(|outer| outer.find(key.name(W::ENCODING))?.object());
                if let Some(other) = other {
                    write_outer(children, other, writer, captured);
                }
                write_nodes(children, other, writer, captured, dates, tags);
                if writer.is_empty(mark) {
                    writer.undo(before);
                } else {
                    writer.close_object(mark);
                }
            }
        }
    }
}

/// Writes a field whose name the pattern has more than once: an array, or a single value if only one capture gives one.
fn write_repeated<W: DocumentWriter>(
    leaf: &Leaf,
    writer: &mut W,
    captured: &Captured<'_>,
    dates: &mut FieldDates,
    tags: &mut Tags,
) {
    let mut values = leaf.values(captured);
    let Some((kind, first)) = values.next() else { return };
    writer.key(&leaf.key);
    let Some(second) = values.next() else {
        return write_value(leaf, kind, first, writer, captured, dates, tags);
    };
    let mark = writer.open_array();
    for (index, (kind, text)) in [(kind, first), second].into_iter().chain(values).enumerate() {
        writer.item(index);
        write_value(leaf, kind, text, writer, captured, dates, tags);
    }
    writer.close_array(mark);
}

#[inline]
fn write_value<W: DocumentWriter>(
    leaf: &Leaf,
    kind: FieldType,
    text: &[u8],
    writer: &mut W,
    captured: &Captured<'_>,
    dates: &mut FieldDates,
    tags: &mut Tags,
) {
    let written = match kind {
        FieldType::Text | FieldType::Ip => return write_text(text, writer, captured.ascii, tags),
        FieldType::Int => value::int(text).map(|value| writer.int(value)),
        FieldType::Float => value::float(text).map(|value| writer.float(value)),
        FieldType::Bool => value::bool(text).map(|value| writer.bool(value)),
        FieldType::Date => match dates.at(leaf.dates).read(text, captured.now_ms) {
            Ok(reading) => {
                if reading.notes.has(Notes::FOLD) {
                    tags.add_of(Tags::FOLD, &leaf.name);
                }
                writer.date(reading.date);
                Some(())
            }
            Err(Fault::Ambiguous) => {
                tags.add_of(Tags::AMBIGUOUS_DATE, &leaf.name);
                return write_text(text, writer, captured.ascii, tags);
            }
            Err(Fault::Unread) => None,
        },
    };
    if written.is_none() {
        tags.add_of(Tags::TYPE, &leaf.name);
        write_text(text, writer, captured.ascii, tags);
    }
}
