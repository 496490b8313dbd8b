//! How a payload names the schema of its writer.
//!
//! | first bytes | then | who writes it |
//! |---|---|---|
//! | `00` | the id of the schema in its registry, 4 bytes big-endian, and the value | clients of Confluent's schema registry |
//! | `01` | the GUID of the schema, 16 bytes, and the value | the same, from version 8 on |
//! | `C3 01` | the CRC-64-AVRO of the schema, 8 bytes little-endian, and the value | Avro's single-object encoding |
//!
//! The header `__value_schema_id` of a message has one of the first two forms without the value. The payload is then the bare
//! value.

use std::fmt;

/// The name of the header of a message that names the schema of its value.
pub const VALUE_SCHEMA_HEADER: &str = "__value_schema_id";

const ID: u8 = 0;
const GUID: u8 = 1;
const SINGLE_OBJECT: [u8; 2] = [0xc3, 1];

/// What stands before the value in a payload that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// The id of the schema in a registry.
    Registry(u32),
    /// Avro's single-object encoding: the fingerprint of the schema.
    SingleObject(u64),
}

impl Frame {
    /// Appends the frame to `out`.
    pub fn write(self, out: &mut Vec<u8>) {
        match self {
            Frame::Registry(id) => {
                out.push(ID);
                out.extend_from_slice(&id.to_be_bytes());
            }
            Frame::SingleObject(fingerprint) => {
                out.extend_from_slice(&SINGLE_OBJECT);
                out.extend_from_slice(&fingerprint.to_le_bytes());
            }
        }
    }
}

/// The name of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchemaKey {
    /// Its id in a registry.
    Id(u32),
    /// Its GUID in a registry.
    Guid([u8; 16]),
    /// Its fingerprint, CRC-64-AVRO.
    Fingerprint(u64),
}

impl fmt::Display for SchemaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaKey::Id(id) => write!(f, "{id}"),
            SchemaKey::Guid(guid) => {
                for (index, byte) in guid.iter().enumerate() {
                    let hyphen = if [4, 6, 8, 10].contains(&index) { "-" } else { "" };
                    write!(f, "{hyphen}{byte:02x}")?;
                }
                Ok(())
            }
            SchemaKey::Fingerprint(fingerprint) => write!(f, "{fingerprint:016x}"),
        }
    }
}

/// Returns the schema that a payload names, and the position of its value. `header` is the value of the header
/// [`VALUE_SCHEMA_HEADER`]; it counts before the payload.
///
/// # Errors
/// The end of a sentence: the payload names no schema.
pub fn schema_of(payload: &[u8], header: Option<&[u8]>) -> Result<(SchemaKey, usize), String> {
    if let Some(header) = header {
        return match identifier(header) {
            Some((key, length)) if length == header.len() => Ok((key, 0)),
            _ => Err(format!(
                "its header {VALUE_SCHEMA_HEADER} has {} bytes that name no schema (00 and 4 bytes, or 01 and 16 bytes)",
                header.len()
            )),
        };
    }
    if let Some(found) = identifier(payload) {
        return Ok(found);
    }
    if let Some(rest) = payload.strip_prefix(&SINGLE_OBJECT)
        && let Some(fingerprint) = rest.first_chunk()
    {
        return Ok((SchemaKey::Fingerprint(u64::from_le_bytes(*fingerprint)), 10));
    }
    Err(match payload {
        [] => "the payload is empty".to_owned(),
        [first @ (ID | GUID), ..] | [first @ 0xc3, 1, ..] => {
            format!(
                "the payload ends within the name of its schema: it has {} bytes and begins with {first:02x}",
                payload.len()
            )
        }
        [first, ..] => format!("the payload names no schema: it begins with {first:02x}, not with 00, 01 or c3 01"),
    })
}

/// Reads the id or the GUID at the beginning of `bytes`.
fn identifier(bytes: &[u8]) -> Option<(SchemaKey, usize)> {
    let (kind, rest) = bytes.split_first()?;
    match *kind {
        ID => Some((SchemaKey::Id(u32::from_be_bytes(*rest.first_chunk()?)), 5)),
        GUID => Some((SchemaKey::Guid(*rest.first_chunk()?), 17)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_or_its_header_names_the_schema() {
        let guid: Vec<u8> = (0..=16_u8).map(|n| if n == 0 { 1 } else { n.wrapping_mul(16) }).collect();
        let single = [0xc3, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        for (payload, header, found) in [
            (&[0, 0, 0, 1, 2, 9][..], None, Ok("258 at 5".to_owned())),
            (&guid, None, Ok("10203040-5060-7080-90a0-b0c0d0e0f000 at 17".to_owned())),
            (&single, None, Ok("0807060504030201 at 10".to_owned())),
            (&single, Some(&[0, 0, 0, 0, 7][..]), Ok("7 at 0".to_owned())),
            (&[], Some(&guid), Ok("10203040-5060-7080-90a0-b0c0d0e0f000 at 0".to_owned())),
            (&[9], Some(&[0, 0, 0, 0, 7, 8]), Err("its header __value_schema_id has 6 bytes")),
            (&[9], Some(&[]), Err("has 0 bytes")),
            (&[], None, Err("is empty")),
            (&[0, 1, 2, 3], None, Err("it has 4 bytes and begins with 00")),
            (&[1; 16], None, Err("it has 16 bytes and begins with 01")),
            (&single[..9], None, Err("it has 9 bytes and begins with c3")),
            (b"{}", None, Err("names no schema: it begins with 7b")),
            (&[0xc3], None, Err("begins with c3")),
        ] {
            match (schema_of(payload, header), found) {
                (Ok((key, at)), Ok(expected)) => assert_eq!(format!("{key} at {at}"), expected),
                (Err(words), Err(part)) => assert!(words.contains(part), "{words}"),
                (other, expected) => panic!("{other:?} {expected:?}"),
            }
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for (frame, key) in [
            (Frame::Registry(7), SchemaKey::Id(7)),
            (Frame::SingleObject(0x0102_0304_0506_0708), SchemaKey::Fingerprint(0x0102_0304_0506_0708)),
        ] {
            let mut payload = Vec::new();
            frame.write(&mut payload);
            assert_eq!(schema_of(&payload, None), Ok((key, payload.len())));
        }
    }
}
