//! The interface to the matching engines: the types that the rest of the program uses. Only this module knows which
//! engine runs a pattern.

use std::sync::Arc;

use crate::core::error::Result;
use crate::grok::ast::Node;
use crate::grok::fault::Written;
use crate::grok::linear::{self, End, Refused};
use crate::grok::parse::{Parsed, Slot};
use crate::grok::{Field, FieldSlot, FieldType, Span, pcre};

/// A compiled pattern. A clone is cheap and shares the program.
#[derive(Clone)]
pub struct Pattern {
    shared: Arc<Shared>,
}

struct Shared {
    name: Arc<str>,
    /// The pattern text as the user gave it.
    text: Arc<str>,
    fields: Vec<Field>,
    slots: usize,
    parsed: Parsed,
    program: Program,
}

/// Whether `text` sets an option of expressions, as in `(?m)` or `(?im:…)`.
fn sets_option(text: &str, option: char) -> bool {
    let mut groups = text.split("(?").skip(1);
    groups.any(|group| group.chars().take_while(char::is_ascii_lowercase).any(|letter| letter == option))
}

/// The engine of a pattern.
enum Program {
    /// The linear-time engine, for a regular expression.
    Linear(linear::Program),
    /// The linear-time engine without its fast machine, for comparisons.
    Careful(linear::Program),
    /// PCRE2 under limits, for an expression that is not regular.
    Backtracking(pcre::Program),
}

/// The working memory that one thread needs to run a [`Program`].
enum Memory {
    Linear(linear::Memory),
    Backtracking(pcre::Memory),
}

enum Found<'m> {
    Linear(linear::Found<'m>),
    Backtracking(pcre::Found<'m>),
}

/// Runs one pattern over lines. Each thread has its own matcher.
pub struct Matcher {
    shared: Arc<Shared>,
    memory: Memory,
}

/// The captures of a line that matched.
pub struct Captures<'m> {
    found: Found<'m>,
}

/// The matching of a line was given up, because it cost more than is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The name of the pattern.
    pub pattern: Arc<str>,
    /// The limit that was exceeded, as text for people.
    pub reason: String,
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pattern {} gave up on the line: {}", self.pattern, self.reason)
    }
}

impl Pattern {
    /// Compiles the pattern that `written` was parsed to.
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

    /// Whether the pattern names a newline: it has `\n` or `\R`, or sets the option `(?m)` itself. A dot matches the newline in any
    /// case, and a class such as `\s` or `[^"]` does so too; they do not name it.
    pub fn names_newline(&self) -> bool {
        sets_option(&self.shared.text, 'm') || self.shared.parsed.expression.node.names_newline()
    }

    /// Returns the same pattern on PCRE2, even if it is regular. It is used for comparisons.
    ///
    /// # Errors
    /// PCRE2's message if it refuses the expression.
    pub fn backtracking(&self) -> Result<Pattern, String> {
        Ok(self.with(Program::Backtracking(pcre::Program::new(&self.shared.parsed)?)))
    }

    /// Returns the same pattern on the careful machine, which otherwise runs only when the fast machine exceeds its
    /// budget. It is used for comparisons. Returns `None` if the pattern is not regular, or too large for that machine.
    /// That machine has no tokens, so it needs more instructions.
    pub fn careful(&self) -> Option<Pattern> {
        let parsed = &self.shared.parsed;
        let program = linear::Program::new(&parsed.expression, parsed.slots.len()).ok()?;
        program.has_careful().then(|| self.with(Program::Careful(program)))
    }

    /// Returns the same pattern with another program.
    fn with(&self, program: Program) -> Pattern {
        let Shared { name, text, fields, slots, parsed, .. } = &*self.shared;
        let (name, text, fields, parsed) = (Arc::clone(name), Arc::clone(text), fields.clone(), parsed.clone());
        Pattern { shared: Arc::new(Shared { name, text, fields, slots: *slots, parsed, program }) }
    }

    /// Returns whether every line is decided in time linear in its length.
    pub fn is_linear(&self) -> bool {
        !matches!(self.shared.program, Program::Backtracking(_))
    }

    /// Returns the pattern with other types for its fields. It must be called before the pattern is shared. `retype`
    /// returns `None` for a field that keeps its type.
    pub(crate) fn retyped(self, retype: impl Fn(&Field) -> Option<FieldType>) -> Pattern {
        let mut shared = Arc::into_inner(self.shared).expect("a pattern is retyped before it is shared");
        for field in &mut shared.fields {
            if let Some(kind) = retype(field) {
                // The type of a format replaces the types of all captures of the field.
                field.slots.iter_mut().for_each(|slot| (slot.kind, slot.again) = (kind, false));
            }
        }
        Pattern { shared: Arc::new(shared) }
    }

    /// Returns the pattern's name in errors and counters: the name of a definition or a format, or the pattern's own
    /// text.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Returns the text as it was given, with definitions not expanded.
    pub fn text(&self) -> &str {
        &self.shared.text
    }

    /// Returns the fields of its documents, in the order of their first use in the pattern.
    pub fn fields(&self) -> &[Field] {
        &self.shared.fields
    }

    /// Returns the number of capture slots. Every entry of [`Field::slots`] is below it.
    pub fn slots(&self) -> usize {
        self.shared.slots
    }

    /// Returns the expression, fully expanded, in PCRE2's syntax. It is used for diagnostics and comparisons, and its
    /// form may change.
    pub fn expression(&self) -> String {
        pcre::expression(&self.shared.parsed)
    }

    /// Returns the tree of the expression.
    pub(crate) fn tree(&self) -> &Node {
        &self.shared.parsed.expression.node
    }

    /// Creates a matcher for one thread.
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
    /// Searches for the leftmost match in `line`, which must not include its newline. Returns `None` if there is none.
    /// It allocates memory only in three cases: at the first line with characters beyond ASCII, at the first line that
    /// keeps many choices open, and for the automata that reject lines quickly when lines often fail.
    #[inline]
    pub fn captures(&mut self, line: &[u8]) -> Result<Option<Captures<'_>>, Stopped> {
        // Spans are 32 bits wide. `--max-line` keeps lines far below 4 GiB.
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
            // The memory of a matcher always belongs to its own pattern, so this case does not occur.
            _ => Ok(None),
        }
    }
}

#[cfg(engines)]
impl Matcher {
    /// Returns the cost of the linear engine's searches since the last call.
    pub(in crate::grok) fn used(&mut self) -> linear::Used {
        match &mut self.memory {
            Memory::Linear(memory) => memory.used(),
            Memory::Backtracking(_) => linear::Used::default(),
        }
    }

    /// Makes the linear engine run `proof` on the next line: before its first attempt, or when the first way has
    /// failed.
    pub(in crate::grok) fn doubt(&mut self, proof: linear::Proof, at_once: bool) {
        if let Memory::Linear(memory) = &mut self.memory {
            memory.doubt(proof, at_once);
        }
    }
}

impl Captures<'_> {
    /// Returns the span of capture `slot`; [`Span::NONE`] if it took no part in the match or does not exist.
    #[inline]
    pub fn span(&self, slot: usize) -> Span {
        match &self.found {
            Found::Linear(found) => found.span(slot),
            Found::Backtracking(found) => found.span(slot),
        }
    }

    /// Returns the span of the whole match. It may be smaller than the line, because a pattern has no anchors of its own.
    #[inline]
    pub fn whole(&self) -> Span {
        match &self.found {
            Found::Linear(found) => found.whole(),
            Found::Backtracking(found) => found.whole(),
        }
    }
}

impl Shared {
    #[inline]
    fn found<'m>(&self, end: End, memory: &'m linear::Memory) -> Result<Option<Captures<'m>>, Stopped> {
        match end {
            End::Found => Ok(Some(Captures { found: Found::Linear(memory.found()) })),
            End::NotFound => Ok(None),
            End::Work => Err(self.stopped("matching took more steps than are allowed for a line of this length")),
            End::Memory => Err(self.stopped("matching took more memory than is allowed for a line")),
        }
    }

    #[cold]
    fn stopped(&self, reason: &str) -> Stopped {
        Stopped { pattern: Arc::clone(&self.name), reason: reason.to_owned() }
    }
}

/// Returns the fields of the slots, ordered by their first slot.
fn fields(slots: &[Slot]) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for (index, slot) in slots.iter().enumerate() {
        let at = fields.iter().position(|field| field.path == slot.path).unwrap_or_else(|| {
            fields.push(Field { path: slot.path.clone(), slots: Vec::new() });
            fields.len() - 1
        });
        // A slot is inserted after the last slot with the same text.
        let alike = |other: &FieldSlot| slots[other.slot].name == slot.name;
        let known = fields[at].slots.iter().rposition(alike);
        let place = known.map_or(fields[at].slots.len(), |place| place + 1);
        let kind = slot.kind.unwrap_or_default();
        fields[at].slots.insert(place, FieldSlot { slot: index, kind, again: known.is_some() });
    }
    fields
}
