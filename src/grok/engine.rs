//! The seam to the matching engine: what a pattern is to the rest of the program. Which engine runs it is known here
//! alone.

use std::sync::Arc;

use crate::error::Result;
use crate::grok::ast::{Expression, Node};
use crate::grok::fault::Written;
use crate::grok::parse::{Parsed, Slot};
use crate::grok::pcre::{Found, Memory, Program};
use crate::grok::{Field, FieldSlot, FieldType, Span};

/// A compiled pattern. Cloning it is cheap and shares the program.
#[derive(Clone)]
pub struct Pattern {
    shared: Arc<Shared>,
}

struct Shared {
    name: Arc<str>,
    fields: Vec<Field>,
    expression: Expression,
    program: Program,
}

/// Runs one pattern over lines. Each thread has its own.
pub struct Matcher {
    shared: Arc<Shared>,
    memory: Memory,
}

/// The captures of a line that matched.
pub struct Captures<'m> {
    found: Found<'m>,
}

/// A line was given up: deciding whether it matches cost more than is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The name of the pattern.
    pub pattern: Arc<str>,
    /// Which limit was hit, for people.
    pub reason: String,
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pattern {} gave up on the line: {}", self.pattern, self.reason)
    }
}

impl Pattern {
    /// The pattern of what `written` was parsed to.
    pub(crate) fn new(name: &str, written: &Written, parsed: Parsed) -> Result<Pattern> {
        let program = Program::new(&parsed).map_err(|message| written.fault(0, &[], &message))?;
        let fields = fields(&parsed.slots);
        Ok(Pattern { shared: Arc::new(Shared { name: name.into(), fields, expression: parsed.expression, program }) })
    }

    /// The pattern with other types for its fields, under the name of the format that asks for it. Must be called
    /// before the pattern is shared; `retype` answers `None` for fields that keep their type.
    pub(crate) fn retyped(self, retype: impl Fn(&Field) -> Option<FieldType>) -> Pattern {
        let mut shared = Arc::into_inner(self.shared).expect("a pattern is retyped before it is shared");
        for field in &mut shared.fields {
            if let Some(kind) = retype(field) {
                // A format says what the field is, wherever it comes from.
                field.slots.iter_mut().for_each(|slot| (slot.kind, slot.again) = (kind, false));
            }
        }
        Pattern { shared: Arc::new(shared) }
    }

    /// What errors and counters call it: a definition's or a format's name, or its own text.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The fields of its documents, in the order in which they first appear in the pattern.
    pub fn fields(&self) -> &[Field] {
        &self.shared.fields
    }

    /// The number of capture slots: every [`Field::slots`] entry is below it.
    pub fn slots(&self) -> usize {
        self.shared.fields.iter().map(|field| field.slots.len()).sum()
    }

    /// The expression given to the engine, fully expanded; for diagnostics and comparisons, in no promised form.
    pub fn expression(&self) -> &str {
        self.shared.program.expression()
    }

    /// What it matches, as a tree.
    pub(crate) fn tree(&self) -> &Node {
        &self.shared.expression.node
    }

    /// A matcher for one thread.
    pub fn matcher(&self) -> Matcher {
        Matcher { shared: Arc::clone(&self.shared), memory: self.shared.program.memory() }
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pattern").field("name", &self.shared.name).field("fields", &self.shared.fields).finish()
    }
}

impl Matcher {
    /// Looks for the leftmost match in `line` (its end not included). `None` when there is none. Nothing is allocated,
    /// except at the first line with characters beyond ASCII and at the first that needs a deep memory of its choices.
    #[inline]
    pub fn captures(&mut self, line: &[u8]) -> Result<Option<Captures<'_>>, Stopped> {
        // Spans are 32 bits wide. No line is so long: --max-line ends far below.
        if line.len() >= u32::MAX as usize {
            return Err(self.shared.stopped("the line is longer than 4 GiB"));
        }
        let Shared { expression, program, .. } = &*self.shared;
        match program.captures(expression, &mut self.memory, line) {
            Ok(found) => Ok(found.map(|found| Captures { found })),
            Err(reason) => Err(self.shared.stopped(&reason)),
        }
    }
}

impl Captures<'_> {
    /// Where the capture of `slot` stands; [`Span::NONE`] when it took no part in the match or there is no such slot.
    #[inline]
    pub fn span(&self, slot: usize) -> Span {
        self.found.span(slot)
    }
}

impl Shared {
    #[cold]
    fn stopped(&self, reason: &str) -> Stopped {
        Stopped { pattern: Arc::clone(&self.name), reason: reason.to_owned() }
    }
}

/// The fields of the slots, in the order of their first slot.
fn fields(slots: &[Slot]) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for (index, slot) in slots.iter().enumerate() {
        let at = fields.iter().position(|field| field.path == slot.path).unwrap_or_else(|| {
            fields.push(Field { path: slot.path.clone(), slots: Vec::new() });
            fields.len() - 1
        });
        // Behind the last one that is written alike.
        let alike = |other: &FieldSlot| slots[other.slot].name == slot.name;
        let known = fields[at].slots.iter().rposition(alike);
        let place = known.map_or(fields[at].slots.len(), |place| place + 1);
        let kind = slot.kind.unwrap_or_default();
        fields[at].slots.insert(place, FieldSlot { slot: index, kind, again: known.is_some() });
    }
    fields
}
