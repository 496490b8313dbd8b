//! [`Shapes`]: what lines have in common with lines before them, so that they need not be parsed.
//!
//! In a log, most lines have the same members in the same order. Everything between their values is then the same text.
//! If this text is the same and the values are valid, the line is a JSON object with the same names, and the tape of the
//! earlier line holds for it, with other positions. A line of an unknown shape is parsed.

use super::object::Object;
use super::tape::{Node, Tape, Text};
use super::unescape::{length, unescape};
use crate::document::{keys, value};

/// The number of shapes that are known at a time.
const SHAPES: usize = 4;

/// The maximum of [`Shapes::pause`].
const MAX_PAUSE: u32 = 255;

/// The shapes of the lines of one thread.
#[derive(Debug, Clone, Default)]
pub(super) struct Shapes {
    known: Vec<Shape>,
    /// The index of the shape that a line had last, and of the one that is replaced next.
    last: usize,
    next: usize,
    /// The number of lines until a shape is learned again. It doubles with each shape that no line had, because learning
    /// takes time.
    rest: u32,
    pause: u32,
}

impl Shapes {
    /// Returns the number of the shape of `line`, which has no control character, if it is known. Its object then holds
    /// the line. `escapes` says whether the line has a backslash.
    #[inline]
    pub fn find(&mut self, line: &str, escapes: bool) -> Option<usize> {
        let count = self.known.len();
        let mut order = (self.last..count).chain(0..self.last.min(count));
        self.last = order.find(|&index| self.known[index].fits(line, escapes))?;
        Some(self.last)
    }

    /// Returns the object of a shape that was found.
    pub fn object(&mut self, shape: usize) -> &mut Object {
        &mut self.known[shape].object
    }

    /// Learns the shape of `line`, which has no control character and was read into `tape`.
    pub fn learn(&mut self, tape: &Tape, line: &str) {
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        if self.known.len() < SHAPES {
            self.next = self.known.len();
            self.known.push(Shape::default());
        } else {
            self.next = (self.next + 1) % SHAPES;
            let was_useful = self.known[self.next].was_useful;
            self.pause = if was_useful { 0 } else { (self.pause * 2 + 1).min(MAX_PAUSE) };
            self.rest = self.pause;
        }
        self.known[self.next].learn(tape, line);
    }
}

/// A shape.
#[derive(Debug, Clone, Default)]
struct Shape {
    /// A line of this shape; empty if it cannot be followed.
    line: String,
    /// The places of its values other than objects and arrays. A text has its quotes.
    values: Vec<Text>,
    names: Vec<Name>,
    /// The object of the last line of this shape.
    object: Object,
    was_useful: bool,
}

/// Returns whether `line` has a backslash; `None` if it has a control character, and no shape.
pub(super) fn has_backslash(line: &str) -> Option<bool> {
    let looked = line
        .bytes()
        .fold((false, false), |(control, backslash), byte| (control | (byte < b' '), backslash | (byte == b'\\')));
    (!looked.0).then_some(looked.1)
}

/// A name of the line of a shape.
#[derive(Debug, Clone)]
struct Name {
    /// Its place.
    text: Text,
    /// The name that a document has for it, if it belongs to logator.
    own: Option<&'static str>,
    /// Whether a JSON document can hold this member as it is in the line. The value must allow that too.
    copied: bool,
}

impl Shape {
    fn learn(&mut self, tape: &Tape, line: &str) {
        let own = self.object.renew();
        own.copy(tape);
        self.was_useful = false;
        self.line.clear();
        self.values.clear();
        self.names.clear();
        // The list of repeated names has places in the line. It is not followed.
        if own.duplicates(line).next().is_some() {
            return;
        }
        let Tape { nodes, unescaped, .. } = own;
        let mut end = 0;
        for at in 0..nodes.len() {
            if matches!(nodes[at], Node::Array { .. } | Node::Object { .. }) {
                continue;
            }
            let between = |byte: &u8| matches!(byte, b' ' | b',' | b':' | b'[' | b']' | b'{' | b'}');
            let start = end + line.as_bytes()[end..].iter().take_while(|byte| between(byte)).count();
            let mut read = Node::Null;
            let Some(next) = token(line, start, &mut read, unescaped, &mut false) else { return };
            end = next;
            match (nodes[at], read) {
                // A name with escapes is not followed.
                (Node::Name { .. }, Node::Text(text)) if text.is_unescaped() => return,
                (Node::Name { text, copied_to, .. }, _) => {
                    let own = keys::own_name(&line[start + 1..end - 1]).filter(|_| text.is_unescaped());
                    // The end of an object or array is not followed, nor whether a value can be copied.
                    let is_open = matches!(nodes[at + 1], Node::Array { .. } | Node::Object { .. });
                    let was_copied = copied_to != 0 || matches!(nodes[at + 1], Node::Float(..));
                    let copied = was_copied && own.is_none() && !is_open;
                    self.names.push(Name { text: Text::of_line(start + 1, end - 1), own, copied });
                }
                _ => self.values.push(Text::of_line(start, end)),
            }
        }
        self.line.push_str(line);
    }

    /// Returns whether `line` has the shape. The object then holds it.
    fn fits(&mut self, line: &str, escapes: bool) -> bool {
        let fits = !self.line.is_empty() && self.follow(line, escapes).is_some();
        self.was_useful |= fits;
        fits
    }

    fn follow(&mut self, line: &str, escapes: bool) -> Option<()> {
        let tape = self.object.moved();
        tape.unescaped.clear();
        tape.lone_surrogate = false;
        tape.out_of_range = false;
        let (old, new) = (self.line.as_bytes(), line.as_bytes());
        let mut names = self.names.iter();
        // The end of the known line stands for a last value.
        let mut values =
            self.values.iter().map(|value| value.start()..value.end()).chain(std::iter::once(old.len()..old.len()));
        let mut value = values.next()?;
        let mut at = same(&old[..value.start], new, 0)?;
        let (mut moved, mut copied) = (0_usize, false);
        for index in 1..tape.nodes.len() {
            if let Node::Name { text, copied_to, .. } = &mut tape.nodes[index] {
                let name = names.next()?;
                (copied, *copied_to) = (name.copied, 0);
                *text = match name.own {
                    None => Text::of_line(name.text.start().wrapping_add(moved), name.text.end().wrapping_add(moved)),
                    Some(own) => {
                        let start = tape.unescaped.len();
                        tape.unescaped.push_str(own);
                        Text::of_unescaped(start, tape.unescaped.len())
                    }
                };
                continue;
            }
            let Tape { nodes, unescaped, lone_surrogate, .. } = &mut *tape;
            let node = &mut nodes[index];
            if matches!(node, Node::Array { .. } | Node::Object { .. }) {
                continue;
            }
            let mut is_copied = true;
            if !escapes && new.get(at) == Some(&b'"') {
                let start = at + 1;
                let end = start + memchr::memchr(b'"', &new[start..])?;
                *node = Node::Text(Text::of_line(start, end));
                at = end + 1;
            } else {
                at = token(line, at, node, unescaped, lone_surrogate)?;
                is_copied = match node {
                    Node::Text(text) => !text.is_unescaped(),
                    Node::Float(..) => false,
                    _ => true,
                };
            }
            if let Node::Name { copied_to, .. } = &mut nodes[index - 1]
                && copied
                && is_copied
            {
                *copied_to = at as u32;
            }
            moved = at.wrapping_sub(value.end);
            let end = value.end;
            value = values.next()?;
            at = same(&old[end..value.start], new, at)?;
        }
        (at == new.len()).then_some(())
    }
}

/// Returns the position after `text` if it stands in `line` at `at`. Most of these texts have 8 to 32 bytes, and are
/// compared as two blocks that may overlap, without a call.
#[inline]
fn same(text: &[u8], line: &[u8], at: usize) -> Option<usize> {
    let end = at + text.len();
    let other = line.get(at..end)?;
    let is_same = match text.len() {
        8..16 => text.first_chunk::<8>() == other.first_chunk() && text.last_chunk::<8>() == other.last_chunk(),
        16..=32 => text.first_chunk::<16>() == other.first_chunk() && text.last_chunk::<16>() == other.last_chunk(),
        _ => text == other,
    };
    is_same.then_some(end)
}

/// Reads the text, number or word that begins at `start` of a line without control characters into `node`. Returns its end; `None` if it is
/// none of them, or if it is a number that a parser has to look at: long, with an exponent, or minus zero.
///
/// The text of a string with escapes is appended to `unescaped`, and a lone surrogate in it is noted.
fn token(line: &str, start: usize, node: &mut Node, unescaped: &mut String, is_lone: &mut bool) -> Option<usize> {
    let rest = &line.as_bytes()[start..];
    let (read, end) = match rest.first()? {
        b'"' => {
            let inside = &line[start + 1..];
            let (length, has_escapes) = length(inside)?;
            let end = start + 1 + length;
            *node = Node::Text(Text::of_line(start + 1, end));
            if has_escapes {
                let from = unescaped.len();
                *is_lone |= unescape(&inside[..length], unescaped)?;
                *node = Node::Text(Text::of_unescaped(from, unescaped.len()));
            }
            return Some(end + 1);
        }
        b't' if rest.starts_with(b"true") => (Node::Bool(true), 4),
        b'f' if rest.starts_with(b"false") => (Node::Bool(false), 5),
        b'n' if rest.starts_with(b"null") => (Node::Null, 4),
        b'-' | b'0'..=b'9' => {
            let digits = |from: usize| rest[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let sign = usize::from(rest[0] == b'-');
            let whole = digits(sign);
            if whole == 0 || whole > 18 || (rest[sign] == b'0' && whole > 1) {
                return None;
            }
            let mut end = sign + whole;
            let has_point = rest.get(end) == Some(&b'.');
            if has_point {
                let fraction = digits(end + 1);
                end += 1 + fraction;
                if fraction == 0 {
                    return None;
                }
            }
            let is_minus_zero = !has_point && rest.starts_with(b"-0");
            if is_minus_zero || matches!(rest.get(end), Some(b'e' | b'E')) {
                return None;
            }
            let text = Text::of_line(start, start + end);
            let read = match has_point {
                true => Node::Float(text, value::plain_float(&line[start..start + end])?),
                false => Node::Int(text, value::plain_int(&rest[..end])?),
            };
            (read, end)
        }
        _ => return None,
    };
    *node = read;
    Some(start + end)
}
