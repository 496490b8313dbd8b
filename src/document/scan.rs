//! Reads a line that is a JSON object (RFC 8259) into a [`Tape`], whose memory is reused from line to line.
//!
//! It is our own reader because numbers must stay exact: integers separate from floats, and floats correctly rounded.
//! `serde_json` does the latter only with a feature that slows down all its other users.

use super::escape::plain_blocks;
use super::tape::{Node, Tape, Text};

/// The maximum nesting of objects and arrays.
pub(super) const MAX_DEPTH: usize = 128;

/// Reads `line` into `tape`; `None` unless the line is one JSON object with nothing but white space around it.
///
/// There are three kinds of numbers: integers of 64 bits; numbers with a point or an exponent, which become the nearest
/// double; and numbers that would lose their value, which keep their text. The last kind is an integer of more than 64
/// bits, a number that is too large for a double, or a number so near to zero that it would become zero.
pub(super) fn scan(tape: &mut Tape, line: &str) -> Option<()> {
    tape.clear();
    // Positions are 32 bits wide, and renaming can make names longer.
    if line.len() > u32::MAX as usize / 4 {
        return None;
    }
    let mut scanner = Scanner { line, bytes: line.as_bytes(), at: 0, tape };
    scanner.space();
    if scanner.peek()? != b'{' {
        return None;
    }
    scanner.value(MAX_DEPTH)?;
    scanner.space();
    (scanner.at == line.len()).then_some(())
}

struct Scanner<'a> {
    line: &'a str,
    bytes: &'a [u8],
    at: usize,
    tape: &'a mut Tape,
}

impl Scanner<'_> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, word: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        let node = match self.peek()? {
            b'"' => Node::Text(self.string()?),
            b'{' => return self.object(depth.checked_sub(1)?),
            b'[' => return self.array(depth.checked_sub(1)?),
            b't' => self.expect(b"true").map(|()| Node::Bool(true))?,
            b'f' => self.expect(b"false").map(|()| Node::Bool(false))?,
            b'n' => self.expect(b"null").map(|()| Node::Null)?,
            _ => self.number()?,
        };
        self.tape.nodes.push(node);
        Some(())
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        let start = self.tape.nodes.len();
        self.tape.nodes.push(Node::Object { end: 0 });
        self.at += 1;
        self.space();
        if self.peek()? != b'}' {
            loop {
                self.space();
                if self.peek()? != b'"' {
                    return None;
                }
                let text = self.string()?;
                self.tape.nodes.push(Node::Name { text, written: true, next: 0 });
                self.space();
                self.expect(b":")?;
                self.space();
                self.value(depth)?;
                self.space();
                match self.peek()? {
                    b',' => self.at += 1,
                    b'}' => break,
                    _ => return None,
                }
            }
        }
        self.at += 1;
        self.tape.nodes[start] = Node::Object { end: self.tape.nodes.len() as u32 };
        Some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        let start = self.tape.nodes.len();
        self.tape.nodes.push(Node::Array { end: 0 });
        self.at += 1;
        self.space();
        if self.peek()? != b']' {
            loop {
                self.space();
                self.value(depth)?;
                self.space();
                match self.peek()? {
                    b',' => self.at += 1,
                    b']' => break,
                    _ => return None,
                }
            }
        }
        self.at += 1;
        self.tape.nodes[start] = Node::Array { end: self.tape.nodes.len() as u32 };
        Some(())
    }

    fn number(&mut self) -> Option<Node> {
        let start = self.at;
        let digits = |scanner: &mut Self| {
            let from = scanner.at;
            while scanner.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                scanner.at += 1;
            }
            scanner.at - from
        };
        let _sign = self.expect(b"-");
        let leading_zero = self.peek() == Some(b'0');
        let whole = digits(self);
        if whole == 0 || (leading_zero && whole > 1) {
            return None;
        }
        let mut is_int = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            is_int = false;
            if digits(self) == 0 {
                return None;
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            is_int = false;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if digits(self) == 0 {
                return None;
            }
        }
        let number = &self.line[start..self.at];
        let text = Text { start: start as u32, end: self.at as u32, unescaped: false };
        // The integer zero has no sign. A double keeps the sign of `-0`.
        if is_int && number != "-0" {
            return Some(match super::value::plain_int(number.as_bytes()) {
                Some(value) => Node::Int(text, value),
                None => Node::OutOfRange(text),
            });
        }
        Some(match super::value::plain_float(number) {
            Some(value) => Node::Float(text, value),
            None => Node::OutOfRange(text),
        })
    }

    /// Reads a string, from its opening quote on.
    fn string(&mut self) -> Option<Text> {
        self.at += 1;
        let start = self.at;
        let end = self.plain();
        match self.peek()? {
            b'"' => {
                self.at += 1;
                Some(Text { start: start as u32, end: end as u32, unescaped: false })
            }
            b'\\' => self.escaped_string(start),
            _ => None,
        }
    }

    /// Moves to the next quote, backslash or control character and returns its position.
    #[inline]
    fn plain(&mut self) -> usize {
        self.at += plain_blocks(&self.bytes[self.at..]);
        let stops = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
        let length = self.bytes[self.at..].iter().position(|&byte| stops(byte));
        self.at += length.unwrap_or(self.bytes.len() - self.at);
        self.at
    }

    fn escaped_string(&mut self, mut run: usize) -> Option<Text> {
        let start = self.tape.unescaped.len() as u32;
        loop {
            let end = self.plain();
            self.tape.unescaped.push_str(&self.line[run..end]);
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    let c = self.escape()?;
                    self.tape.unescaped.push(c);
                    run = self.at;
                }
                _ => return None,
            }
        }
        self.at += 1;
        Some(Text { start, end: self.tape.unescaped.len() as u32, unescaped: true })
    }

    /// Reads an escape after its backslash and returns its character.
    fn escape(&mut self) -> Option<char> {
        let kind = self.peek()?;
        self.at += 1;
        Some(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.four_hex_digits()?;
                if let Some(c) = char::from_u32(unit) {
                    return Some(c);
                }
                let second = self.at;
                if unit < 0xDC00 && self.expect(b"\\u").is_some() {
                    let low = self.four_hex_digits()?;
                    if (0xDC00..0xE000).contains(&low) {
                        return char::from_u32(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
                    }
                    self.at = second;
                }
                self.tape.lone_surrogate = true;
                char::REPLACEMENT_CHARACTER
            }
            _ => return None,
        })
    }

    fn four_hex_digits(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        let mut value = 0;
        for &digit in digits {
            value = value * 16 + char::from(digit).to_digit(16)?;
        }
        self.at += 4;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn accepts(line: &str) -> bool {
        scan(&mut Tape::default(), line).is_some()
    }

    #[test]
    fn one_object_with_white_space_around_it_is_accepted() {
        for line in ["{}", " {} ", "\t{\"a\":1}\r", r#"{"a":{"b":[1,-2.5e3,true,false,null,"x",[],{}]}}"#] {
            assert!(accepts(line), "{line}");
        }
    }

    #[test]
    fn anything_but_one_object_is_refused() {
        for line in [
            "",
            " ",
            "{",
            "}",
            "[]",
            "1",
            "\"a\"",
            "null",
            "{} {}",
            "{},",
            "{a:1}",
            "{'a':1}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":[1,]}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":+1}",
            "{\"a\":1e}",
            "{\"a\":NaN}",
            "{\"a\":tru}",
            "{\"a\":\"\u{1}\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"",
            "{\"a\":\"\\",
            "{\"a\":-}",
            "{\"a\":[}",
        ] {
            assert!(!accepts(line), "{line}");
        }
    }

    #[test]
    fn nesting_ends_at_its_limit() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(accepts(&nested(MAX_DEPTH)));
        assert!(!accepts(&nested(MAX_DEPTH + 1)));
        assert!(!accepts(&nested(100_000)));
    }

    #[test]
    fn escapes_become_their_characters_and_a_lone_surrogate_is_replaced() {
        let line = r#"{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00|\ud83d|\ud83d\u0041|\ude00"}"#;
        let mut tape = Tape::default();
        scan(&mut tape, line).unwrap();
        let Node::Text(text) = tape.nodes[2] else { panic!("a text") };
        assert_eq!(tape.text(line, text), "\"\\/\u{8}\u{c}\n\r\té😀|\u{FFFD}|\u{FFFD}A|\u{FFFD}");
        assert!(tape.lone_surrogate);
    }

    proptest! {
        #[test]
        fn serde_json_accepts_the_same_lines(line in r#"\{("[a\\"\u{1}é]{0,3}"[:,]?|[{}\[\],:0-9eE.+\- ]|true|null|"a":){0,8}\}"#) {
            let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&line);
            let mut tape = Tape::default();
            let ours = scan(&mut tape, &line);
            let huge = tape.nodes.iter().any(|node| matches!(node, Node::OutOfRange(_)));
            if !huge && !tape.lone_surrogate {
                prop_assert_eq!(ours.is_some(), theirs.is_ok(), "{}", line);
            }
        }
    }
}
