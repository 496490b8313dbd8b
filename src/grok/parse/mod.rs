//! Parses the text of a pattern, with references such as `%{NAME:field:type}`, to the tree of its expression.
//!
//! The language is Oniguruma's, with Ruby's syntax and the options that Logstash sets. It differs from other engines in
//! these points:
//!
//! | written | meaning |
//! |---|---|
//! | `.` | every character, a newline too; under `(?-m)`, all but a newline |
//! | `^`, `$` | the start and the end of a line, always |
//! | `(…)` | does not capture if the pattern has a field or a named group |
//! | `(?<name>…)`, `(?P<name>…)`, `(?'name'…)` | a field |
//! | `x(?i)a\|b` | `x(?i:a\|b)`: an option also applies to the alternatives after it |
//! | `\w`, `\d`, `\s` and their opposites | ASCII; Unicode under `(?u)` |
//! | `\b`, `[[:alpha:]]`, `\p{Alpha}` | Unicode; `\b` and `[[:alpha:]]` are ASCII under `(?a)` |
//! | `\h`, `\H` | a hexadecimal digit; any other character |
//! | `\v` | one character, U+000B |
//! | `{,n}`, a lone `{` | `{0,n}`; the character |
//! | `a{2}+`, `a{2}?`, `a**` | a repeat of a repeat, neither possessive nor lazy |
//! | `[a[bc]]`, `[a&&[^b]]` | union and intersection; `&&` has the lowest precedence |
//! | `[a-\d]`, `[\w-a]` | the hyphen is a character |
//! | `\Q`, `\N` and letters without a meaning | the letter |
//! | `\k<name>` | the text of the last group of that name that took part |
//! | `\101` | two or more octal digits are a character, one digit is a back-reference |
//! | `\K` | nothing: only fields are used, never the whole match |
//! | `\G` | the start of the line |
//! | `(?i)` | ignores case, one character for one: `ß` is not `ss` |
//! | `(?<n>…)\g<n>` | the group once more, as if it were written again |
//!
//! Four constructs are not supported, and each gives an error: groups that call themselves, absent operators (`(?~…)`),
//! back-references with a level (`\k<n+1>`), and look-behind without a maximum length.

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

/// The deepest nesting of definitions in each other. Logstash's own definitions stay below 12.
pub(crate) const MAX_DEPTH: usize = 64;

/// The most parts of an expression. Logstash's largest definition (`BACULA_LOGLINE`) has about 8,000.
pub(crate) const MAX_PARTS: usize = 200_000;

/// The deepest nesting of groups, references and repeats of repeats. The tree is walked recursively, and PCRE2 allows
/// 250 levels of parentheses.
pub(crate) const MAX_NESTING: usize = 200;

/// The most captures of fields; a repeated field counts each time. PCRE2 allows 65,535 groups.
const MAX_SLOTS: usize = 4096;

/// All definitions by name.
pub(crate) type Definitions = BTreeMap<Arc<str>, Definition>;

/// The result of parsing.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    pub(crate) expression: Expression,
    /// The field of each capture.
    pub(crate) slots: Vec<Slot>,
    /// Whether a class contains characters beyond ASCII. If it does, PCRE2's program for bytes cannot run the lines
    /// that are not valid UTF-8.
    pub(crate) beyond_ascii: bool,
}

/// A capture: the field that it feeds, and the type if the pattern gives one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The text of the reference, `NAME:field:type`; for an inline group, the field alone.
    pub(crate) name: String,
    pub(crate) path: Vec<String>,
    pub(crate) kind: Option<FieldType>,
}

/// A text being parsed: the user's text (frame 0), or a definition at one place of use.
#[derive(Debug)]
struct Frame {
    written: Written,
    name: Option<Arc<str>>,
    parent: Option<usize>,
    depth: usize,
}

/// Parses `written` and the definitions that it uses.
pub(crate) fn parse(written: &Written, definitions: &Definitions) -> Result<Parsed> {
    let (parser, parsed) = Parser::run(written, definitions, false)?;
    match parser.numbered {
        None => Ok(parsed),
        // Plain groups are numbered only in a pattern without named groups. Whether it has one is known only at the
        // end.
        Some(_) if parser.slots.is_empty() => Ok(Parser::run(written, definitions, true)?.1),
        Some((frame, at)) => Err(parser.fault(
            frame,
            at,
            "a group number cannot be used beside named fields, because plain groups do not capture there; \
             name the group, (?<name>…), and write \\k<name>",
        )),
    }
}

/// The position of the parser in one text.
struct Reader<'t> {
    frame: usize,
    text: &'t str,
    at: usize,
    options: Options,
    /// The number of open groups of this text.
    groups: usize,
}

/// The options that apply at the current position.
#[derive(Debug, Clone, Copy)]
struct Options {
    /// `(?i)`: case is ignored.
    fold: bool,
    /// `(?m)`: `.` matches a newline.
    newline: bool,
    /// `(?x)`: blanks and comments are ignored.
    extended: bool,
    /// The classes that include Unicode characters.
    unicode: Unicode,
}

/// The classes that include characters beyond ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unicode {
    /// `(?a)`: only properties.
    None,
    /// `(?d)`: also POSIX classes and `\b`.
    Default,
    /// `(?u)`: also `\w`, `\d`, `\s`.
    All,
}

/// The state of the parser.
struct Parser<'d> {
    definitions: &'d Definitions,
    /// Definitions that the pattern itself makes with `%{NAME=…}`.
    own: Definitions,
    /// Whether plain groups capture.
    plain_groups: bool,
    /// Number of plain groups so far, whether they capture or not.
    plain: usize,
    frames: Vec<Frame>,
    slots: Vec<Slot>,
    /// The named groups so far: each of their names, and the number of the group.
    named: Vec<(String, usize)>,
    /// The calls of groups so far.
    calls: Vec<Call>,
    /// The first use of a group number: frame and position.
    numbered: Option<(usize, usize)>,
    /// The greatest group number used: frame, position and number.
    greatest: Option<(usize, usize, usize)>,
    parts: usize,
    /// Number of groups, references and nested classes that are open.
    open: usize,
    beyond_ascii: bool,
    /// The marks of the text's parts, if the caller asks for them.
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

    /// Parses the root text.
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
        // If plain groups are used by number, a second run follows that numbers them. Calls are resolved in that run.
        let node = if parser.numbered.is_none() || plain_groups { parser.resolve_calls(node)? } else { node };
        let captures = if plain_groups { parser.plain } else { parser.slots.len() };
        let slots = parser.slots.clone();
        let parsed = Parsed { expression: Expression { node, captures }, slots, beyond_ascii: parser.beyond_ascii };
        Ok((parser, parsed))
    }

    /// Parses the whole text of `frame`.
    fn text(&mut self, frame: usize, text: &str, options: Options) -> Result<Part> {
        let mut r = Reader { frame, text, at: 0, options, groups: 0 };
        self.alternatives(&mut r)
    }

    fn fault(&self, frame: usize, at: usize, message: &str) -> Error {
        let via = self.chain(self.frames[frame].parent);
        let via: Vec<&str> = via.iter().map(|name| &**name).collect();
        self.frames[frame].written.fault(at, &via, message)
    }

    /// Returns the names of the definitions from the outermost one to `frame`.
    fn chain(&self, mut frame: Option<usize>) -> Vec<Arc<str>> {
        let mut names = Vec::new();
        while let Some(index) = frame {
            names.extend(self.frames[index].name.clone());
            frame = self.frames[index].parent;
        }
        names.reverse();
        names
    }

    /// Counts `parts` more parts of the expression. Fails beyond [`MAX_PARTS`].
    fn grow(&mut self, r: &Reader<'_>, at: usize, parts: usize) -> Result<()> {
        self.parts += parts;
        if self.parts > MAX_PARTS {
            let message = format!("the pattern grows beyond {MAX_PARTS} parts when its names are expanded");
            return Err(self.fault(r.frame, at, &message));
        }
        Ok(())
    }

    /// Counts one more open group, reference or class at `at`.
    fn enter(&mut self, r: &Reader<'_>, at: usize) -> Result<()> {
        self.open += 1;
        self.check_nesting(r, at, 0)
    }

    /// Checks that `levels` more levels may be nested here.
    fn check_nesting(&self, r: &Reader<'_>, at: usize, levels: usize) -> Result<()> {
        if self.open + levels > MAX_NESTING {
            let message = format!("groups are nested more than {MAX_NESTING} deep");
            return Err(self.fault(r.frame, at, &message));
        }
        Ok(())
    }

    /// Adds a capture for the field `name`, which is written at `at`.
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

/// A parsed node, and the number of levels of groups and repeats in it.
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

    /// Consumes `text` if it comes next. Returns whether it did.
    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }
}
