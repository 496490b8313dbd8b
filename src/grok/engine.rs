//! The seam to the matching engine: what a pattern is to the rest of the program. Which engine runs it is known here
//! alone.

use std::sync::Arc;

use crate::core::error::Result;
use crate::grok::ast::Node;
use crate::grok::fault::Written;
use crate::grok::linear::{self, End, Refused};
use crate::grok::parse::{Parsed, Slot};
use crate::grok::{Field, FieldSlot, FieldType, Span, pcre};

/// A compiled pattern. Cloning it is cheap and shares the program.
#[derive(Clone)]
pub struct Pattern {
    shared: Arc<Shared>,
}

struct Shared {
    name: Arc<str>,
    /// As it was given.
    text: Arc<str>,
    fields: Vec<Field>,
    slots: usize,
    parsed: Parsed,
    program: Program,
}

/// The engine of a pattern.
enum Program {
    /// What is regular, in linear time.
    Linear(linear::Program),
    /// The same, without its fast machine: for comparisons.
    Careful(linear::Program),
    /// What is not, within limits.
    Backtracking(pcre::Program),
}

/// What one thread needs to run a [`Program`].
enum Memory {
    Linear(linear::Memory),
    Backtracking(pcre::Memory),
}

enum Found<'m> {
    Linear(linear::Found<'m>),
    Backtracking(pcre::Found<'m>),
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
        let program = match linear::Program::new(&parsed.expression, parsed.slots.len()) {
            Ok(program) => Program::Linear(program),
            Err(Refused::NotRegular) => {
                let program = pcre::Program::new(&parsed).map_err(|message| written.fault(0, &[], &message))?;
                Program::Backtracking(program)
            }
            Err(Refused::TooLarge) => {
                return Err(written.fault(0, &[], "the pattern is too large when its counted repeats are written out"));
            }
        };
        let (fields, slots) = (fields(&parsed.slots), parsed.slots.len());
        let text = Arc::clone(&written.text);
        Ok(Pattern { shared: Arc::new(Shared { name: name.into(), text, fields, slots, parsed, program }) })
    }

    /// The same pattern on PCRE2 whatever it is made of: for comparisons.
    ///
    /// # Errors
    /// The engine's words when it refuses the expression.
    pub fn backtracking(&self) -> Result<Pattern, String> {
        Ok(self.with(Program::Backtracking(pcre::Program::new(&self.shared.parsed)?)))
    }

    /// The same pattern on the machine that lines come to which the fast one does not decide within its budget: for
    /// comparisons. `None` when the pattern is not linear, or too large for that machine: without tokens it takes more
    /// instructions.
    pub fn careful(&self) -> Option<Pattern> {
        let parsed = &self.shared.parsed;
        let program = linear::Program::new(&parsed.expression, parsed.slots.len()).ok()?;
        program.has_careful().then(|| self.with(Program::Careful(program)))
    }

    /// The same pattern with another program.
    fn with(&self, program: Program) -> Pattern {
        let Shared { name, text, fields, slots, parsed, .. } = &*self.shared;
        let (name, text, fields, parsed) = (Arc::clone(name), Arc::clone(text), fields.clone(), parsed.clone());
        Pattern { shared: Arc::new(Shared { name, text, fields, slots: *slots, parsed, program }) }
    }

    /// Whether every line is decided in time linear in its length.
    pub fn is_linear(&self) -> bool {
        !matches!(self.shared.program, Program::Backtracking(_))
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

    /// Its text as it was given, before definitions are put in.
    pub fn text(&self) -> &str {
        &self.shared.text
    }

    /// The fields of its documents, in the order in which they first appear in the pattern.
    pub fn fields(&self) -> &[Field] {
        &self.shared.fields
    }

    /// The number of capture slots: every [`Field::slots`] entry is below it.
    pub fn slots(&self) -> usize {
        self.shared.slots
    }

    /// The expression, fully expanded, in PCRE2's syntax; for diagnostics and comparisons, in no promised form.
    pub fn expression(&self) -> String {
        pcre::expression(&self.shared.parsed)
    }

    /// What it matches, as a tree.
    pub(crate) fn tree(&self) -> &Node {
        &self.shared.parsed.expression.node
    }

    /// A matcher for one thread.
    pub fn matcher(&self) -> Matcher {
        let memory = match &self.shared.program {
            Program::Linear(_) | Program::Careful(_) => Memory::Linear(linear::Memory::default()),
            Program::Backtracking(program) => Memory::Backtracking(program.memory()),
        };
        Matcher { shared: Arc::clone(&self.shared), memory }
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pattern").field("name", &self.shared.name).field("fields", &self.shared.fields).finish()
    }
}

impl Matcher {
    /// Looks for the leftmost match in `line` (its end not included). `None` when there is none. Nothing is allocated,
    /// except at the first line with characters beyond ASCII, at the first that needs a deep memory of its choices, and where
    /// lines fail often, for what makes failing cheap.
    #[inline]
    pub fn captures(&mut self, line: &[u8]) -> Result<Option<Captures<'_>>, Stopped> {
        // Spans are 32 bits wide. No line is so long: --max-line ends far below.
        if line.len() >= u32::MAX as usize {
            return Err(self.shared.stopped("the line is longer than 4 GiB"));
        }
        let shared = &*self.shared;
        match (&shared.program, &mut self.memory) {
            (Program::Linear(program), Memory::Linear(memory)) => shared.found(program.search(memory, line), memory),
            (Program::Careful(program), Memory::Linear(memory)) => {
                shared.found(program.search_carefully(memory, line), memory)
            }
            (Program::Backtracking(program), Memory::Backtracking(memory)) => match program.captures(memory, line) {
                Ok(found) => Ok(found.map(|found| Captures { found: Found::Backtracking(found) })),
                Err(reason) => Err(shared.stopped(&reason)),
            },
            // A matcher has the memory of its own pattern.
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
impl Matcher {
    /// What the linear engine's searches have cost since the last call.
    pub(in crate::grok) fn used(&mut self) -> linear::Used {
        match &mut self.memory {
            Memory::Linear(memory) => memory.used(),
            Memory::Backtracking(_) => linear::Used::default(),
        }
    }

    /// Has the linear engine ask `proof` about the next line, before it is tried or when its first way has failed.
    pub(in crate::grok) fn doubt(&mut self, proof: linear::Proof, at_once: bool) {
        if let Memory::Linear(memory) = &mut self.memory {
            memory.doubt(proof, at_once);
        }
    }
}

impl Captures<'_> {
    /// Where the capture of `slot` stands; [`Span::NONE`] when it took no part in the match or there is no such slot.
    #[inline]
    pub fn span(&self, slot: usize) -> Span {
        match &self.found {
            Found::Linear(found) => found.span(slot),
            Found::Backtracking(found) => found.span(slot),
        }
    }
}

impl Shared {
    #[inline]
    fn found<'m>(&self, end: End, memory: &'m linear::Memory) -> Result<Option<Captures<'m>>, Stopped> {
        match end {
            End::Found => Ok(Some(Captures { found: Found::Linear(memory.found()) })),
            End::NotFound => Ok(None),
            End::Work => Err(self.stopped("matching took more steps than a line of this length may cost")),
            End::Memory => Err(self.stopped("matching took more memory than a line may cost")),
        }
    }

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
