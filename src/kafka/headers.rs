//! The headers that identify a message of logator. Who may write to a topic is believed.

use crate::core::record::RecordId;

/// The header with the `_id` of the record: 44 lower-case hexadecimal digits.
pub const ID: &str = "logator-id";

/// The header with the number of the record's origin: 16 lower-case hexadecimal digits.
pub const ORIGIN: &str = "logator-origin";

/// Returns the value of the header [`ORIGIN`].
pub fn origin_digits(origin: u64) -> [u8; 16] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|at| HEX[(origin >> (60 - 4 * at)) as usize & 15])
}

/// Reads the value of the header [`ID`]; `None` if it is no id.
pub fn parse_id(value: &[u8]) -> Option<RecordId> {
    RecordId::parse(std::str::from_utf8(value).ok()?)
}

/// Reads the value of the header [`ORIGIN`]; `None` if it is no number.
pub fn parse_origin(value: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(value).ok().filter(|digits| digits.len() == 16)?;
    // The parser of numbers would take a sign.
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u64::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        for origin in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(origin_digits(origin), *format!("{origin:016x}").as_bytes());
            assert_eq!(parse_origin(&origin_digits(origin)), Some(origin));
        }
        let id = RecordId::at(7, 8, b"x");
        assert_eq!(parse_id(id.digits().as_bytes()), Some(id));
        for wrong in ["", "1", "+123456789abcdef", "0123456789abcdeg", "0123456789abcdef0", "\u{e4}123456789abcde"] {
            assert_eq!((parse_origin(wrong.as_bytes()), parse_id(wrong.as_bytes())), (None, None), "{wrong}");
        }
        assert_eq!(
            (parse_id(b"\xff"), parse_origin(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")),
            (None, None)
        );
    }
}
