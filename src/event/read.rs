//! Reads a line that is a JSON object (RFC 8259) into a [`Tape`], whose memory is reused from line to line.
//!
//! `serde_json` reads the syntax and finds the ends of texts. Positions in the line come from the texts that it lends,
//! and from a cursor that follows it. Numbers are read from their digits here, because they must stay exact.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::tape::{Node, Seen, Tape, Text};
use super::unescape::{length, unescape};
use crate::document::{keys, value};

/// The maximum nesting of objects and arrays.
const MAX_DEPTH: usize = 128;

/// Reads `line` into `tape`, with the names that JSON documents store; `None` unless the line is one JSON object with
/// nothing but white space around it.
///
/// There are three kinds of numbers: integers of 64 bits; numbers with a point or an exponent, which become the nearest
/// double; and numbers that would lose their value, which keep their text. The last kind is an integer of more than 64
/// bits, a number that is too large for a double, or a number so near to zero that it would become zero.
pub(super) fn read(tape: &mut Tape, line: &str) -> Option<()> {
    tape.clear();
    let first = line.bytes().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))?;
    // Positions are 32 bits wide, and renaming can make names longer.
    if line.as_bytes()[first] != b'{' || line.len() > u32::MAX as usize / 4 {
        return None;
    }
    // A line with escapes is read with care: `serde_json` would allocate memory for texts, and refuse lone surrogates.
    let careful = memchr::memchr(b'\\', line.as_bytes()).is_some();
    if !careful && read_with(Reader::new(tape, line, first, false)).is_some() {
        return Some(());
    }
    // The line is no JSON object, or it has a number that only a careful reader accepts.
    tape.clear();
    read_with(Reader::new(tape, line, first, true))
}

fn read_with(mut reader: Reader<'_>) -> Option<()> {
    let mut json = serde_json::Deserializer::from_str(reader.line);
    json.disable_recursion_limit();
    Value(&mut reader).deserialize(&mut json).ok()?;
    json.end().ok()?;
    let Reader { tape, line, .. } = reader;
    tape.finish_duplicates(line);
    Some(())
}

/// The place that `serde_json` has reached, and what it found.
struct Reader<'t> {
    line: &'t str,
    /// Where the next token begins, unless there are blanks.
    at: usize,
    tape: &'t mut Tape,
    depth: usize,
    /// Whether a JSON document can hold the bytes of the value that is read as they are.
    copied: bool,
    /// The same for the innermost open object, and what is known of its names.
    all_copied: bool,
    seen: Seen,
    /// Whether texts with escapes and any numbers are allowed. They are then left to this reader.
    careful: bool,
    /// The position of the next backslash, if it is not before `at`.
    backslash: usize,
}

impl<'t> Reader<'t> {
    fn new(tape: &'t mut Tape, line: &'t str, at: usize, careful: bool) -> Self {
        Reader {
            line,
            at,
            tape,
            depth: 0,
            copied: true,
            all_copied: true,
            seen: Seen::default(),
            careful,
            backslash: 0,
        }
    }

    /// Moves to the next token, and returns its first byte.
    #[inline]
    fn token(&mut self) -> u8 {
        let from = self.at;
        let bytes = self.line.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b':')) {
            self.at += 1;
        }
        self.copied &= self.at == from;
        bytes.get(self.at).copied().unwrap_or_default()
    }

    /// Returns the range of a text that `serde_json` lent from the line.
    #[inline]
    fn lent(&mut self, text: &str) -> Text {
        let start = text.as_ptr() as usize - self.line.as_ptr() as usize;
        self.copied &= start == self.at + 1;
        // After a text come its quote and a comma or colon.
        self.at = start + text.len() + 2;
        Text::of_line(start, start + text.len())
    }

    /// Reads the text that begins at the next token. Its syntax is known to be right.
    fn text(&mut self) -> Text {
        self.token();
        let rest = &self.line[self.at + 1..];
        let (length, has_escapes) = length(rest).unwrap_or((rest.len(), false));
        let raw = &rest[..length];
        if !has_escapes {
            return self.lent(raw);
        }
        self.copied = false;
        self.at += length + 3;
        let start = self.tape.unescaped.len();
        self.tape.lone_surrogate |= unescape(raw, &mut self.tape.unescaped).unwrap_or_default();
        self.tape.text_since(start)
    }

    /// Returns whether the string that begins at the next token has escapes.
    #[inline]
    fn has_escapes(&mut self) -> bool {
        self.token();
        let rest = &self.line.as_bytes()[self.at..];
        if self.backslash < self.at {
            self.backslash = memchr::memchr(b'\\', rest).map_or(usize::MAX, |next| self.at + next);
        }
        memchr::memchr(b'"', rest.get(1..).unwrap_or_default()).is_none_or(|end| self.at + 1 + end > self.backslash)
    }

    /// Adds the number that begins at the next token. Its syntax is known to be right.
    fn number(&mut self) {
        self.token();
        let start = self.at;
        let rest = &self.line[start..];
        let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let number = &rest[..rest.bytes().take_while(part).count()];
        let end = start + number.len();
        self.at = end + 1;
        let text = Text::of_line(start, end);
        // The integer zero has no sign. A double keeps the sign of `-0`.
        let is_int = !number.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) && number != "-0";
        self.copied &= is_int;
        let node = match is_int {
            true => value::plain_int(number.as_bytes()).map(|value| Node::Int(text, value)),
            false => value::plain_float(number).map(|value| Node::Float(text, value)),
        };
        self.copied &= node.is_some();
        self.tape.out_of_range |= node.is_none();
        self.tape.nodes.push(node.unwrap_or(Node::OutOfRange(text)));
    }

    /// Adds an integer, whose digits begin at the next token.
    #[inline]
    fn int(&mut self, value: i64) {
        self.token();
        let bytes = self.line.as_bytes();
        let mut end = self.at + 1;
        while bytes.get(end).is_some_and(u8::is_ascii_digit) {
            end += 1;
        }
        self.tape.nodes.push(Node::Int(Text::of_line(self.at, end), value));
        self.at = end + 1;
    }

    #[inline]
    fn word(&mut self, node: Node, length: usize) {
        self.token();
        self.at += length + 1;
        self.tape.nodes.push(node);
    }

    /// Adds the node of a name. `mix` is its [`Seen::mix`], and `own` the name that a document has for it at the top
    /// level if it belongs to logator.
    #[inline]
    fn name(&mut self, mut text: Text, mut mix: u8, own: Option<&'static str>) {
        self.all_copied &= self.copied;
        // Blanks before a name do not matter to the member itself.
        self.copied = !text.is_unescaped();
        if let (Some(own), 1) = (own, self.depth) {
            (text, mix) = (self.tape.store_text(own), Seen::mix(own));
            self.copied = false;
        }
        self.seen.add(mix);
        self.tape.nodes.push(Node::name(text));
    }

    /// Adds the node of an object or array and returns its index.
    fn open<E: Error>(&mut self, node: Node) -> Result<usize, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom("the line is nested too deeply"));
        }
        self.token();
        self.depth += 1;
        self.at += 1;
        self.tape.nodes.push(node);
        Ok(self.tape.nodes.len() - 1)
    }

    /// Ends the object or array at `index`. Returns the index after it.
    fn close(&mut self, index: usize) -> u32 {
        let end = self.tape.nodes.len();
        // The cursor expected a comma after the last value.
        self.at -= usize::from(end > index + 1);
        self.token();
        self.at += 2;
        self.depth -= 1;
        end as u32
    }
}

/// The next value.
struct Value<'r, 't>(&'r mut Reader<'t>);

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        let reader = self.0;
        if reader.careful {
            match reader.token() {
                b'"' if reader.has_escapes() => {
                    json.deserialize_ignored_any(IgnoredAny)?;
                    let text = reader.text();
                    reader.tape.nodes.push(Node::Text(text));
                    return Ok(());
                }
                b'-' | b'0'..=b'9' => {
                    json.deserialize_ignored_any(IgnoredAny)?;
                    reader.number();
                    return Ok(());
                }
                _ => {}
            }
        }
        json.deserialize_any(Value(reader))
    }
}

impl<'de> Visitor<'de> for Value<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value without escapes")
    }

    #[inline]
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        let text = self.0.lent(text);
        self.0.tape.nodes.push(Node::Text(text));
        Ok(())
    }

    #[inline]
    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.0.int(value),
            Err(_) => self.0.number(),
        }
        Ok(())
    }

    #[inline]
    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.int(value);
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.0.number();
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.word(Node::Bool(value), if value { 4 } else { 5 });
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.word(Node::Null, 4);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let reader = self.0;
        let index = reader.open(Node::Array { end: 0 })?;
        while items.next_element_seed(Value(reader))?.is_some() {}
        reader.tape.nodes[index] = Node::Array { end: reader.close(index) };
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let reader = self.0;
        let index = reader.open(Node::Object { end: 0 })?;
        let seen = std::mem::take(&mut reader.seen);
        let all_copied = std::mem::replace(&mut reader.all_copied, reader.copied);
        loop {
            let at = reader.tape.nodes.len();
            reader.copied = true;
            if members.next_key_seed(Name(reader))?.is_none() {
                break;
            }
            members.next_value_seed(Value(reader))?;
            reader.all_copied &= reader.copied;
            if let Some(Node::Name { copied_to, .. }) = reader.tape.nodes.get_mut(at)
                && reader.copied
            {
                *copied_to = reader.at as u32 - 1;
            }
        }
        reader.copied = std::mem::replace(&mut reader.all_copied, all_copied);
        let seen = std::mem::replace(&mut reader.seen, seen);
        let end = reader.close(index);
        reader.tape.nodes[index] = Node::Object { end };
        if seen.may_repeat && reader.tape.join_duplicates(reader.line, index) {
            reader.copied = false;
        }
        Ok(())
    }
}

/// The next name.
struct Name<'r, 't>(&'r mut Reader<'t>);

impl<'de> DeserializeSeed<'de> for Name<'_, '_> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        // As bytes, `serde_json` accepts lone surrogates, but control characters as well.
        if self.0.careful && self.0.has_escapes() { json.deserialize_bytes(self) } else { json.deserialize_str(self) }
    }
}

impl<'de> Visitor<'de> for Name<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a name without escapes")
    }

    #[inline]
    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<(), E> {
        let text = self.0.lent(name);
        self.0.name(text, Seen::mix(name), keys::own_name(name));
        Ok(())
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<(), E> {
        self.0.token();
        let from = self.0.at;
        let text = self.0.text();
        if self.0.line.as_bytes()[from..self.0.at - 1].iter().any(|byte| *byte < b' ') {
            return Err(E::custom("a name holds a control character"));
        }
        let name = self.0.tape.text(self.0.line, text);
        let (mix, own) = (Seen::mix(name), keys::own_name(name));
        self.0.name(text, mix, own);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn accepts(line: &str) -> bool {
        read(&mut Tape::default(), line).is_some()
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
        read(&mut tape, line).unwrap();
        let Node::Text(text) = tape.nodes[2] else { panic!("a text") };
        assert_eq!(tape.text(line, text), "\"\\/\u{8}\u{c}\n\r\té😀|\u{FFFD}|\u{FFFD}A|\u{FFFD}");
        assert!(tape.lone_surrogate);
    }

    proptest! {
        #[test]
        fn serde_json_accepts_the_same_lines(line in r#"\{("[a\\"\u{1}é]{0,3}"[:,]?|[{}\[\],:0-9eE.+\- ]|true|null|"a":){0,8}\}"#) {
            let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&line);
            let mut tape = Tape::default();
            let ours = read(&mut tape, &line);
            let huge = tape.nodes.iter().any(|node| matches!(node, Node::OutOfRange(_)));
            if !huge && !tape.lone_surrogate {
                prop_assert_eq!(ours.is_some(), theirs.is_ok(), "{}", line);
            }
        }
    }
}
