//! From the text of a pattern, with `%{NAME:field:type}`, to the tree of its expression.
//!
//! The language is Oniguruma's with Ruby's syntax and the options that Logstash sets. What that means where other
//! engines mean something else:
//!
//! | written | means |
//! |---|---|
//! | `.` | every character, a newline too; not under `(?-m)`, which is what others call `(?s)` |
//! | `^`, `$` | the beginning and the end of a line, always |
//! | `(…)` | does not capture where a field or a named group stands beside it |
//! | `(?<name>…)`, `(?P<name>…)`, `(?'name'…)` | a field |
//! | `x(?i)a\|b` | `x(?i:a\|b)`: an option reaches over the alternatives that follow |
//! | `\w`, `\d`, `\s` and their opposites | ASCII; of Unicode under `(?u)` |
//! | `\b`, `[[:alpha:]]`, `\p{Alpha}` | of Unicode; `\b` and `[[:alpha:]]` are ASCII under `(?a)` |
//! | `\h`, `\H` | a hexadecimal digit, and what is none |
//! | `\v` | one character, U+000B |
//! | `{,n}`, a lone `{` | `{0,n}`, the character |
//! | `a{2}+`, `a{2}?`, `a**` | a repeat of a repeat, neither possessive nor lazy |
//! | `[a[bc]]`, `[a&&[^b]]` | union and intersection; `&&` binds least |
//! | `[a-\d]`, `[\w-a]` | the hyphen is a character |
//! | `\Q`, `\N` and letters without a meaning | the letter |
//! | `\k<name>` | the text of the last group of that name that took part |
//! | `\101` | two or more octal digits are a character, one digit is a back-reference |
//! | `\K` | nothing: fields are cut out as they are |
//! | `\G` | the beginning of the line |
//! | `(?i)` | letters that differ but in case, one for one: `ß` is not `ss` |
//! | `(?<n>…)\g<n>` | the group once more, as if it were written again |
//!
//! Not known, each an error that says so: groups that call themselves, absent operators (`(?~…)`), back-references with
//! a level (`\k<n+1>`), look-behind without a greatest length.

mod call;
mod class;
mod escape;
mod group;
pub(crate) mod marks;
mod reference;
mod sequence;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::core::error::{Error, Result};
use crate::grok::FieldType;
use crate::grok::ast::{Expression, Node};
use crate::grok::fault::Written;
use crate::grok::field::{parse_path, parse_type};
use crate::grok::parse::call::Call;
use crate::grok::parse::marks::Mark;
use crate::grok::pattern_file::Definition;

/// How deep definitions may use each other. Logstash's own stay below 12.
pub(crate) const MAX_DEPTH: usize = 64;

/// Most parts of an expression. Logstash's own largest (`BACULA_LOGLINE`) has some 8,000.
pub(crate) const MAX_PARTS: usize = 200_000;

/// How deep groups, references and repeats of repeats may stand in each other. The tree is walked by recursion, and
/// PCRE2 knows 250 parentheses.
pub(crate) const MAX_NESTING: usize = 200;

/// Largest number of fields, repeated ones counted each time; PCRE2 ends at 65,535 groups.
const MAX_SLOTS: usize = 4096;

/// All definitions by name.
pub(crate) type Definitions = BTreeMap<Arc<str>, Definition>;

/// What a text means.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    pub(crate) expression: Expression,
    /// What each field's capture feeds.
    pub(crate) slots: Vec<Slot>,
    /// Whether a class names characters beyond ASCII: then the bytes of a line are no stand-in for its characters.
    pub(crate) beyond_ascii: bool,
}

/// A capture: the field it feeds, and the type if one was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// As it is written, `NAME:field:type`; of an inline group, the field alone.
    pub(crate) name: String,
    pub(crate) path: Vec<String>,
    pub(crate) kind: Option<FieldType>,
}

/// One text that takes part: the user's (frame 0), or a definition where it is used.
#[derive(Debug)]
struct Frame {
    written: Written,
    name: Option<Arc<str>>,
    parent: Option<usize>,
    depth: usize,
}

/// Parses `written` and what it refers to.
pub(crate) fn parse(written: &Written, definitions: &Definitions) -> Result<Parsed> {
    let (parser, parsed) = Parser::run(written, definitions, false)?;
    match parser.numbered {
        None => Ok(parsed),
        // Plain groups are numbered only where nothing is named, and that is known only at the end.
        Some(_) if parser.slots.is_empty() => Ok(Parser::run(written, definitions, true)?.1),
        Some((frame, at)) => Err(parser.fault(
            frame,
            at,
            "a group cannot be known by its number beside named fields: plain groups do not capture there; \
             name the group, (?<name>…), and write \\k<name>",
        )),
    }
}

/// Where the reading of one text stands.
struct Reader<'t> {
    frame: usize,
    text: &'t str,
    at: usize,
    options: Options,
    /// Groups of this text that are open.
    groups: usize,
}

/// The options in force.
#[derive(Debug, Clone, Copy)]
struct Options {
    /// `(?i)`: upper and lower case are the same.
    fold: bool,
    /// `(?m)`: `.` matches a newline.
    newline: bool,
    /// `(?x)`: blanks and comments do not count.
    extended: bool,
    /// Which classes know Unicode.
    unicode: Unicode,
}

/// Which classes know characters beyond ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unicode {
    /// `(?a)`: none but properties.
    None,
    /// `(?d)`: POSIX classes and `\b`.
    Default,
    /// `(?u)`: `\w`, `\d`, `\s` as well.
    All,
}

/// What a run of the parser knows.
struct Parser<'d> {
    definitions: &'d Definitions,
    /// Definitions made inside the pattern, `%{NAME=…}`.
    own: Definitions,
    /// Whether plain groups capture.
    plain_groups: bool,
    /// Plain groups so far, whether they capture or not.
    plain: usize,
    frames: Vec<Frame>,
    slots: Vec<Slot>,
    /// The named groups so far: each name by which one is known, and its number.
    named: Vec<(String, usize)>,
    /// Calls of groups so far.
    calls: Vec<Call>,
    /// The first use of a group by its number: frame and place.
    numbered: Option<(usize, usize)>,
    /// The greatest number so used, with its place.
    greatest: Option<(usize, usize, usize)>,
    parts: usize,
    /// Groups, references and nested classes that are open.
    open: usize,
    beyond_ascii: bool,
    /// Where the parts of the text end, when that is asked for.
    marks: Option<Vec<Mark>>,
}

impl<'d> Parser<'d> {
    fn new(written: &Written, definitions: &'d Definitions, plain_groups: bool) -> Self {
        Parser {
            definitions,
            own: Definitions::new(),
            plain_groups,
            plain: 0,
            frames: vec![Frame { written: written.clone(), name: None, parent: None, depth: 0 }],
            slots: Vec::new(),
            named: Vec::new(),
            calls: Vec::new(),
            numbered: None,
            greatest: None,
            parts: 0,
            open: 0,
            beyond_ascii: false,
            marks: None,
        }
    }

    /// The text itself.
    fn root(&mut self, written: &Written) -> Result<Node> {
        let options = Options { fold: false, newline: true, extended: false, unicode: Unicode::Default };
        Ok(self.text(0, &written.text, options)?.node)
    }

    fn run(written: &Written, definitions: &'d Definitions, plain_groups: bool) -> Result<(Self, Parsed)> {
        let mut parser = Parser::new(written, definitions, plain_groups);
        let node = parser.root(written)?;
        let beyond = parser.greatest.filter(|&(_, _, number)| parser.slots.is_empty() && number > parser.plain);
        if let Some((frame, at, number)) = beyond {
            return Err(parser.fault(frame, at, &format!("there is no group {number}")));
        }
        // Without the numbers of plain groups, a second run follows that knows them.
        let node = if parser.numbered.is_none() || plain_groups { parser.resolve_calls(node)? } else { node };
        let captures = if plain_groups { parser.plain } else { parser.slots.len() };
        let slots = parser.slots.clone();
        let parsed = Parsed { expression: Expression { node, captures }, slots, beyond_ascii: parser.beyond_ascii };
        Ok((parser, parsed))
    }

    /// The whole text of `frame`.
    fn text(&mut self, frame: usize, text: &str, options: Options) -> Result<Part> {
        let mut r = Reader { frame, text, at: 0, options, groups: 0 };
        self.alternatives(&mut r)
    }

    fn fault(&self, frame: usize, at: usize, message: &str) -> Error {
        let via = self.chain(self.frames[frame].parent);
        let via: Vec<&str> = via.iter().map(|name| &**name).collect();
        self.frames[frame].written.fault(at, &via, message)
    }

    /// The names of the definitions from the outermost to `frame`.
    fn chain(&self, mut frame: Option<usize>) -> Vec<Arc<str>> {
        let mut names = Vec::new();
        while let Some(index) = frame {
            names.extend(self.frames[index].name.clone());
            frame = self.frames[index].parent;
        }
        names.reverse();
        names
    }

    /// Notes that the expression grows by `parts`.
    fn grow(&mut self, r: &Reader<'_>, at: usize, parts: usize) -> Result<()> {
        self.parts += parts;
        if self.parts > MAX_PARTS {
            let message = format!("the pattern grows beyond {MAX_PARTS} parts when its names are expanded");
            return Err(self.fault(r.frame, at, &message));
        }
        Ok(())
    }

    /// Notes that something opens at `at` in which others can stand.
    fn enter(&mut self, r: &Reader<'_>, at: usize) -> Result<()> {
        self.open += 1;
        self.check_nesting(r, at, 0)
    }

    /// Whether `levels` may stand in what is open.
    fn check_nesting(&self, r: &Reader<'_>, at: usize, levels: usize) -> Result<()> {
        if self.open + levels > MAX_NESTING {
            let message = format!("groups stand in each other more than {MAX_NESTING} deep");
            return Err(self.fault(r.frame, at, &message));
        }
        Ok(())
    }

    /// Adds a capture for the field `name` (which stands at `at`).
    fn slot(&mut self, frame: usize, at: usize, name: &str, kind: Option<(usize, &str)>) -> Result<usize> {
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
}

/// A part of the tree, and how many levels of groups and of repeats stand in it.
struct Part {
    node: Node,
    levels: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Passes over `text` if it stands here.
    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }
}
