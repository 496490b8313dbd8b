//! Expansion: from a text with `%{NAME:field:type}` to one expression for the engine, with a map back to where each
//! part of it was written.
//!
//! Every field becomes one numbered group, and nothing else captures: the group of slot `n` has number `n + 1`.
//! A reference stands for its definition in a group of its own, as in Logstash. What the language of the definitions
//! means differently from the engine's is translated in `syntax.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::grok::FieldType;
use crate::grok::fault::{Written, did_you_mean};
use crate::grok::field::{parse_path, parse_type};
use crate::grok::pattern_file::{Definition, is_name_char};

/// How deep definitions may use each other. Logstash's own stay below 12.
pub(crate) const MAX_DEPTH: usize = 64;

/// Largest expression, in bytes. Logstash's own largest (`EXIM`) needs some 30 KB.
pub(crate) const MAX_SIZE: usize = 256 * 1024;

/// Largest number of fields, repeated ones counted each time; the engine ends at 65,535 groups.
const MAX_SLOTS: usize = 4096;

/// All definitions by name.
pub(crate) type Definitions = BTreeMap<Arc<str>, Definition>;

/// The expression for the engine.
#[derive(Debug)]
pub(crate) struct Expanded {
    pub(crate) regex: String,
    /// What each slot feeds.
    pub(crate) slots: Vec<Slot>,
    /// Whether the bytes of a line do not suffice to match it: it names characters beyond ASCII in a class.
    pub(crate) needs_utf: bool,
    marks: Vec<Mark>,
    frames: Vec<Frame>,
}

/// A capture: the field it feeds, and the type if one was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// As it is written, `NAME:field:type`; of an inline group, the field alone.
    pub(crate) name: String,
    pub(crate) path: Vec<String>,
    pub(crate) kind: Option<FieldType>,
}

/// From `out` on (to the next mark), the expression came from `at` bytes into the text of `frame`.
#[derive(Debug)]
struct Mark {
    out: usize,
    frame: usize,
    at: usize,
    /// Whether it is a copy, so that bytes correspond one to one.
    verbatim: bool,
}

/// One text that takes part: the user's (frame 0), or a definition where it is used.
#[derive(Debug)]
struct Frame {
    written: Written,
    name: Option<Arc<str>>,
    parent: Option<usize>,
    depth: usize,
}

/// Expands `written` with the definitions.
pub(crate) fn expand(written: &Written, definitions: &Definitions) -> Result<Expanded> {
    let expander = Expander::run(written, definitions, false)?;
    match expander.numbered {
        None => Ok(expander.done()),
        // Plain groups are numbered only where nothing is named, and that is known only at the end.
        Some(_) if expander.slots.is_empty() => Ok(Expander::run(written, definitions, true)?.done()),
        Some((frame, at)) => Err(expander.fault(
            frame,
            at,
            "a numbered back-reference cannot stand beside named fields: plain groups do not capture there; \
             name the group, (?<name>…), and write \\k<name>",
        )),
    }
}

impl Expanded {
    /// The error for a fault that the engine found `offset` bytes into the expression.
    pub(crate) fn fault(&self, offset: usize, message: &str) -> Error {
        // Whatever the engine says, the caret stays in the text.
        let offset = offset.min(self.regex.len());
        let index = self.marks.partition_point(|mark| mark.out <= offset).saturating_sub(1);
        let (frame, at) = match self.marks.get(index) {
            Some(mark) if mark.verbatim => (mark.frame, mark.at + offset.saturating_sub(mark.out)),
            Some(mark) => (mark.frame, mark.at),
            None => (0, 0),
        };
        fault(&self.frames, frame, at, message)
    }
}

fn fault(frames: &[Frame], frame: usize, at: usize, message: &str) -> Error {
    let via = chain(frames, frames[frame].parent);
    let via: Vec<&str> = via.iter().map(|name| &**name).collect();
    frames[frame].written.fault(at, &via, message)
}

/// The names of the definitions from the outermost to `frame`.
fn chain(frames: &[Frame], mut frame: Option<usize>) -> Vec<Arc<str>> {
    let mut names = Vec::new();
    while let Some(index) = frame {
        names.extend(frames[index].name.clone());
        frame = frames[index].parent;
    }
    names.reverse();
    names
}

/// The expansion under way.
pub(crate) struct Expander<'d> {
    definitions: &'d Definitions,
    /// Whether plain groups capture.
    pub(crate) plain_groups: bool,
    pub(crate) out: String,
    marks: Vec<Mark>,
    frames: Vec<Frame>,
    slots: Vec<Slot>,
    /// The inline groups so far, for back-references: the name as written, and its slot.
    pub(crate) inline: Vec<(String, usize)>,
    /// The first numbered back-reference: frame and place.
    pub(crate) numbered: Option<(usize, usize)>,
    pub(crate) needs_utf: bool,
}

impl<'d> Expander<'d> {
    fn run(written: &Written, definitions: &'d Definitions, plain_groups: bool) -> Result<Self> {
        let mut expander = Expander {
            definitions,
            plain_groups,
            out: String::with_capacity(4 * written.text.len()),
            marks: Vec::new(),
            frames: vec![Frame { written: written.clone(), name: None, parent: None, depth: 0 }],
            slots: Vec::new(),
            inline: Vec::new(),
            numbered: None,
            needs_utf: false,
        };
        expander.text(0, &written.text, false)?;
        Ok(expander)
    }

    fn done(self) -> Expanded {
        let Expander { out, marks, frames, slots, needs_utf, .. } = self;
        Expanded { regex: out, slots, needs_utf, marks, frames }
    }

    pub(crate) fn fault(&self, frame: usize, at: usize, message: &str) -> Error {
        fault(&self.frames, frame, at, message)
    }

    /// Adds `text`, which is a copy of what stands at `at`.
    pub(crate) fn copy(&mut self, frame: usize, at: usize, text: &str) -> Result<()> {
        let out = self.out.len();
        let goes_on = self.marks.last().is_some_and(|mark| {
            mark.verbatim && mark.frame == frame && at.checked_sub(mark.at) == Some(out - mark.out)
        });
        if !goes_on {
            self.marks.push(Mark { out, frame, at, verbatim: true });
        }
        self.append(frame, at, text)
    }

    /// Adds `text`, the translation of what stands at `at`.
    pub(crate) fn emit(&mut self, frame: usize, at: usize, text: &str) -> Result<()> {
        self.marks.push(Mark { out: self.out.len(), frame, at, verbatim: false });
        self.append(frame, at, text)
    }

    fn append(&mut self, frame: usize, at: usize, text: &str) -> Result<()> {
        if self.out.len() + text.len() > MAX_SIZE {
            let message = format!("the pattern grows beyond {} KiB when its names are expanded", MAX_SIZE / 1024);
            return Err(self.fault(frame, at, &message));
        }
        self.out.push_str(text);
        Ok(())
    }

    /// Puts `(?:` before the part that begins at `start`.
    pub(crate) fn wrap(&mut self, start: usize) {
        const OPENING: &str = "(?:";
        self.out.insert_str(start, OPENING);
        let moved = self.marks.partition_point(|mark| mark.out < start);
        self.marks[moved..].iter_mut().for_each(|mark| mark.out += OPENING.len());
    }

    /// Adds a capture for the field `name` (which stands at `at`), to be followed by its opening parenthesis.
    pub(crate) fn slot(&mut self, frame: usize, at: usize, name: &str, kind: Option<(usize, &str)>) -> Result<usize> {
        if self.plain_groups || self.slots.len() == MAX_SLOTS {
            return Err(self.fault(frame, at, &format!("a pattern can have {MAX_SLOTS} fields at most")));
        }
        let path = parse_path(name).map_err(|(inner, message)| self.fault(frame, at + inner, &message))?;
        let kind = match kind {
            None => None,
            Some((at, name)) => Some(parse_type(name).map_err(|message| self.fault(frame, at, &message))?),
        };
        self.slots.push(Slot { name: name.to_owned(), path, kind });
        Ok(self.slots.len() - 1)
    }

    /// Expands the reference `%{…}` at `at` of `text`; answers where it ends.
    pub(crate) fn reference(&mut self, frame: usize, text: &str, at: usize, extended: bool) -> Result<usize> {
        let start = at + 2;
        let Some(close) = text[start..].find('}').map(|length| start + length) else {
            return Err(self.fault(frame, at, "this %{ is not closed"));
        };
        let inner = &text[start..close];
        let name = &inner[..inner.find(|c| !is_name_char(c)).unwrap_or(inner.len())];
        if name.is_empty() {
            return Err(self.fault(
                frame,
                start,
                "a pattern name is expected after %{ (write \\%{ for the characters)",
            ));
        }
        let after = start + name.len();
        let rest = &text[after..close];
        let capture = if let Some(field) = rest.strip_prefix(':') {
            let end = field.find([':', ' ']).unwrap_or(field.len());
            let kind = field[end..].strip_prefix(':').map(|kind| {
                let kind_at = after + 1 + end + 1;
                (kind_at, &kind[..kind.find(' ').unwrap_or(kind.len())])
            });
            Some((after + 1, &field[..end], kind))
        } else if rest.is_empty() || rest.starts_with(' ') {
            // Logstash takes no notice of what follows a blank: %{NAME - a remark}.
            None
        } else if rest.starts_with('=') {
            return Err(self.fault(frame, after, "a definition inside a pattern is not supported; use a pattern file"));
        } else {
            return Err(self.fault(frame, after, "a name is followed by } or by :field"));
        };
        let definition = self.definition(frame, start, name)?;
        match capture {
            Some((field_at, field, kind)) => {
                let slot = self.slot(frame, field_at, field, kind)?;
                self.slots[slot].name = inner[..inner.find(' ').unwrap_or(inner.len())].to_owned();
                self.emit(frame, at, "(")?;
            }
            None => self.emit(frame, at, "(?:")?,
        }
        let depth = self.frames[frame].depth + 1;
        self.frames.push(Frame {
            written: definition.written.clone(),
            name: Some(Arc::clone(&definition.name)),
            parent: Some(frame),
            depth,
        });
        self.text(self.frames.len() - 1, &definition.written.text, extended)?;
        self.emit(frame, close, ")")?;
        Ok(close + 1)
    }

    /// The definition of `name`, used at `at`.
    fn definition(&self, frame: usize, at: usize, name: &str) -> Result<&'d Definition> {
        let Some(definition) = self.definitions.get(name) else {
            let hint = did_you_mean(name, self.definitions.keys().map(|name| &**name));
            return Err(self.fault(frame, at, &format!("there is no pattern %{{{name}}}{hint}")));
        };
        let names = chain(&self.frames, Some(frame));
        if let Some(first) = names.iter().position(|known| **known == *name) {
            let round: Vec<&str> = names[first..].iter().map(|name| &**name).chain([name]).collect();
            return Err(self.fault(frame, at, &format!("the pattern uses itself: {}", round.join(" > "))));
        }
        if self.frames[frame].depth == MAX_DEPTH {
            return Err(self.fault(frame, at, &format!("patterns use each other more than {MAX_DEPTH} deep")));
        }
        Ok(definition)
    }
}
