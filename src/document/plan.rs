//! From the fields of a pattern to a plan of nested objects, compiled once; then from spans to a document.

use crate::error::{Error, Result};
use crate::grok::{Field, FieldType, Span};

use super::date::Formats;
use super::form::{Form, Tags};
use super::keys::{self, Key};
use super::value;

/// Deepest nesting of a field's name. MongoDB stores 100 levels.
const MAX_DEPTH: usize = 64;

/// The shape of a pattern's documents.
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
    kind: FieldType,
    slots: Vec<usize>,
}

/// One line's captures, as the plan reads them.
pub(super) struct Captured<'a> {
    pub line: &'a [u8],
    pub spans: &'a [Span],
    /// Whether the whole line is ASCII, so that no capture has to be checked.
    pub ascii: bool,
    pub now_ms: i64,
}

impl<'a> Captured<'a> {
    /// The text of `slot`; `None` when it is empty or took no part.
    #[inline]
    pub fn text(&self, slot: usize) -> Option<&'a [u8]> {
        self.spans.get(slot)?.text(self.line)
    }
}

/// A level of the plan under construction.
struct Draft {
    name: String,
    /// The field that made it, for error messages.
    path: Vec<String>,
    content: Content,
}

enum Content {
    Leaf(FieldType, Vec<usize>),
    Object(Vec<Draft>),
}

impl Plan {
    /// Compiles `fields`.
    ///
    /// # Errors
    /// A usage error that names both fields when one needs a place to be a text and another needs it to be an object,
    /// or when two names are stored as one.
    pub fn new(fields: &[Field]) -> Result<Plan> {
        let mut drafts = Vec::new();
        for field in fields {
            if field.path.is_empty() {
                return Err(Error::usage("a field has no name"));
            }
            if field.path.len() > MAX_DEPTH {
                let name = keys::shown(&field.path);
                return Err(Error::usage(format!("field {name} is nested more than {MAX_DEPTH} levels deep")));
            }
            insert(&mut drafts, field, 0)?;
        }
        Ok(Plan { nodes: drafts.into_iter().map(Draft::finish).collect() })
    }

    /// Writes the fields that have a text.
    #[inline]
    pub fn write<F: Form>(&self, form: &mut F, captured: &Captured<'_>, dates: &mut Formats, tags: &mut Tags) {
        write_nodes(&self.nodes, form, captured, dates, tags);
    }
}

fn insert(level: &mut Vec<Draft>, field: &Field, depth: usize) -> Result<()> {
    let name = keys::stored(&field.path[depth], depth == 0);
    let is_last = depth + 1 == field.path.len();
    let Some(present) = level.iter_mut().find(|draft| draft.name == name) else {
        let mut content = Content::Leaf(field.kind, field.slots.clone());
        if !is_last {
            let mut children = Vec::new();
            insert(&mut children, field, depth + 1)?;
            content = Content::Object(children);
        }
        level.push(Draft { name: name.into_owned(), path: field.path.clone(), content });
        return Ok(());
    };
    match &mut present.content {
        Content::Object(children) if !is_last => insert(children, field, depth + 1),
        Content::Leaf(..) if is_last => Err(Error::usage(format!(
            "fields {} and {} would both be stored as {name}; rename one of them",
            keys::shown(&present.path),
            keys::shown(&field.path),
        ))),
        _ => Err(Error::usage(format!(
            "fields {} and {} exclude each other: {name} cannot be both a value and an object; rename one of them",
            keys::shown(&present.path),
            keys::shown(&field.path),
        ))),
    }
}

impl Draft {
    fn finish(self) -> Node {
        let key = Key::new(&self.name);
        match self.content {
            Content::Leaf(kind, slots) => Node::Leaf(Leaf { key, kind, slots }),
            Content::Object(children) => {
                Node::Object { key, children: children.into_iter().map(Draft::finish).collect() }
            }
        }
    }
}

fn write_nodes<F: Form>(nodes: &[Node], form: &mut F, captured: &Captured<'_>, dates: &mut Formats, tags: &mut Tags) {
    for node in nodes {
        match node {
            Node::Leaf(leaf) => match leaf.slots[..] {
                [slot] => {
                    if let Some(text) = captured.text(slot) {
                        form.key(&leaf.key);
                        write_value(leaf.kind, text, form, captured, dates, tags);
                    }
                }
                _ => write_repeated(leaf, form, captured, dates, tags),
            },
            Node::Object { key, children } => {
                let before = form.position();
                form.key(key);
                let mark = form.open_object();
                write_nodes(children, form, captured, dates, tags);
                if form.is_empty(mark) {
                    form.undo(before);
                } else {
                    form.close_object(mark);
                }
            }
        }
    }
}

/// A field whose name stands in the pattern more than once: an array, or a single value when only one has a text.
fn write_repeated<F: Form>(leaf: &Leaf, form: &mut F, captured: &Captured<'_>, dates: &mut Formats, tags: &mut Tags) {
    let mut texts = leaf.slots.iter().filter_map(|&slot| captured.text(slot));
    let Some(first) = texts.next() else { return };
    form.key(&leaf.key);
    let Some(second) = texts.next() else {
        return write_value(leaf.kind, first, form, captured, dates, tags);
    };
    let mark = form.open_array();
    for (index, text) in [first, second].into_iter().chain(texts).enumerate() {
        form.item(index);
        write_value(leaf.kind, text, form, captured, dates, tags);
    }
    form.close_array(mark);
}

#[inline]
fn write_value<F: Form>(
    kind: FieldType,
    text: &[u8],
    form: &mut F,
    captured: &Captured<'_>,
    dates: &mut Formats,
    tags: &mut Tags,
) {
    let written = match kind {
        FieldType::Text | FieldType::Ip => return write_text(text, form, captured.ascii, tags),
        FieldType::Int => value::int(text).map(|value| form.int(value)),
        FieldType::Float => value::float(text).map(|value| form.float(value)),
        FieldType::Bool => value::bool(text).map(|value| form.bool(value)),
        FieldType::Date => dates.read(text, captured.now_ms).map(|value| form.date(value)),
    };
    if written.is_none() {
        tags.add(Tags::TYPE);
        write_text(text, form, captured.ascii, tags);
    }
}

/// Writes bytes as text; what is not UTF-8 is replaced and the document is marked.
#[inline]
pub(super) fn write_text<F: Form>(text: &[u8], form: &mut F, ascii: bool, tags: &mut Tags) {
    if ascii || std::str::from_utf8(text).is_ok() {
        form.text(text);
    } else {
        tags.add(Tags::UTF8);
        form.lossy_text(text);
    }
}
