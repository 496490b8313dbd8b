//! Translation of what follows a backslash; the table of meanings stands in `syntax.rs`.

use crate::error::{Error, Result};
use crate::grok::expand::Expander;
use crate::grok::syntax::{POSIX, Reader};

impl Expander<'_> {
    /// A backslash and what belongs to it.
    pub(super) fn escape(&mut self, r: &mut Reader<'_>, in_class: bool) -> Result<()> {
        let (frame, at) = (r.frame, r.at);
        let Some(c) = r.rest().chars().nth(1) else {
            return Err(self.fault(frame, at, "a backslash at the end escapes nothing"));
        };
        r.at += 1 + c.len_utf8();
        let unsupported =
            |this: &Self, what: &str| -> Error { this.fault(frame, at, &format!("{what} not supported")) };
        match c {
            'h' => self.emit(frame, at, if in_class { "0-9A-Fa-f" } else { "[0-9A-Fa-f]" }),
            'w' => self.emit(frame, at, if in_class { "0-9A-Za-z_" } else { "[0-9A-Za-z_]" }),
            'd' => self.emit(frame, at, if in_class { "0-9" } else { "[0-9]" }),
            's' => self.emit(frame, at, if in_class { "\\t-\\r\\x20" } else { "[\\t-\\r\\x20]" }),
            'H' if in_class => Err(unsupported(self, "\\H inside a class is")),
            'W' | 'D' | 'S' if in_class => self.copy(frame, at, &r.text[at..r.at]),
            'H' => self.emit(frame, at, "[^0-9A-Fa-f]"),
            'W' => self.emit(frame, at, "[^0-9A-Za-z_]"),
            'D' => self.emit(frame, at, "[^0-9]"),
            'S' => self.emit(frame, at, "[^\\t-\\r\\x20]"),
            'v' => self.emit(frame, at, "\\x0b"),
            'n' | 'r' | 't' | 'f' | 'a' | 'e' | 'b' => self.copy(frame, at, &r.text[at..r.at]),
            'B' | 'A' | 'z' | 'Z' | 'G' | 'K' | 'R' | 'X' if !in_class => self.copy(frame, at, &r.text[at..r.at]),
            'x' | 'u' => self.code_point(r, at, c, in_class),
            '0' => self.octal(r, at),
            '1'..='7' if in_class => self.octal(r, at),
            '1'..='7' if r.peek().is_some_and(|c| ('0'..='7').contains(&c)) => self.octal(r, at),
            '1'..='9' if !in_class => {
                while r.peek().is_some_and(|c| c.is_ascii_digit()) {
                    r.at += 1;
                }
                self.numbered.get_or_insert((frame, at));
                let number = format!("\\g{{{}}}", &r.text[at + 1..r.at]);
                self.emit(frame, at, &number)
            }
            'k' if !in_class => self.back_reference(r, at),
            'g' if !in_class => Err(unsupported(self, "calling a group is")),
            'p' | 'P' => self.property(r, at, in_class),
            'c' => match r.peek().filter(char::is_ascii_graphic) {
                Some(_) => {
                    r.at += 1;
                    self.copy(frame, at, &r.text[at..r.at])
                }
                None => Err(self.fault(frame, at, "\\c must be followed by a letter")),
            },
            'C' | 'M' if r.rest().starts_with('-') => Err(unsupported(self, "\\C-x and \\M-x are")),
            c if c.is_ascii_alphanumeric() => self.emit(frame, at, c.encode_utf8(&mut [0; 4])),
            c if c.is_ascii() => self.copy(frame, at, &r.text[at..r.at]),
            c => {
                self.needs_utf |= in_class;
                let literal = if in_class { c.to_string() } else { format!("(?:{c})") };
                self.emit(frame, at, &literal)
            }
        }
    }

    /// `\xHH`, `\x{H…}`, `\uHHHH`.
    fn code_point(&mut self, r: &mut Reader<'_>, at: usize, kind: char, in_class: bool) -> Result<()> {
        let rest = r.rest();
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
        if !point.is_ascii() && !in_class {
            return self.emit(r.frame, at, &format!("(?:{point})"));
        }
        self.needs_utf |= !point.is_ascii();
        self.emit(r.frame, at, &format!("\\x{{{:x}}}", u32::from(point)))
    }

    /// Up to three octal digits, the first of which stands just before or at the reader.
    fn octal(&mut self, r: &mut Reader<'_>, at: usize) -> Result<()> {
        let length = r.text[at + 1..].bytes().take(3).take_while(|b| matches!(b, b'0'..=b'7')).count();
        r.at = at + 1 + length;
        let value = u32::from_str_radix(&r.text[at + 1..r.at], 8).unwrap_or(0) & 0xff;
        self.emit(r.frame, at, &format!("\\x{value:02x}"))
    }

    /// `\k<name>`, `\k'name'`.
    fn back_reference(&mut self, r: &mut Reader<'_>, at: usize) -> Result<()> {
        let closing = match r.peek() {
            Some('<') => '>',
            Some('\'') => '\'',
            _ => return Err(self.fault(r.frame, at, "a back-reference is written \\k<name>")),
        };
        let start = r.at + 1;
        let Some(end) = r.text[start..].find(closing).map(|end| start + end) else {
            return Err(self.fault(r.frame, at, "this back-reference is not closed"));
        };
        let name = &r.text[start..end];
        let known = self.inline.iter().rev().filter(|(known, _)| known == name);
        let numbers: Vec<String> = known.map(|(_, slot)| format!("\\g{{{}}}", slot + 1)).collect();
        if numbers.is_empty() {
            return Err(self.fault(r.frame, start, "no group (?<name>…) of this name stands before"));
        }
        r.at = end + 1;
        self.emit(r.frame, at, &format!("(?:{})", numbers.join("|")))
    }

    /// `\p{Name}`, `\P{Name}`, `\p{^Name}`.
    fn property(&mut self, r: &mut Reader<'_>, at: usize, in_class: bool) -> Result<()> {
        let Some((name, _)) = r.rest().strip_prefix('{').and_then(|inner| inner.split_once('}')) else {
            return Err(self.fault(r.frame, at, "a property is written \\p{Name}"));
        };
        r.at += name.len() + 2;
        let plain = name.strip_prefix('^').unwrap_or(name);
        let Some(posix) = POSIX.iter().find(|posix| posix.eq_ignore_ascii_case(plain)) else {
            return self.copy(r.frame, at, &r.text[at..r.at]);
        };
        let negated = (plain.len() < name.len()) != r.text[at..].starts_with("\\P");
        let caret = if negated { "^" } else { "" };
        let set = if in_class { format!("[:{caret}{posix}:]") } else { format!("[[:{caret}{posix}:]]") };
        self.emit(r.frame, at, &set)
    }
}
