//! [`Single`]: a single value of an event, and its types in a schema.

use super::binary::{write_bytes, write_long, write_lossy};
use super::plan::{Scalar, Scalars};
use crate::document::date::Date;
use crate::document::{DocumentWriter as _, Json};

/// A single value.
#[derive(Clone, Copy)]
pub(super) enum Single<'v> {
    Long(i64),
    Double(f64),
    Boolean(bool),
    Time(Date),
    Text(&'v [u8]),
    /// A text that may not be UTF-8.
    Lossy(&'v [u8]),
}

impl Single<'_> {
    /// Returns the type among `types` that takes the value: its own, a double for an integer that it holds exactly, or the
    /// text.
    #[inline]
    pub fn choose(self, types: Scalars) -> Option<(Scalar, u8)> {
        const EXACT: u64 = 1 << 53;
        let own = match self {
            Single::Long(value) if !types.has(Scalar::Long) && value.unsigned_abs() <= EXACT => Scalar::Double,
            Single::Long(_) => Scalar::Long,
            Single::Double(_) => Scalar::Double,
            Single::Boolean(_) => Scalar::Boolean,
            Single::Time(_) => Scalar::Time,
            Single::Text(_) | Single::Lossy(_) => Scalar::Text,
        };
        [own, Scalar::Text].into_iter().find_map(|scalar| Some((scalar, types.rank(scalar)?)))
    }

    /// Appends the value as a value of the type `scalar`.
    #[inline]
    pub fn write(self, scalar: Scalar, out: &mut Vec<u8>) {
        match (scalar, self) {
            (Scalar::Double, Single::Long(value)) => out.extend_from_slice(&(value as f64).to_le_bytes()),
            (Scalar::Long, Single::Long(value)) => write_long(value, out),
            (Scalar::Time, Single::Time(date)) => write_long(date.ms(), out),
            (Scalar::Double, Single::Double(value)) => out.extend_from_slice(&value.to_le_bytes()),
            (Scalar::Boolean, Single::Boolean(value)) => out.push(u8::from(value)),
            (_, Single::Text(text)) => write_bytes(text, out),
            (_, Single::Lossy(text)) => write_lossy(text, out),
            (_, Single::Time(date)) => write_bytes(date.to_text().as_bytes(), out),
            (_, Single::Long(value)) => write_bytes(itoa::Buffer::new().format(value).as_bytes(), out),
            (_, Single::Boolean(value)) => write_bytes(if value { b"true" } else { b"false" }, out),
            (_, Single::Double(value)) => {
                let mut text = [0; 32];
                write_bytes(double_text(value, &mut text), out);
            }
        }
    }

    /// Writes the value to a JSON text.
    pub fn write_json(self, json: &mut Json<'_>) {
        match self {
            Single::Long(value) => json.int(value),
            Single::Double(value) => json.float(value),
            Single::Boolean(value) => json.bool(value),
            Single::Time(value) => json.date(value),
            Single::Text(text) => json.text(text),
            Single::Lossy(text) => json.lossy_text(text),
        }
    }
}

/// Returns the JSON text of a number, which needs at most 24 bytes.
fn double_text(value: f64, text: &mut [u8; 32]) -> &[u8] {
    let mut rest = &mut text[..];
    let left = match serde_json::to_writer(&mut rest, &value) {
        Ok(()) => rest.len(),
        Err(_) => 32,
    };
    text.get(..32 - left).unwrap_or_default()
}
