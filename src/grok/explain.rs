//! How far a line got in a pattern that it does not match.
//!
//! A pattern is taken apart into the parts that stand one after the other in it. A line *reached* a part when the parts
//! before it match together, somewhere in the line, and do not with that part. If a beginning of the pattern matches, so
//! do all shorter ones, so the place is found by halving; mostly at once, because lines fail alike. The beginnings are
//! compiled when they are first needed.
//!
//! References to definitions that have fields are taken apart as well, so that what is told is `%{NUMBER:bytes}` and not
//! `%{COMBINEDAPACHELOG}`. Of a pattern that is several alternatives, each is looked at, and the one that got furthest is
//! told. What is in parentheses or repeated is one part, and so is a definition that sets options.

use std::sync::{Arc, OnceLock};

use crate::grok::fault::Written;
use crate::grok::parse::marks::{Kind, Mark, marks};
use crate::grok::{Library, Matcher, Pattern};

/// The most alternatives of a pattern that are looked at.
const MOST_ALTERNATIVES: usize = 8;

/// The most parts of an alternative; what is beyond is one part.
const MOST_PARTS: usize = 512;

/// How deep references are taken apart.
const DEEPEST: usize = 16;

/// The most bytes of a pattern's text that are told; of a longer one, its end.
const LONGEST: usize = 1000;

/// The name of the group around a beginning, by which its end is known.
const GROUP: &str = "reached";

/// A pattern taken apart. All threads share it.
pub struct Parts {
    library: Arc<Library>,
    pattern: Arc<str>,
    alternatives: Vec<Alternative>,
}

/// Parts one after the other.
#[derive(Default)]
struct Alternative {
    /// Their text.
    text: String,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// The patterns of the first part, of the first two, and so on but for all; `None` where one does not compile.
    beginnings: Vec<OnceLock<Option<Pattern>>>,
}

impl Parts {
    /// The parts of `pattern`, whose definitions are those of `library`.
    pub fn new(library: Arc<Library>, pattern: &Pattern) -> Parts {
        let mut alternatives = Vec::new();
        take_apart(&library, pattern.text(), 0, &mut alternatives);
        Parts { pattern: pattern.name().into(), library, alternatives }
    }

    /// The pattern of the first `count` parts of an alternative.
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

/// Adds the alternatives of `text`.
fn take_apart(library: &Library, text: &str, depth: usize, into: &mut Vec<Alternative>) {
    let Ok(marks) = marks(&Written::new("", text), library.definitions()) else { return };
    let bars = marks.iter().filter(|mark| mark.kind == Kind::Bar).count();
    if bars > 0 && marks.iter().any(|mark| mark.kind == Kind::Options) {
        // Options reach over bars, so that an alternative is not all that stands between two of them.
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
        // A pattern that is but a name is what that name stands for, if there is more to it than one thing.
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

/// Adds the parts of `text` that `marks` tell, from `start` on.
fn add_parts(library: &Library, text: &str, mut start: usize, marks: &[Mark], depth: usize, into: &mut Alternative) {
    let mut before = None;
    for mark in marks {
        if mark.kind == Kind::Options {
            // They belong to the part that follows, which is not under those before.
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

/// The text of the definition that the reference at `mark` names; `None` when it is made in the pattern itself.
fn definition<'l>(library: &'l Library, text: &str, mark: &Mark) -> Option<&'l str> {
    let inner = text[mark.start..mark.end].strip_prefix("%{")?.strip_suffix('}')?;
    if text.contains("%{") && inner.contains('=') {
        return None;
    }
    let name = inner.split(':').next()?;
    library.definition(name).map(|definition| definition.text())
}

/// The definition at `mark`, if it is parts one after the other with fields among them, and its name has no field.
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

/// How far a line got.
#[derive(Clone)]
pub struct Reached {
    parts: Arc<Parts>,
    alternative: usize,
    /// Parts that match together.
    count: usize,
    offset: u32,
}

impl Reached {
    /// The name of the pattern.
    pub fn pattern(&self) -> &str {
        &self.parts.pattern
    }

    /// The text of the parts that match together, definitions with fields written out. Of a long one, its end.
    pub fn matched(&self) -> String {
        let alternative = &self.parts.alternatives[self.alternative];
        let text = &alternative.text[..self.count.checked_sub(1).map_or(0, |last| alternative.ends[last])];
        match text.len().checked_sub(LONGEST) {
            None | Some(0) => text.to_owned(),
            Some(cut) => format!("…{}", &text[boundary(text, cut)..]),
        }
    }

    /// Where they end in the line, in bytes. A part that can match more or less of it has taken what it takes first.
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// The text of the part that does not match then. Of a long one, its beginning.
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

/// Where the next character begins, from `at` on.
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

/// Explains lines to one thread.
pub struct Explainer {
    parts: Arc<Parts>,
    /// For each alternative, the matchers of its beginnings, and the number of parts that the last line matched.
    matchers: Vec<(Vec<Option<Matcher>>, usize)>,
}

impl Explainer {
    /// An explainer of one pattern.
    pub fn new(parts: Arc<Parts>) -> Explainer {
        let none = |alternative: &Alternative| (alternative.ends.iter().map(|_| None).collect(), 0);
        Explainer { matchers: parts.alternatives.iter().map(none).collect(), parts }
    }

    /// How far `line` got, which the pattern does not match. `None` when that cannot be told: of a pattern whose
    /// beginnings are no patterns by themselves, or take too long.
    pub fn explain(&mut self, line: &[u8]) -> Option<Reached> {
        let reached = (0..self.matchers.len()).filter_map(|alternative| self.reached(alternative, line));
        // Of equals the first.
        reached.reduce(|best, other| if other.1 > best.1 { other } else { best }).map(
            |(alternative, (offset, count))| Reached { parts: Arc::clone(&self.parts), alternative, count, offset },
        )
    }

    /// The alternative, and where in the line how many of its parts end.
    fn reached(&mut self, alternative: usize, line: &[u8]) -> Option<(usize, (u32, usize))> {
        let guess = self.matchers[alternative].1;
        // So many parts match, and so many do not.
        let (mut low, mut high, mut offset) = (0, self.matchers[alternative].0.len(), 0);
        if high == 0 {
            return None;
        }
        // After a line that matched nothing, one part is looked at first.
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

    /// Where the first `count` parts end in `line`, `Some(None)` when they do not match, `None` when nobody knows.
    fn end(&mut self, alternative: usize, count: usize, line: &[u8]) -> Option<Option<u32>> {
        let matcher = &mut self.matchers[alternative].0[count - 1];
        if matcher.is_none() {
            *matcher = Some(self.parts.beginning(alternative, count)?.matcher());
        }
        let captures = matcher.as_mut()?.captures(line).ok()?;
        // The group around all of it is the first.
        Some(captures.map(|captures| captures.span(0).end))
    }
}
