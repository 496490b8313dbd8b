//! Runs one pattern on all engines: both machines of the linear engine, PCRE2 and Oniguruma.
//!
//! Oniguruma gets the parsed tree of the pattern, printed in its own syntax. So this compares the engines and not the
//! parsers; `differential.rs` compares the parsers.

use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};

use onig::{MatchParam, Regex, RegexOptions, Region, SearchOptions, Syntax};

use super::{Library, Pattern};
use crate::grok::ast::{Look, Node};
use crate::grok::linear::Proof;
use crate::grok::set::Set;
use crate::grok::{Matcher, Span};

/// The position of each capture; `None` if the line does not match.
pub(super) type Captured = Option<Vec<Option<(usize, usize)>>>;

/// Converts a pattern for one engine. Returns `None` if the engine does not support the pattern.
type Engine = (&'static str, fn(&Pattern) -> Option<Pattern>);

/// The engines of this crate. The linear ones must decide every line.
pub(super) const ENGINES: [Engine; 3] = [
    ("linear", |pattern| pattern.is_linear().then(|| pattern.clone())),
    ("careful", Pattern::careful),
    // PCRE2 refuses a pattern that is too large for it.
    (PCRE2, |pattern| pattern.backtracking().ok()),
];

const PCRE2: &str = "PCRE2";

/// The share of patterns that run every proof on their lines: one in six.
const DOUBTED: u64 = 6;

/// The most steps of Oniguruma at one position. A line that needs more is not compared with Oniguruma.
const RETRIES: u32 = 100_000;

/// Returns the captures of `line`. Fails if they change when a proof runs first, or if the engine gives up.
pub(super) fn captured(matcher: &mut Matcher, slots: usize, line: &[u8]) -> Result<Captured, String> {
    let found = captured_once(matcher, slots, line)?;
    for (proof, at_once) in Proof::ALL.into_iter().flat_map(|proof| [(proof, true), (proof, false)]) {
        matcher.doubt(proof, at_once);
        if captured_once(matcher, slots, line)? != found {
            return Err(format!("{proof:?} rules out what matches"));
        }
    }
    Ok(found)
}

/// Returns the captures of `line`, without a proof. Fails if the engine gives up.
pub(super) fn captured_once(matcher: &mut Matcher, slots: usize, line: &[u8]) -> Result<Captured, String> {
    let place = |span: Span| (span != Span::NONE).then_some((span.start as usize, span.end as usize));
    let captures = matcher.captures(line).map_err(|stopped| stopped.to_string())?;
    Ok(captures.map(|captures| (0..slots).map(|slot| place(captures.span(slot))).collect()))
}

/// A pattern on all engines.
pub(super) struct Engines {
    text: String,
    pub(super) pattern: Pattern,
    matchers: Vec<(&'static str, Matcher)>,
    /// Whether every proof runs on each line. Building the automata for that takes longer than everything else. So it
    /// is done for some patterns only, and each run selects others.
    doubts: bool,
    oniguruma: Option<Oniguruma>,
    pub(super) counts: Counts,
}

/// The numbers of lines that were compared.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) lines: u64,
    pub(super) matches: u64,
    pub(super) pcre2: u64,
    pub(super) oniguruma: u64,
}

impl Counts {
    pub(super) fn add(self, other: Counts) -> Counts {
        Counts {
            lines: self.lines + other.lines,
            matches: self.matches + other.matches,
            pcre2: self.pcre2 + other.pcre2,
            oniguruma: self.oniguruma + other.oniguruma,
        }
    }
}

impl Engines {
    /// Prepares the pattern `text`, with the definitions of `library`.
    pub(super) fn new(library: &Library, text: &str) -> Engines {
        let pattern = library.compile(text).unwrap_or_else(|error| panic!("{error}"));
        let made = ENGINES.iter().filter_map(|(name, engine)| Some((*name, engine(&pattern)?.matcher())));
        let oniguruma = Oniguruma::new(pattern.tree(), pattern.slots());
        let matchers = made.collect();
        let doubts = RandomState::new().hash_one(text).is_multiple_of(DOUBTED);
        Engines { text: text.to_owned(), pattern, matchers, doubts, oniguruma, counts: Counts::default() }
    }

    /// Compares all engines on `line`. An error has a row that can be pasted into a test, and the results of the
    /// engines.
    pub(super) fn compare(&mut self, line: &[u8]) -> Result<(), String> {
        let slots = self.pattern.slots();
        let text = std::str::from_utf8(line).ok();
        self.counts.lines += 1;
        let mut found: Vec<(&str, Captured)> = Vec::new();
        for (name, matcher) in &mut self.matchers {
            // The engines treat invalid UTF-8 differently. PCRE2 reads such a line byte by byte. The linear engine
            // reads each invalid byte as a character that no class contains.
            if *name == PCRE2 && text.is_none() {
                continue;
            }
            let capture = if self.doubts { captured } else { captured_once };
            match capture(matcher, slots, line) {
                Ok(captured) => found.push((name, captured)),
                Err(_) if *name == PCRE2 => continue,
                Err(error) => return Err(format!("{} on {}: {name}: {error}", self.text, shown(line))),
            }
            self.counts.pcre2 += u64::from(*name == PCRE2);
        }
        if let (Some(oniguruma), Some(text)) = (&self.oniguruma, text)
            && let Some(captured) = oniguruma.search(text)
        {
            found.push(("Oniguruma", captured));
            self.counts.oniguruma += 1;
        }
        self.counts.matches += u64::from(matches!(found.first(), Some((_, Some(_)))));
        if found.iter().all(|(_, captured)| *captured == found[0].1) {
            return Ok(());
        }
        let shown_each = found.iter().map(|(name, captured)| format!("\n {name}: {captured:?}")).collect::<String>();
        Err(format!("(r#\"{}\"#, {}),{shown_each}", self.text, shown(line)))
    }
}

/// Returns `line` as a Rust literal.
fn shown(line: &[u8]) -> String {
    match std::str::from_utf8(line) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("b\"{}\"", line.escape_ascii()),
    }
}

struct Oniguruma {
    regex: Regex,
    /// For each group, its slot.
    slots: Vec<usize>,
    count: usize,
}

impl Oniguruma {
    /// Compiles the tree. Returns `None` if Oniguruma refuses it.
    fn new(tree: &Node, count: usize) -> Option<Oniguruma> {
        let (mut text, mut slots) = (String::new(), Vec::new());
        write(tree, &mut text, &mut slots)?;
        let regex = Regex::with_options(&text, RegexOptions::REGEX_OPTION_MULTILINE, Syntax::ruby()).ok()?;
        Some(Oniguruma { regex, slots, count })
    }

    /// Returns the captures of `line`; `None` if matching takes too long.
    fn search(&self, line: &str) -> Option<Captured> {
        for (place, _) in line.char_indices().chain([(line.len(), ' ')]) {
            let mut region = Region::new();
            let mut parameters = MatchParam::default();
            parameters.set_retry_limit_in_match(RETRIES);
            let options = SearchOptions::SEARCH_OPTION_NONE;
            let found = self.regex.match_with_param(line, place, options, Some(&mut region), parameters);
            if found.ok()?.is_some() {
                let mut captured = vec![None; self.count];
                for (group, &slot) in self.slots.iter().enumerate().filter(|(_, slot)| **slot < self.count) {
                    captured[slot] = region.pos(group + 1);
                }
                return Some(Some(captured));
            }
        }
        Some(None)
    }
}

/// Prints `node` in Oniguruma's syntax. Returns `None` if that syntax cannot express it.
fn write(node: &Node, text: &mut String, slots: &mut Vec<usize>) -> Option<()> {
    let mut inside = |opening: &str, node: &Node, closing: &str| {
        text.push_str(opening);
        write(node, text, slots)?;
        text.push_str(closing);
        Some(())
    };
    match node {
        Node::Empty => {}
        Node::Set(set) => write_set(set, text),
        Node::Look(look) => text.push_str(match look {
            Look::Start => r"\A",
            Look::End => r"\z",
            Look::EndOrNewline => r"\Z",
            Look::LineStart => "^",
            Look::LineEnd => "$",
            Look::Boundary => r"\b",
            Look::NotBoundary => r"\B",
        }),
        Node::Concat(parts) => parts.iter().try_for_each(|part| inside("", part, ""))?,
        Node::Alternate(ways) => {
            for (index, way) in ways.iter().enumerate() {
                inside(if index == 0 { "(?:" } else { "|" }, way, "")?;
            }
            text.push(')');
        }
        Node::Repeat { node, min, max, greedy } => {
            inside("(?:", node, ")")?;
            match (min, max) {
                (0, None) => text.push('*'),
                (1, None) => text.push('+'),
                (0, Some(1)) => text.push('?'),
                (min, None) => write!(text, "{{{min},}}").ok()?,
                (min, Some(max)) => write!(text, "{{{min},{max}}}").ok()?,
            }
            // After {n,n}, a question mark is another repeat.
            if !greedy && *max != Some(*min) {
                text.push('?');
            }
        }
        Node::Capture { slot, node } => {
            slots.push(*slot);
            text.push('(');
            write(node, text, slots)?;
            text.push(')');
        }
        Node::Atomic(node) => inside("(?>", node, ")")?,
        Node::Around { behind, negative, node } => {
            let opening = match (behind, negative) {
                (false, false) => "(?=",
                (false, true) => "(?!",
                (true, false) => "(?<=",
                (true, true) => "(?<!",
            };
            inside(opening, node, ")")?;
        }
        Node::Backreference { .. } | Node::Conditional { .. } | Node::Foreign(_) => return None,
    }
    Some(())
}

fn write_set(set: &Set, text: &mut String) {
    if set.as_ranges().is_empty() {
        text.push_str("(?!)");
        return;
    }
    text.push('[');
    for &(low, high) in set.as_ranges() {
        let _ = write!(text, r"\x{{{low:x}}}-\x{{{high:x}}}");
    }
    text.push(']');
}
