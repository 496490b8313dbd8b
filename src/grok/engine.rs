//! The seam to the matching engine: PCRE2 with its JIT compiler. No other file knows which engine it is.
//!
//! # Bytes and characters
//!
//! A line is bytes. A line of ASCII runs on a program that knows bytes only, which is the fast one. A line of valid
//! UTF-8 beyond ASCII runs on a second program that knows characters (so that `.` is one of them and `(?i)` and `\b`
//! work on them); it is compiled when the first such line comes, once for all matchers of the pattern. A line that is
//! not valid UTF-8 runs on the first program again, where each byte counts as one character. Only a pattern that names
//! characters beyond ASCII in a class or by number has but the second program; there, a match does not reach over an
//! invalid byte. Wherever it runs, a span is in bytes of the line.
//!
//! # Limits
//!
//! A match gives up after [`STEPS`] steps of back-tracking, or when it needs more than [`STACK`] bytes to remember where
//! to return to. That is not an error of the program but an outcome of the line: [`Stopped`].

use std::sync::{Arc, OnceLock};

use pcre2::bytes::{CaptureLocations, Regex, RegexBuilder};

use crate::error::{Error, Result};
use crate::grok::expand::{Expanded, Slot};
use crate::grok::{Field, FieldSlot, FieldType, Span};

/// Steps of back-tracking a line may cost: PCRE2's match limit, which its JIT compiler honours too. Measured, a step
/// takes 0.8 to 1.2 ns, so that the worst line costs 5 ms; a sound line of 1 MiB may take four steps a byte.
const STEPS: u32 = 4_000_000;

/// Memory for back-tracking in the JIT-compiled program, in bytes, for each matcher. It is reserved as address space
/// and becomes real memory only as far as a line needs it: never with the stock, and `(?:a|b)*` takes 8 bytes a round.
const STACK: usize = 4 << 20;

/// A compiled pattern. Cloning it is cheap and shares the program.
#[derive(Clone)]
pub struct Pattern {
    shared: Arc<Shared>,
}

struct Shared {
    name: Arc<str>,
    fields: Vec<Field>,
    expression: String,
    /// For bytes; `None` when the pattern names characters beyond ASCII.
    bytes: Option<Regex>,
    /// For characters; `None` inside when the engine refuses it, which leaves those lines to `bytes`.
    text: OnceLock<Option<Regex>>,
}

/// Runs one pattern over lines. Each thread has its own.
pub struct Matcher {
    shared: Arc<Shared>,
    bytes: Option<CaptureLocations>,
    text: Option<CaptureLocations>,
}

/// The captures of a line that matched.
pub struct Captures<'m> {
    locations: &'m CaptureLocations,
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
    pub(crate) fn new(name: &str, expanded: Expanded) -> Result<Pattern> {
        let program = build(&expanded.regex, expanded.needs_utf, true);
        let program = program.map_err(|error| match error.offset() {
            // The engine stops behind what is wrong.
            Some(offset) => expanded.fault(offset.saturating_sub(start_verbs().len() + 1), &plain_words(&error)),
            None => Error::usage(format!("pattern {name} cannot be compiled")).because(error),
        })?;
        let (bytes, text) = match expanded.needs_utf {
            true => (None, OnceLock::from(Some(program))),
            false => (Some(program), OnceLock::new()),
        };
        let fields = fields(&expanded.slots);
        Ok(Pattern { shared: Arc::new(Shared { name: name.into(), fields, expression: expanded.regex, bytes, text }) })
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
        &self.shared.expression
    }

    /// A matcher for one thread.
    pub fn matcher(&self) -> Matcher {
        let bytes = self.shared.bytes.as_ref().map(Regex::capture_locations);
        Matcher { shared: Arc::clone(&self.shared), bytes, text: None }
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
        let ascii = line.is_ascii();
        let found = match (&self.shared.bytes, &mut self.bytes) {
            (Some(program), Some(locations)) if ascii => program.captures_read(locations, line),
            _ => return self.captures_text(line),
        };
        match found {
            Ok(None) => Ok(None),
            Ok(Some(_)) => Ok(self.bytes.as_ref().map(|locations| Captures { locations })),
            Err(error) => Err(self.shared.gave_up(&error)),
        }
    }

    /// The same for a line beyond ASCII, or a pattern beyond ASCII.
    #[cold]
    fn captures_text(&mut self, line: &[u8]) -> Result<Option<Captures<'_>>, Stopped> {
        let bytes = self.shared.bytes.as_ref();
        let as_bytes = bytes.is_some() && std::str::from_utf8(line).is_err();
        let text = if as_bytes { None } else { self.shared.text() };
        let (program, locations) = match (text, bytes) {
            (Some(program), _) => (program, self.text.get_or_insert_with(|| program.capture_locations())),
            (None, Some(program)) => (program, self.bytes.get_or_insert_with(|| program.capture_locations())),
            // A pattern is compiled for bytes or for characters when it is made.
            (None, None) => return Ok(None),
        };
        match program.captures_read(locations, line) {
            Ok(None) => Ok(None),
            Ok(Some(_)) => Ok(Some(Captures { locations })),
            Err(error) => Err(self.shared.gave_up(&error)),
        }
    }
}

impl Captures<'_> {
    /// Where the capture of `slot` stands; [`Span::NONE`] when it took no part in the match or there is no such slot.
    #[inline]
    pub fn span(&self, slot: usize) -> Span {
        match self.locations.get(slot + 1) {
            // A look-behind with \K inside can put the end before the start.
            Some((start, end)) if start <= end => Span { start: start as u32, end: end as u32 },
            _ => Span::NONE,
        }
    }
}

impl Shared {
    fn text(&self) -> Option<&Regex> {
        self.text.get_or_init(|| build(&self.expression, true, true).ok()).as_ref()
    }

    fn stopped(&self, reason: &str) -> Stopped {
        Stopped { pattern: Arc::clone(&self.name), reason: reason.to_owned() }
    }

    #[cold]
    fn gave_up(&self, error: &pcre2::Error) -> Stopped {
        // PCRE2_ERROR_MATCHLIMIT, PCRE2_ERROR_JIT_STACKLIMIT
        match error.code() {
            -47 => self.stopped(&format!("matching took more than {STEPS} steps")),
            -46 => self.stopped(&format!("matching took more than {} MiB to back-track in", STACK >> 20)),
            _ => self.stopped(&plain_words(error)),
        }
    }
}

/// What stands before the expression: the newline that `^` and `$` know, and the limit.
fn start_verbs() -> String {
    format!("(*LF)(*LIMIT_MATCH={STEPS})")
}

/// Compiles `expression`. `.` matches a newline and `^` and `$` are line anchors, as in Logstash.
fn build(expression: &str, text: bool, jit: bool) -> Result<Regex, pcre2::Error> {
    RegexBuilder::new()
        .dotall(true)
        .multi_line(true)
        .utf(text)
        .ucp(text)
        .jit_if_available(jit)
        .max_jit_stack_size(Some(STACK))
        .build(&format!("{}{expression}", start_verbs()))
}

/// The engine's words without its own prefix.
fn plain_words(error: &pcre2::Error) -> String {
    let words = error.to_string();
    words.rsplit_once(": ").map_or(words.clone(), |(_, last)| last.to_owned())
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
