//! Decodes a payload with the schema of its writer into one JSON object.
//!
//! | Avro | JSON |
//! |---|---|
//! | record, map | an object; the members of a record stand in the order of its fields |
//! | array | an array |
//! | union | the value of its branch, without the name of the branch |
//! | null, boolean, int, long, string | the same |
//! | float, double | a number; NaN and infinity are refused, because JSON has no such numbers |
//! | enum | its symbol, a text |
//! | bytes, fixed | a text in base64 |
//! | decimal | a number if its type has at most 15 digits, and otherwise a text with all digits |
//! | timestamp-*, local-timestamp-* | a text as in RFC 3339, with `Z` unless it is local; 3, 6 or 9 digits of a fraction |
//! | date, time-* | a text: `2026-01-31`, `23:59:59.999` |
//! | duration | a text as in ISO 8601: `P1M2DT3.004S` |
//! | uuid | a text |
//!
//! A time outside of the years 0 to 9999, and a time of day outside of its day, stays a number. A whole value that is no
//! object becomes the member `value` of one.
//!
//! Every byte is checked before it is used. Memory is bounded by the largest document: each value writes at least one byte of
//! it, also where it takes none from the payload. Depth is bounded as for JSON lines.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::binary::{Fault, Input, fault};
use super::logical;
use super::schema::{BytesKind, FixedKind, IntKind, LongKind, Member, Node, Schema};
use crate::core::numbers::human_bytes;
use crate::document::escape::write_escaped;

/// The deepest nesting of a document, which is that of JSON lines.
const MOST_DEPTH: usize = 128;

/// Appends the JSON object of the value in `payload`, which begins at the position `at`, to `out`. `most` is the largest size of
/// the object in bytes.
///
/// # Errors
/// The payload is no value of the schema. `out` is then as it was.
pub(super) fn decode(schema: &Schema, payload: &[u8], at: usize, most: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = out.len();
    let mut decoding = Decoding { schema, input: Input::new(payload, at), out, end: start + most, most, depth: 0 };
    let decoded = decoding.whole();
    if decoded.is_err() {
        out.truncate(start);
    }
    decoded
}

struct Decoding<'a> {
    schema: &'a Schema,
    input: Input<'a>,
    out: &'a mut Vec<u8>,
    /// The length of `out` that may not be exceeded.
    end: usize,
    most: usize,
    depth: usize,
}

impl<'a> Decoding<'a> {
    fn whole(&mut self) -> Result<(), Fault> {
        let mut node = self.node(self.schema.root)?;
        while let Node::Union(branches) = node {
            let branch = self.branch(branches)?;
            node = self.node(branch)?;
        }
        let is_object = matches!(node, Node::Record(_) | Node::Map(_));
        if !is_object {
            self.out.extend_from_slice(b"{\"value\":");
        }
        self.value_of(node)?;
        match is_object {
            // A comma follows each value.
            true => self.out.truncate(self.out.len() - 1),
            false => self.close(b'}', false),
        }
        self.check_size()?;
        match self.input.left() {
            0 => Ok(()),
            1 => fault(self.input.at, "one more byte follows the value"),
            more => fault(self.input.at, format!("{more} more bytes follow the value")),
        }
    }

    fn node(&self, index: usize) -> Result<&'a Node, Fault> {
        match self.schema.nodes.get(index) {
            Some(node) => Ok(node),
            None => fault(self.input.at, "the schema has no such type"),
        }
    }

    /// Ends an object or array: its bracket replaces the comma of the last value.
    fn close(&mut self, bracket: u8, with_comma: bool) {
        match self.out.last_mut() {
            Some(last) if *last == b',' => *last = bracket,
            _ => self.out.push(bracket),
        }
        if with_comma {
            self.out.push(b',');
        }
    }

    fn value(&mut self, index: usize) -> Result<(), Fault> {
        let node = self.node(index)?;
        self.value_of(node)?;
        self.check_size()
    }

    #[inline]
    fn check_size(&self) -> Result<(), Fault> {
        if self.out.len() <= self.end {
            return Ok(());
        }
        let words = format!("the document would be larger than {}", human_bytes(self.most as u64));
        Err(Fault { at: self.input.at, words, path: String::new(), too_large: true })
    }

    /// Writes a value with a comma after it.
    fn value_of(&mut self, node: &'a Node) -> Result<(), Fault> {
        match node {
            Node::Null => self.out.extend_from_slice(b"null"),
            Node::Boolean => {
                let at = self.input.at;
                match self.input.byte("a boolean")? {
                    0 => self.out.extend_from_slice(b"false"),
                    1 => self.out.extend_from_slice(b"true"),
                    other => return fault(at, format!("a boolean is the byte {other}, not 0 or 1")),
                }
            }
            Node::Int(kind) => {
                let value = self.input.int("an int")?;
                match kind {
                    IntKind::Plain => self.integer(i64::from(value)),
                    IntKind::Date => logical::date(value, self.out),
                    IntKind::TimeMillis => logical::time_of_day(i64::from(value), 3, self.out),
                }
            }
            Node::Long(kind) => {
                let value = self.input.long("a long")?;
                match *kind {
                    LongKind::Plain => self.integer(value),
                    LongKind::TimeMicros => logical::time_of_day(value, 6, self.out),
                    LongKind::Timestamp { fraction, is_local } => {
                        logical::timestamp(value, fraction, is_local, self.out);
                    }
                }
            }
            Node::Float => {
                let at = self.input.at;
                let bytes = self.input.take(4, "a float")?;
                let value = f32::from_le_bytes(bytes.try_into().unwrap_or_default());
                self.number(at, value.is_finite(), f64::from(value), |out| serde_json::to_writer(out, &value))?;
            }
            Node::Double => {
                let at = self.input.at;
                let bytes = self.input.take(8, "a double")?;
                let value = f64::from_le_bytes(bytes.try_into().unwrap_or_default());
                self.number(at, value.is_finite(), value, |out| serde_json::to_writer(out, &value))?;
            }
            Node::Bytes(kind) => {
                let at = self.input.at;
                let bytes = self.input.bytes("a value of bytes")?;
                match kind {
                    BytesKind::Plain => self.base64(bytes),
                    BytesKind::Decimal(decimal) => logical::decimal(bytes, *decimal, at, self.out)?,
                }
            }
            Node::String => self.string("a string")?,
            Node::Fixed { size, kind } => {
                let at = self.input.at;
                let bytes = self.input.take(*size, "a fixed")?;
                match kind {
                    FixedKind::Plain => self.base64(bytes),
                    FixedKind::Decimal(decimal) => logical::decimal(bytes, *decimal, at, self.out)?,
                    FixedKind::Duration => logical::duration(bytes, self.out),
                    FixedKind::Uuid => logical::uuid(bytes, self.out),
                }
            }
            Node::Enum(symbols) => {
                let at = self.input.at;
                let index = self.input.int("an enum")?;
                match usize::try_from(index).ok().and_then(|index| symbols.get(index)) {
                    Some(symbol) => self.out.extend_from_slice(symbol),
                    None => return fault(at, format!("an enum of {} symbols has the number {index}", symbols.len())),
                }
            }
            Node::Union(branches) => {
                let branch = self.branch(branches)?;
                return self.value(branch);
            }
            Node::Array(items) => return self.array(*items),
            Node::Map(values) => return self.map(*values),
            Node::Record(members) => return self.record(members),
            Node::Pending => return fault(self.input.at, "the schema has no such type"),
        }
        self.out.push(b',');
        Ok(())
    }

    /// Reads the number of a branch, and returns its type.
    fn branch(&mut self, branches: &[usize]) -> Result<usize, Fault> {
        let at = self.input.at;
        let index = self.input.long("the branch of a union")?;
        match usize::try_from(index).ok().and_then(|index| branches.get(index)) {
            Some(branch) => Ok(*branch),
            None => fault(at, format!("a union of {} branches has the branch {index}", branches.len())),
        }
    }

    fn integer(&mut self, value: i64) {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn number(
        &mut self,
        at: usize,
        is_finite: bool,
        value: f64,
        write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>,
    ) -> Result<(), Fault> {
        if !is_finite {
            return fault(at, format!("a number is {value}, which JSON does not have"));
        }
        write(self.out).or_else(|error| fault(at, error.to_string()))
    }

    fn base64(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        let start = self.out.len();
        // The encoding takes four bytes for three, rounded up.
        self.out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
        let written = self.out.get_mut(start..).and_then(|room| BASE64_STANDARD.encode_slice(bytes, room).ok());
        self.out.truncate(start + written.unwrap_or_default());
        self.out.push(b'"');
    }

    fn string(&mut self, what: &str) -> Result<(), Fault> {
        let bytes = self.input.bytes(what)?;
        if let Err(error) = std::str::from_utf8(bytes) {
            let at = self.input.at - bytes.len() + error.valid_up_to();
            return fault(at, format!("{what} is not UTF-8"));
        }
        self.out.push(b'"');
        write_escaped(bytes, self.out);
        self.out.push(b'"');
        Ok(())
    }

    fn enter(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return fault(self.input.at, format!("the value is nested more than {MOST_DEPTH} levels deep"));
        }
        Ok(())
    }

    fn leave(&mut self, bracket: u8) {
        self.depth -= 1;
        self.close(bracket, true);
    }

    fn record(&mut self, members: &'a [Member]) -> Result<(), Fault> {
        self.enter()?;
        self.out.push(b'{');
        for Member { name, key, node } in members {
            self.out.extend_from_slice(key);
            if let Err(mut fault) = self.value(*node) {
                let dot = if fault.path.is_empty() { "" } else { "." };
                fault.path = format!("{name}{dot}{}", fault.path);
                return Err(fault);
            }
        }
        self.leave(b'}');
        Ok(())
    }

    fn array(&mut self, items: usize) -> Result<(), Fault> {
        self.enter()?;
        self.out.push(b'[');
        self.blocks("an array", |decoding| decoding.value(items))?;
        self.leave(b']');
        Ok(())
    }

    fn map(&mut self, values: usize) -> Result<(), Fault> {
        self.enter()?;
        self.out.push(b'{');
        self.blocks("a map", |decoding| {
            decoding.string("a key of a map")?;
            decoding.out.push(b':');
            decoding.value(values)
        })?;
        self.leave(b'}');
        Ok(())
    }

    /// Reads the blocks of an array or map. A negative count is followed by the size of the block in bytes.
    fn blocks(&mut self, what: &str, mut item: impl FnMut(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        loop {
            let at = self.input.at;
            let count = self.input.long("the number of items of a block")?;
            if count == 0 {
                return Ok(());
            }
            let mut end = None;
            if count < 0 {
                let size_at = self.input.at;
                let size = self.input.long("the size of a block")?;
                match usize::try_from(size).ok().filter(|size| *size <= self.input.left()) {
                    Some(size) => end = Some(self.input.at + size),
                    None => {
                        let left = self.input.left();
                        return fault(
                            size_at,
                            format!("a block of {what} has {size} bytes, but {left} are left in the payload"),
                        );
                    }
                }
            }
            for _ in 0..count.unsigned_abs() {
                item(self)?;
            }
            if let Some(end) = end.filter(|end| *end != self.input.at) {
                return fault(
                    at,
                    format!("a block of {what} ends at byte {end}, but its items end at byte {}", self.input.at),
                );
            }
        }
    }
}
