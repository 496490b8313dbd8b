//! Parses escapes: a backslash and what follows it.

use crate::core::error::{Error, Result};
use crate::grok::ast::{Look, Node};
use crate::grok::parse::call::GroupRef;
use crate::grok::parse::sequence::character;
use crate::grok::parse::{Parser, Reader, Unicode};
use crate::grok::set::Set;
use crate::grok::unicode;

/// The meaning of an escape.
pub(super) enum Escape {
    Char(char),
    Set(Set),
    Node(Node),
}

impl Parser<'_> {
    /// Parses an escape outside a class.
    pub(super) fn escape(&mut self, r: &mut Reader<'_>) -> Result<Node> {
        let at = r.at;
        Ok(match self.read_escape(r, false)? {
            Escape::Char(c) => character(r, c),
            Escape::Set(set) => {
                self.grow(r, at, set.as_ranges().len() / 4)?;
                Node::set(set)
            }
            Escape::Node(node) => node,
        })
    }

    pub(super) fn read_escape(&mut self, r: &mut Reader<'_>, in_class: bool) -> Result<Escape> {
        let at = r.at;
        let Some(c) = r.rest().chars().nth(1) else {
            return Err(self.fault(r.frame, at, "a backslash at the end escapes nothing"));
        };
        r.at += 1 + c.len_utf8();
        if let Some(set) = shorthand(c, r.options.unicode) {
            return Ok(Escape::Set(set));
        }
        if !in_class && let Some(node) = self.outside_classes(r, at, c)? {
            return Ok(Escape::Node(node));
        }
        Ok(Escape::Char(match c {
            'p' | 'P' => return self.property(r, at, in_class).map(Escape::Set),
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'f' => '\x0c',
            'v' => '\x0b',
            'a' => '\x07',
            'e' => '\x1b',
            'b' if in_class => '\x08',
            'x' | 'u' => self.code_point(r, at, c)?,
            '0'..='7' => octal(r, at),
            'c' => self.control(r, at)?,
            'C' | 'M' if r.rest().starts_with('-') => self.control(r, at)?,
            c => c,
        }))
    }

    /// Parses an escape that has a meaning only outside classes. The letter `c` is read.
    fn outside_classes(&mut self, r: &mut Reader<'_>, at: usize, c: char) -> Result<Option<Node>> {
        let look = match c {
            'A' | 'G' => Look::Start,
            'z' => Look::End,
            'Z' => Look::EndOrNewline,
            'b' | 'B' if r.options.unicode == Unicode::None => return Ok(Some(ascii_boundary(c == 'B'))),
            'b' => Look::Boundary,
            'B' => Look::NotBoundary,
            // The start of the whole match does not matter: only fields are used.
            'K' => return Ok(Some(Node::Empty)),
            'R' => return Ok(Some(newline())),
            'X' => return Ok(Some(Node::Foreign("\\X"))),
            'k' => return self.back_reference(r, at).map(Some),
            'g' => return self.call(r, at).map(Some),
            '1'..='9' => return self.numbered_reference(r, at),
            _ => return Ok(None),
        };
        Ok(Some(Node::Look(look)))
    }

    /// Parses `\1` or `\12`: a back-reference if the number has one digit, or if the pattern has at least that many
    /// groups.
    fn numbered_reference(&mut self, r: &mut Reader<'_>, at: usize) -> Result<Option<Node>> {
        let rest = &r.text[at + 1..];
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let digits = &rest[..length];
        // Otherwise it is an octal number or a literal digit.
        if length > 1 && digits.parse().unwrap_or(usize::MAX) > self.plain {
            return Ok(None);
        }
        let GroupRef::Number(number) = self.group_ref(r, at, digits)? else { return Ok(None) };
        r.at = at + 1 + length;
        Ok(Some(Node::Backreference { slots: vec![number - 1], fold: r.options.fold }))
    }

    /// Parses `\xHH`, `\x{H…}` or `\uHHHH`.
    fn code_point(&self, r: &mut Reader<'_>, at: usize, kind: char) -> Result<char> {
        let rest = r.rest();
        if kind == 'x'
            && let Some((c, length)) = encoded(&r.text[at..])
        {
            r.at = at + length;
            return Ok(c);
        }
        let braced = rest.strip_prefix('{').filter(|_| kind == 'x').and_then(|inner| inner.split_once('}'));
        let (digits, length) = match braced {
            Some((digits, _)) => (digits, digits.len() + 2),
            None => {
                let most = if kind == 'u' { 4 } else { 2 };
                let length = rest.bytes().take(most).take_while(u8::is_ascii_hexdigit).count();
                (&rest[..length], length)
            }
        };
        let point = u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+')).and_then(char::from_u32);
        let Some(point) = point.filter(|_| kind == 'x' || length == 4) else {
            return Err(self.fault(r.frame, at, "this is not the hexadecimal number of a character"));
        };
        r.at += length;
        Ok(point)
    }

    /// Parses `\cx`, `\C-x`, `\M-x` or `\M-\C-x`, after the letter.
    fn control(&self, r: &mut Reader<'_>, at: usize) -> Result<char> {
        let fault =
            || -> Error { self.fault(r.frame, at, "\\c, \\C- and \\M- must be followed by an ASCII character") };
        let (mut control, mut meta) = (false, false);
        let mut rest = &r.text[at..];
        loop {
            if let Some(tail) = rest.strip_prefix("\\C-").or_else(|| rest.strip_prefix("\\c")) {
                (control, rest) = (true, tail);
            } else if let Some(tail) = rest.strip_prefix("\\M-") {
                (meta, rest) = (true, tail);
            } else {
                break;
            }
        }
        if let Some(tail) = rest.strip_prefix('\\') {
            rest = tail;
        }
        let Some(c) = rest.bytes().next().filter(u8::is_ascii) else { return Err(fault()) };
        r.at = r.text.len() - rest.len() + 1;
        let c = match c {
            b'?' if control => 0x7f,
            c if control => c & 0x1f,
            c => c,
        };
        Ok(char::from(if meta { c | 0x80 } else { c }))
    }

    /// Parses `\p{Name}`, `\P{Name}` or `\p{^Name}`.
    fn property(&self, r: &mut Reader<'_>, at: usize, in_class: bool) -> Result<Set> {
        let Some((name, _)) = r.rest().strip_prefix('{').and_then(|inner| inner.split_once('}')) else {
            return Err(self.fault(r.frame, at, "a property is written \\p{Name}"));
        };
        r.at += name.len() + 2;
        let plain = name.strip_prefix('^').unwrap_or(name);
        let Some(set) = unicode::property(plain) else {
            return Err(self.fault(r.frame, at, &format!("there is no property \"{plain}\"")));
        };
        // In a class, case is folded for the whole class.
        let set = if r.options.fold && !in_class { unicode::fold(&set) } else { set };
        let negated = (plain.len() < name.len()) != r.text[at..].starts_with("\\P");
        Ok(if negated { set.negate() } else { set })
    }
}

/// Returns the set of `\w`, `\d`, `\s`, `\h` or the negation of one.
fn shorthand(c: char, known: Unicode) -> Option<Set> {
    let all = |name| unicode::posix(name).filter(|_| known == Unicode::All).cloned();
    let ascii = |ranges: &[(char, char)]| Set::ranges(ranges.iter().map(|&(low, high)| (low.into(), high.into())));
    let set = match c.to_ascii_lowercase() {
        'w' => all("word").unwrap_or_else(|| ascii(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')])),
        'd' => all("digit").unwrap_or_else(|| ascii(&[('0', '9')])),
        's' => all("space").unwrap_or_else(|| ascii(&[('\t', '\r'), (' ', ' ')])),
        'h' => ascii(&[('0', '9'), ('A', 'F'), ('a', 'f')]),
        _ => return None,
    };
    Some(if c.is_ascii_uppercase() { set.negate() } else { set })
}

/// Returns the node of `\b` or `\B` under `(?a)`.
fn ascii_boundary(not: bool) -> Node {
    let word = || shorthand('w', Unicode::None).unwrap_or_default();
    let around = |behind, negative| Node::Around { behind, negative, node: Box::new(Node::set(word())) };
    let side = |before: bool, after: bool| Node::Concat(vec![around(true, !before), around(false, !after)]);
    Node::Alternate(vec![side(true, not), side(false, !not)])
}

/// Returns the node of `\R`: a line break; `\r\n` counts as one.
fn newline() -> Node {
    let pair = Node::Concat(vec![Node::set(Set::one('\r')), Node::set(Set::one('\n'))]);
    let one = Set::ranges([(0x0a, 0x0d), (0x85, 0x85), (0x2028, 0x2029)]);
    Node::Atomic(Box::new(Node::Alternate(vec![pair, Node::set(one)])))
}

/// Reads up to three octal digits. The first follows the backslash at `at`.
fn octal(r: &mut Reader<'_>, at: usize) -> char {
    let length = r.text[at + 1..].bytes().take(3).take_while(|b| matches!(b, b'0'..=b'7')).count();
    r.at = at + 1 + length;
    let value = u32::from_str_radix(&r.text[at + 1..r.at], 8).unwrap_or(0) & 0xff;
    char::from_u32(value).unwrap_or('\0')
}

/// Reads a character beyond ASCII that is written as its bytes, `\xHH\xHH`. Returns it with the length of that text.
fn encoded(text: &str) -> Option<(char, usize)> {
    let bytes: Vec<u8> = text
        .as_bytes()
        .chunks_exact(4)
        .take(4)
        .map_while(|chunk| {
            let digits = std::str::from_utf8(chunk).ok()?.strip_prefix("\\x")?;
            u8::from_str_radix(digits, 16).ok().filter(|byte| !byte.is_ascii())
        })
        .collect();
    let valid = match std::str::from_utf8(&bytes) {
        Ok(valid) => valid,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?,
    };
    let c = valid.chars().next()?;
    Some((c, 4 * c.len_utf8()))
}
