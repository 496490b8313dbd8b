//! Translation from Oniguruma's syntax, as Logstash runs it, to that of PCRE2.
//!
//! What is rewritten, because it means something else there:
//!
//! | written | becomes | because |
//! |---|---|---|
//! | `(…)` | `(?:…)` | a plain group beside named ones does not capture |
//! | `(?<name>…)`, `(?P<name>…)`, `(?'name'…)` | `(…)` | fields are known by number |
//! | `(?m)`, `(?x)` | `(?s)`, blanks and comments taken out | Ruby's names for the options |
//! | `x(?i)a\|b` | `x(?i:a\|b)` | an option reaches over the alternatives that follow |
//! | `\h`, `\H` | `[0-9A-Fa-f]`, `[^0-9A-Fa-f]` | a hexadecimal digit, not a blank |
//! | `\w`, `\d`, `\s` and their opposites | ASCII classes | only `\b` and POSIX classes know Unicode |
//! | `\v` | `\x0b` | one character, not a class |
//! | `{,n}`, a lone `{` | `{0,n}`, `\{` | |
//! | `a{2}+`, `a{2}?`, `a**` | `(?:a{2})+` … | a repeat of a repeat, not a possessive or lazy one |
//! | `[a[bc]]` | `[abc]` | a class inside a class is a union |
//! | `\Q`, `\N` and letters without a meaning | the letter | |
//! | `\k<name>` | the group's number | the latest of several of that name that took part |
//! | `\101` | `\x41` | two or more octal digits are a character, one digit is a back-reference |
//! | `\u00e9`, `\p{Alpha}` | `\x{e9}`, `[[:alpha:]]` | |
//!
//! Not translated yet, each an error that says so: class intersections (`[a&&b]`), negated classes inside classes,
//! `\H` in a class, calls (`\g<name>`), conditionals, absent operators (`(?~…)`), `\C-x` and `\M-x`, back-references by
//! relative number. `\W`, `\D` and `\S` inside a class judge characters beyond ASCII by Unicode.

use crate::error::Result;
use crate::grok::expand::Expander;

/// Where the reading of one text stands.
pub(super) struct Reader<'t> {
    pub(super) frame: usize,
    pub(super) text: &'t str,
    pub(super) at: usize,
    /// Under `(?x)`.
    extended: bool,
    /// Where the part that a quantifier would repeat begins in the output.
    atom: Option<usize>,
    /// Whether that part ends with a quantifier already.
    quantified: bool,
    /// Groups opened for `(?i)`, to be closed where the enclosing group ends.
    closers: usize,
    groups: Vec<Open>,
}

/// An open group: where it was written, where it begins in the output, and the state to return to.
struct Open {
    at: usize,
    out: usize,
    closers: usize,
    extended: bool,
}

impl<'t> Reader<'t> {
    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }
}

/// The classes that `[:name:]` and `\p{Name}` know.
pub(super) const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

impl Expander<'_> {
    /// Translates the whole text of `frame` and what it refers to.
    pub(crate) fn text(&mut self, frame: usize, text: &str, extended: bool) -> Result<()> {
        let groups = Vec::new();
        let mut r = Reader { frame, text, at: 0, extended, atom: None, quantified: false, closers: 0, groups };
        while let Some(c) = r.peek() {
            let (at, out) = (r.at, self.out.len());
            match c {
                '(' => self.open(&mut r)?,
                ')' => self.close(&mut r)?,
                '|' => {
                    self.copy(frame, at, "|")?;
                    (r.at, r.atom) = (at + 1, None);
                }
                '*' | '+' | '?' => {
                    r.at += 1;
                    self.repeat(&mut r, at, &text[at..at + 1], true)?;
                }
                '{' => match interval(r.rest()) {
                    Some((length, counts)) => {
                        r.at += length;
                        self.repeat(&mut r, at, &counts, false)?;
                    }
                    None => {
                        self.emit(frame, at, "\\{")?;
                        r.at += 1;
                        self.atom(&mut r, out);
                    }
                },
                '%' if r.rest().starts_with("%{") => {
                    r.at = self.reference(frame, text, at, r.extended)?;
                    self.atom(&mut r, out);
                }
                '[' => {
                    self.class(&mut r)?;
                    self.atom(&mut r, out);
                }
                '\\' => {
                    self.escape(&mut r, false)?;
                    self.atom(&mut r, out);
                }
                c if r.extended && c.is_ascii_whitespace() => r.at += 1,
                '#' if r.extended => r.at += r.rest().find('\n').unwrap_or(r.rest().len()),
                c => {
                    self.literal(&mut r, c)?;
                    self.atom(&mut r, out);
                }
            }
        }
        if let Some(open) = r.groups.last() {
            return Err(self.fault(frame, open.at, "this ( is not closed"));
        }
        for _ in 0..r.closers {
            self.emit(frame, text.len(), ")")?;
        }
        Ok(())
    }

    fn atom(&self, r: &mut Reader<'_>, out: usize) {
        r.atom = Some(out);
        r.quantified = false;
    }

    /// One character that stands for itself (or for what it means everywhere, such as `.`).
    fn literal(&mut self, r: &mut Reader<'_>, c: char) -> Result<()> {
        let at = r.at;
        r.at += c.len_utf8();
        if c.is_ascii() {
            self.copy(r.frame, at, &r.text[at..r.at])
        } else {
            // Where the engine sees bytes, a quantifier would repeat the last of them only.
            self.emit(r.frame, at, &format!("(?:{c})"))
        }
    }

    fn repeat(&mut self, r: &mut Reader<'_>, at: usize, operator: &str, simple: bool) -> Result<()> {
        let Some(atom) = r.atom else {
            return Err(self.fault(r.frame, at, "there is nothing to repeat here"));
        };
        let exact = !simple && !operator.contains(',');
        let suffix = match r.peek() {
            Some('?') if !exact => "?",
            Some('+') if simple => "+",
            _ => "",
        };
        if r.quantified {
            self.wrap(atom);
            self.emit(r.frame, at, ")")?;
        }
        self.emit(r.frame, at, operator)?;
        self.copy(r.frame, r.at, suffix)?;
        r.at += suffix.len();
        r.quantified = true;
        Ok(())
    }

    fn close(&mut self, r: &mut Reader<'_>) -> Result<()> {
        let Some(open) = r.groups.pop() else {
            return Err(self.fault(r.frame, r.at, "this ) closes nothing"));
        };
        for _ in 0..=r.closers {
            self.emit(r.frame, r.at, ")")?;
        }
        r.at += 1;
        (r.closers, r.extended) = (open.closers, open.extended);
        self.atom(r, open.out);
        Ok(())
    }

    fn enter(&mut self, r: &mut Reader<'_>, length: usize, opening: &str) -> Result<()> {
        r.groups.push(Open { at: r.at, out: self.out.len(), closers: r.closers, extended: r.extended });
        self.emit(r.frame, r.at, opening)?;
        r.at += length;
        (r.closers, r.atom) = (0, None);
        Ok(())
    }

    fn open(&mut self, r: &mut Reader<'_>) -> Result<()> {
        let Some(kind) = r.rest().strip_prefix("(?") else {
            return self.enter(r, 1, if self.plain_groups { "(" } else { "(?:" });
        };
        for opening in ["(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"] {
            if r.rest().starts_with(opening) {
                return self.enter(r, opening.len(), opening);
            }
        }
        if kind.starts_with('#') {
            let Some(end) = kind.find(')') else {
                return Err(self.fault(r.frame, r.at, "this comment is not closed"));
            };
            r.at += 2 + end + 1;
            return Ok(());
        }
        for (opening, closing) in [("<", '>'), ("P<", '>'), ("'", '\'')] {
            if kind.starts_with(opening) {
                return self.named(r, 2 + opening.len(), closing);
            }
        }
        self.options(r)
    }

    /// `(?<name>`, whose name begins `length` bytes on.
    fn named(&mut self, r: &mut Reader<'_>, length: usize, closing: char) -> Result<()> {
        let start = r.at + length;
        let Some(end) = r.text[start..].find(closing).map(|end| start + end) else {
            return Err(self.fault(r.frame, r.at, "the name of this group is not closed"));
        };
        let written = &r.text[start..end];
        let (name, kind) = match written.split_once(':') {
            Some((name, kind)) => (name, Some((start + name.len() + 1, kind))),
            None => (written, None),
        };
        let slot = self.slot(r.frame, start, name, kind)?;
        self.inline.push((name.to_owned(), slot));
        self.enter(r, end + 1 - r.at, "(")
    }

    /// `(?imx-imx)` and `(?imx-imx:…)`.
    fn options(&mut self, r: &mut Reader<'_>) -> Result<()> {
        let (mut on, mut off, mut negative, mut extended) = (String::new(), String::new(), false, r.extended);
        for (index, c) in r.text[r.at..].char_indices().skip(2) {
            let target = if negative { &mut off } else { &mut on };
            match c {
                'i' => target.push('i'),
                'm' => target.push('s'),
                'x' => extended = !negative,
                '-' if !negative => negative = true,
                ':' | ')' => {
                    let minus = if off.is_empty() { "" } else { "-" };
                    let opening = format!("(?{on}{minus}{off}:");
                    if c == ':' {
                        self.enter(r, index + 1, &opening)?;
                    } else {
                        self.emit(r.frame, r.at, &opening)?;
                        r.at += index + 1;
                        r.closers += 1;
                        r.atom = None;
                    }
                    r.extended = extended;
                    return Ok(());
                }
                '(' | '~' if index == 2 => {
                    let what = if c == '(' { "a conditional" } else { "an absent operator" };
                    return Err(self.fault(r.frame, r.at, &format!("{what} is not supported")));
                }
                _ => return Err(self.fault(r.frame, r.at + index, "a group of this kind is not known")),
            }
        }
        Err(self.fault(r.frame, r.at, "this ( is not closed"))
    }

    /// A character class, with the classes inside it.
    fn class(&mut self, r: &mut Reader<'_>) -> Result<()> {
        let (frame, start) = (r.frame, r.at);
        let unclosed = |this: &Self| this.fault(frame, start, "this [ is not closed");
        let opening = if r.rest().starts_with("[^") { "[^" } else { "[" };
        self.copy(frame, start, opening)?;
        r.at += opening.len();
        if r.rest().starts_with(']') && r.rest()[1..].contains(']') {
            self.emit(frame, r.at, "\\]")?;
            r.at += 1;
        }
        let mut nested = 0;
        loop {
            let (at, rest) = (r.at, r.rest());
            let Some(c) = r.peek() else { return Err(unclosed(self)) };
            match c {
                ']' => {
                    r.at += 1;
                    if nested == 0 {
                        return self.copy(frame, at, "]");
                    }
                    nested -= 1;
                }
                '[' => {
                    if let Some(length) = posix(rest) {
                        self.copy(frame, at, &rest[..length])?;
                        r.at += length;
                        self.hyphen_after_set(r)?;
                    } else if rest.starts_with("[^") {
                        return Err(self.fault(frame, at, "a negated class inside a class is not supported"));
                    } else {
                        nested += 1;
                        r.at += 1;
                    }
                }
                '&' if rest.starts_with("&&") => {
                    return Err(self.fault(frame, at, "an intersection of classes is not supported"));
                }
                '-' if is_set(&rest[1..]) => {
                    self.emit(frame, at, "\\-")?;
                    r.at += 1;
                }
                '\\' => {
                    let set = is_set(rest);
                    self.escape(r, true)?;
                    if set {
                        self.hyphen_after_set(r)?;
                    }
                }
                c => {
                    self.needs_utf |= !c.is_ascii();
                    r.at += c.len_utf8();
                    self.copy(frame, at, &rest[..c.len_utf8()])?;
                }
            }
        }
    }

    /// After a set such as `\w`, a hyphen stands for itself; our translation of the set must not make a range of it.
    fn hyphen_after_set(&mut self, r: &mut Reader<'_>) -> Result<()> {
        if r.peek() == Some('-') {
            self.emit(r.frame, r.at, "\\-")?;
            r.at += 1;
        }
        Ok(())
    }
}

/// Whether `rest` begins with something that stands for a set of characters inside a class.
fn is_set(rest: &str) -> bool {
    let mut chars = rest.chars();
    match chars.next() {
        Some('\\') => matches!(chars.next(), Some('w' | 'W' | 'd' | 'D' | 's' | 'S' | 'h' | 'H' | 'p' | 'P')),
        Some('[') => true,
        _ => false,
    }
}

/// The length of the POSIX class `[:name:]` at the beginning of `rest`.
fn posix(rest: &str) -> Option<usize> {
    let (name, _) = rest.strip_prefix("[:")?.split_once(":]")?;
    let plain = name.strip_prefix('^').unwrap_or(name);
    POSIX.contains(&plain).then_some(name.len() + 4)
}

/// A repeat count `{n}`, `{n,}`, `{n,m}` or `{,m}` at the beginning of `rest`: its length, and how it is written for
/// the engine.
fn interval(rest: &str) -> Option<(usize, String)> {
    let (inner, _) = rest.strip_prefix('{')?.split_once('}')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let counts = match inner.split_once(',') {
        None if !inner.is_empty() && digits(inner) => format!("{{{inner}}}"),
        Some((low, high)) if digits(low) && digits(high) && inner.len() > 1 => {
            format!("{{{},{high}}}", if low.is_empty() { "0" } else { low })
        }
        _ => return None,
    };
    Some((inner.len() + 2, counts))
}
