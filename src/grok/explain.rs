//! Explains how far a line got in a pattern that it does not match.
//!
//! A pattern is split into its top-level parts, in sequence. A line *reached* a part if the parts before it match
//! together somewhere in the line, but do not match together with that part. If some beginning of the pattern matches,
//! all shorter beginnings match too, so a binary search finds the part. It usually needs one step, because similar
//! lines fail at the same part. Each beginning is compiled when it is first needed.
//!
//! A reference to a definition with fields is split as well. So the report names `%{NUMBER:bytes}` and not
//! `%{COMBINEDAPACHELOG}`. If the pattern consists of alternatives, each is examined, and the report is about the one
//! that got furthest. A group, a repeat, and a definition that sets options each count as one part.

use std::sync::{Arc, OnceLock};

use crate::grok::fault::Written;
use crate::grok::parse::marks::{Kind, Mark, marks};
use crate::grok::{Library, Matcher, Pattern};

/// The most alternatives of a pattern that are examined.
const MOST_ALTERNATIVES: usize = 8;

/// The most parts of an alternative. All further parts count as one.
const MOST_PARTS: usize = 512;

/// The deepest nesting of references that are split.
const DEEPEST: usize = 16;

/// The most bytes of a pattern's text in a report. A longer text is shortened.
const LONGEST: usize = 1000;

/// The name of the group that encloses a beginning and marks its end.
const GROUP: &str = "reached";

/// A pattern that is split into parts. All threads share it.
pub struct Parts {
    library: Arc<Library>,
    pattern: Arc<str>,
    alternatives: Vec<Alternative>,
}

/// An alternative: parts in sequence.
#[derive(Default)]
struct Alternative {
    /// The text of all parts.
    text: String,
    /// The end of each part in `text`.
    ends: Vec<usize>,
    /// The compiled beginnings: the first part, the first two parts, and so on. An entry is `None` if the beginning
    /// does not compile.
    beginnings: Vec<OnceLock<Option<Pattern>>>,
}

impl Parts {
    /// Splits `pattern` into parts. `library` holds the definitions that the pattern uses.
    pub fn new(library: Arc<Library>, pattern: &Pattern) -> Parts {
        let mut alternatives = Vec::new();
        take_apart(&library, pattern.text(), 0, &mut alternatives);
        Parts { pattern: pattern.name().into(), library, alternatives }
    }

    /// Returns the pattern of the first `count` parts of an alternative.
    fn beginning(&self, alternative: usize, count: usize) -> Option<&Pattern> {
        let alternative = &self.alternatives[alternative];
        let compile = || {
            let text = &alternative.text[..alternative.ends[count - 1]];
            self.library.compile_from("the beginning of a pattern", &format!("(?<{GROUP}>{text})")).ok()
        };
        alternative.beginnings[count - 1].get_or_init(compile).as_ref()
    }
}

impl Alternative {
    fn push(&mut self, text: &str, merge: bool) {
        self.text.push_str(text);
        match self.ends.last_mut() {
            Some(end) if merge || self.beginnings.len() == MOST_PARTS => *end = self.text.len(),
            _ => {
                self.ends.push(self.text.len());
                self.beginnings.push(OnceLock::new());
            }
        }
    }
}

/// Splits `text` into its alternatives, and adds them.
fn take_apart(library: &Library, text: &str, depth: usize, into: &mut Vec<Alternative>) {
    let Ok(marks) = marks(&Written::new("", text), library.definitions()) else { return };
    let bars = marks.iter().filter(|mark| mark.kind == Kind::Bar).count();
    if bars > 0 && marks.iter().any(|mark| mark.kind == Kind::Options) {
        // Options hold across bars, so an alternative is more than the text between two bars.
        let mut whole = Alternative::default();
        whole.push(text, false);
        return into.push(whole);
    }
    let mut start = 0;
    for branch in marks.split(|mark| mark.kind == Kind::Bar) {
        let end = branch.last().map_or(start, |mark| mark.end);
        if into.len() == MOST_ALTERNATIVES {
            return;
        }
        // A pattern that is only a reference is replaced by the definition, if the definition has fields.
        let inner = match branch {
            [mark] if mark.kind == Kind::Reference && depth < DEEPEST => definition(library, text, mark),
            _ => None,
        };
        match inner.filter(|inner| has_fields(library, inner, 0)) {
            Some(inner) => take_apart(library, inner, depth + 1, into),
            None => {
                let mut alternative = Alternative::default();
                add_parts(library, text, start, branch, depth, &mut alternative);
                into.push(alternative);
            }
        }
        start = end + 1;
    }
}

/// Adds the parts of `text` that `marks` describe, from `start` on.
fn add_parts(library: &Library, text: &str, mut start: usize, marks: &[Mark], depth: usize, into: &mut Alternative) {
    let mut before = None;
    for mark in marks {
        if mark.kind == Kind::Options {
            // The options belong to the next part. The parts before them are not affected.
            before = None;
            continue;
        }
        let part = &text[start..mark.end];
        let inner = match mark.kind {
            Kind::Reference if depth < DEEPEST => sequence(library, text, mark),
            _ => None,
        };
        match inner {
            Some((inner, marks)) => {
                let blank = &text[start..mark.start];
                if !blank.is_empty() {
                    into.push(blank, false);
                }
                add_parts(library, inner, 0, &marks, depth + 1, into);
            }
            None => {
                let merge = mark.kind == Kind::Character && before == Some(Kind::Character);
                into.push(part, merge);
            }
        }
        before = Some(mark.kind);
        start = mark.end;
    }
}

/// Returns the text of the definition that the reference at `mark` uses; `None` if the pattern itself defines it.
fn definition<'l>(library: &'l Library, text: &str, mark: &Mark) -> Option<&'l str> {
    let inner = text[mark.start..mark.end].strip_prefix("%{")?.strip_suffix('}')?;
    if text.contains("%{") && inner.contains('=') {
        return None;
    }
    let name = inner.split(':').next()?;
    library.definition(name).map(|definition| definition.text())
}

/// Returns the definition at `mark` if it can be split: it is a sequence with fields in it, and the reference has no
/// field.
fn sequence<'l>(library: &'l Library, text: &str, mark: &Mark) -> Option<(&'l str, Vec<Mark>)> {
    if text[mark.start..mark.end].contains(':') {
        return None;
    }
    let inner = definition(library, text, mark)?;
    let marks = marks(&Written::new("", inner), library.definitions()).ok()?;
    let simple = marks.iter().all(|mark| !matches!(mark.kind, Kind::Bar | Kind::Options));
    (simple && has_fields(library, inner, 0)).then_some((inner, marks))
}

fn has_fields(library: &Library, text: &str, depth: usize) -> bool {
    let marks = marks(&Written::new("", text), library.definitions()).unwrap_or_default();
    marks.iter().any(|mark| {
        let part = &text[mark.start..mark.end];
        let inner = definition(library, text, mark).filter(|_| mark.kind == Kind::Reference && depth < DEEPEST);
        let group = part.split("(?<").skip(1).any(|rest| !rest.starts_with(['=', '!']));
        let named = group || part.split("%{").skip(1).any(|name| name.contains(':'));
        named || inner.is_some_and(|inner| has_fields(library, inner, depth + 1))
    })
}

/// A report of how far a line got.
#[derive(Clone)]
pub struct Reached {
    parts: Arc<Parts>,
    alternative: usize,
    /// The number of parts that match together.
    count: usize,
    offset: u32,
}

impl Reached {
    /// Returns the name of the pattern.
    pub fn pattern(&self) -> &str {
        &self.parts.pattern
    }

    /// Returns the text of the parts that match together, with definitions that have fields expanded. If the text is
    /// longer than 1000 bytes, returns only its end.
    pub fn matched(&self) -> String {
        let alternative = &self.parts.alternatives[self.alternative];
        let text = &alternative.text[..self.count.checked_sub(1).map_or(0, |last| alternative.ends[last])];
        match text.len().checked_sub(LONGEST) {
            None | Some(0) => text.to_owned(),
            Some(cut) => format!("…{}", &text[boundary(text, cut)..]),
        }
    }

    /// Returns the position in the line where these parts end, in bytes. A part that can match in several ways has
    /// matched in its first way.
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// Returns the text of the first part that does not match. If the text is longer than 1000 bytes, returns only its
    /// start.
    pub fn failed(&self) -> String {
        let alternative = &self.parts.alternatives[self.alternative];
        let start = self.count.checked_sub(1).map_or(0, |last| alternative.ends[last]);
        let text = &alternative.text[start..alternative.ends[self.count]];
        match text.len() > LONGEST {
            false => text.to_owned(),
            true => format!("{}…", &text[..boundary(text, LONGEST)]),
        }
    }
}

/// Returns the first character boundary from `at` on.
fn boundary(text: &str, at: usize) -> usize {
    (at..text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len())
}

impl std::fmt::Debug for Reached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (matched, failed) = (self.matched(), self.failed());
        f.debug_struct("Reached")
            .field("matched", &matched)
            .field("offset", &self.offset)
            .field("failed", &failed)
            .finish()
    }
}

/// Explains the lines of one thread.
pub struct Explainer {
    parts: Arc<Parts>,
    /// For each alternative, the matchers of its beginnings, and the number of parts that the previous line matched.
    matchers: Vec<(Vec<Option<Matcher>>, usize)>,
}

impl Explainer {
    /// Creates an explainer of one pattern.
    pub fn new(parts: Arc<Parts>) -> Explainer {
        let none = |alternative: &Alternative| (alternative.ends.iter().map(|_| None).collect(), 0);
        Explainer { matchers: parts.alternatives.iter().map(none).collect(), parts }
    }

    /// Returns how far `line` got; the pattern does not match it. Returns `None` if that cannot be determined: a
    /// beginning of the pattern does not compile, or takes too long.
    pub fn explain(&mut self, line: &[u8]) -> Option<Reached> {
        let reached = (0..self.matchers.len()).filter_map(|alternative| self.reached(alternative, line));
        // If several alternatives got equally far, the first is reported.
        reached.reduce(|best, other| if other.1 > best.1 { other } else { best }).map(
            |(alternative, (offset, count))| Reached { parts: Arc::clone(&self.parts), alternative, count, offset },
        )
    }

    /// Returns the alternative, the end of its matching parts in the line, and their number.
    fn reached(&mut self, alternative: usize, line: &[u8]) -> Option<(usize, (u32, usize))> {
        let guess = self.matchers[alternative].1;
        // The first `low` parts match, and the first `high` parts do not.
        let (mut low, mut high, mut offset) = (0, self.matchers[alternative].0.len(), 0);
        if high == 0 {
            return None;
        }
        // If the previous line matched no part, the first part is tried first.
        let mut next = guess.max(1);
        while high - low > 1 {
            let middle = if next > low && next < high { next } else { low.midpoint(high) };
            match self.end(alternative, middle, line)? {
                Some(end) => {
                    (low, offset) = (middle, end);
                    next = if middle == guess { guess + 1 } else { 0 };
                }
                None => {
                    high = middle;
                    next = 0;
                }
            }
        }
        self.matchers[alternative].1 = low;
        Some((alternative, (offset, low)))
    }

    /// Returns where the first `count` parts end in `line`. `Some(None)` means that they do not match; `None` means
    /// that it cannot be determined.
    fn end(&mut self, alternative: usize, count: usize, line: &[u8]) -> Option<Option<u32>> {
        let matcher = &mut self.matchers[alternative].0[count - 1];
        if matcher.is_none() {
            *matcher = Some(self.parts.beginning(alternative, count)?.matcher());
        }
        let captures = matcher.as_mut()?.captures(line).ok()?;
        // Slot 0 is the group around the whole beginning.
        Some(captures.map(|captures| captures.span(0).end))
    }
}
