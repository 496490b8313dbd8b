//! [`Shapes`]: what lines have in common with lines before them, so that they need not be parsed.
//!
//! In a log, most lines have the same members in the same order. Everything between their values is then the same text.
//! If this text is the same and the values are valid, the line is a JSON object with the same names, and the tape of the
//! earlier line holds for it, with other positions. A line with escapes is parsed, and so is a line of an unknown shape.

use super::object::Object;
use super::tape::{Node, Tape, Text};
use crate::document::value;

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
    /// Returns the number of the shape of `line`, which is plain, if it is known. Its object then holds the line.
    #[inline]
    pub fn find(&mut self, line: &str) -> Option<usize> {
        let count = self.known.len();
        let mut order = (self.last..count).chain(0..self.last.min(count));
        self.last = order.find(|&index| self.known[index].fits(line))?;
        Some(self.last)
    }

    /// Returns the object of a shape that was found.
    pub fn object(&mut self, shape: usize) -> &mut Object {
        &mut self.known[shape].object
    }

    /// Learns the shape of `line`, which is plain and was read into `tape`.
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
    /// The places of its names.
    names: Vec<Text>,
    /// The object of the last line of this shape.
    object: Object,
    was_useful: bool,
}

/// Returns whether `line` has no backslash and no control character.
pub(super) fn is_plain(line: &str) -> bool {
    line.bytes().fold(true, |plain, byte| plain & (byte >= b' ') & (byte != b'\\'))
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
        let bytes = line.as_bytes();
        let mut end = 0;
        for at in 0..own.nodes.len() {
            let node = own.nodes[at];
            if matches!(node, Node::Array { .. } | Node::Object { .. }) {
                // The end of such a member is not followed.
                if let Some(Node::Name { copied_to, .. }) = at.checked_sub(1).and_then(|at| own.nodes.get_mut(at)) {
                    *copied_to = 0;
                }
                continue;
            }
            let between = |byte: &u8| matches!(byte, b' ' | b',' | b':' | b'[' | b']' | b'{' | b'}');
            let start = end + bytes[end..].iter().take_while(|byte| between(byte)).count();
            let Some(next) = token(line, start, &mut Node::Null) else { return };
            end = next;
            match node {
                Node::Name { .. } => self.names.push(Text::of_line(start + 1, end - 1)),
                _ => self.values.push(Text::of_line(start, end)),
            }
        }
        self.line.push_str(line);
    }

    /// Returns whether `line`, which is plain, has the shape. The object then holds it.
    fn fits(&mut self, line: &str) -> bool {
        let fits = !self.line.is_empty() && self.follow(line).is_some();
        self.was_useful |= fits;
        fits
    }

    fn follow(&mut self, line: &str) -> Option<()> {
        let tape = self.object.moved();
        let (old, new) = (self.line.as_bytes(), line.as_bytes());
        let mut names = self.names.iter();
        // The end of the known line stands for a last value.
        let mut values = self.values.iter().map(|value| value.start()..value.end()).chain([old.len()..old.len()]);
        let mut value = values.next()?;
        let mut at = same(&old[..value.start], new, 0)?;
        let mut moved = 0_usize;
        for index in 1..tape.nodes.len() {
            let node = &mut tape.nodes[index];
            match node {
                Node::Name { text, .. } => {
                    let name = names.next()?;
                    if !text.is_unescaped() {
                        *text = Text::of_line(name.start().wrapping_add(moved), name.end().wrapping_add(moved));
                    }
                    continue;
                }
                Node::Array { .. } | Node::Object { .. } => continue,
                _ => {}
            }
            at = token(line, at, node)?;
            let is_float = matches!(node, Node::Float(..));
            if let Node::Name { copied_to: to @ 1.., .. } = &mut tape.nodes[index - 1] {
                // A member that is copied is written as it is read; a number with a point may be written in another way.
                if is_float {
                    return None;
                }
                *to = at as u32;
            }
            moved = at.wrapping_sub(value.end);
            let end = value.end;
            value = values.next()?;
            at = same(&old[end..value.start], new, at)?;
        }
        (at == new.len()).then_some(())
    }
}

/// Returns the position after `text` if it stands in `line` at `at`.
#[inline]
fn same(text: &[u8], line: &[u8], at: usize) -> Option<usize> {
    line[at..].starts_with(text).then(|| at + text.len())
}

/// Reads the text, number or word that begins at `start` of a plain line into `node`. Returns its end; `None` if it is
/// none of them, or if it is a number that a parser has to look at: long, with an exponent, or minus zero.
#[inline]
fn token(line: &str, start: usize, node: &mut Node) -> Option<usize> {
    let rest = &line.as_bytes()[start..];
    let (read, end) = match rest.first()? {
        b'"' => {
            let end = start + 1 + memchr::memchr(b'"', &rest[1..])?;
            *node = Node::Text(Text::of_line(start + 1, end));
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
