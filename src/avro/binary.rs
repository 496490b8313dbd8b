//! The binary encoding: integers as zig-zag varints, lengths before texts.

/// Appends an `int` or a `long`.
#[inline]
pub(super) fn write_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = (value.wrapping_shl(1) ^ (value >> 63)) as u64;
    while rest > 0x7f {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends a length or a count.
#[inline]
pub(super) fn write_length(length: usize, out: &mut Vec<u8>) {
    write_long(length as i64, out);
}

/// Appends a `string` or `bytes`.
#[inline]
pub(super) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Appends any bytes as a `string`. Invalid UTF-8 in them becomes U+FFFD.
pub(super) fn write_lossy(bytes: &[u8], out: &mut Vec<u8>) {
    const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();
    let replaced = |invalid: &[u8]| if invalid.is_empty() { &[][..] } else { REPLACEMENT };
    let parts = || bytes.utf8_chunks().flat_map(|chunk| [chunk.valid().as_bytes(), replaced(chunk.invalid())]);
    write_length(parts().map(<[u8]>::len).sum(), out);
    parts().for_each(|part| out.extend_from_slice(part));
}

/// The reason why bytes are no value, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The position of the fault in the payload.
    pub at: usize,
    /// The end of a sentence.
    pub words: String,
    /// The fields that lead to the value, with a dot between them.
    pub path: String,
    /// Whether the size of the result is the reason.
    pub too_large: bool,
}

/// Returns a fault.
pub(super) fn fault<T>(at: usize, words: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { at, words: words.into(), path: String::new(), too_large: false })
}

/// A payload that is read from its beginning to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    payload: &'a [u8],
    /// The position of the next byte.
    pub at: usize,
}

impl<'a> Input<'a> {
    /// Reads `payload` from the position `at` on.
    pub fn new(payload: &'a [u8], at: usize) -> Input<'a> {
        Input { payload, at }
    }

    /// Returns the number of bytes that are left.
    #[inline]
    pub fn left(&self) -> usize {
        self.payload.len().saturating_sub(self.at)
    }

    /// Takes one byte.
    #[inline]
    pub fn byte(&mut self, what: &str) -> Result<u8, Fault> {
        match self.payload.get(self.at) {
            Some(&byte) => {
                self.at += 1;
                Ok(byte)
            }
            None => fault(self.at, format!("the payload ends before {what}")),
        }
    }

    /// Takes `length` bytes.
    #[inline]
    pub fn take(&mut self, length: usize, what: &str) -> Result<&'a [u8], Fault> {
        let taken = self.at.checked_add(length).and_then(|end| self.payload.get(self.at..end));
        match taken {
            Some(taken) => {
                self.at += length;
                Ok(taken)
            }
            None => {
                fault(self.at, format!("{what} has {length} bytes, but only {} are left in the payload", self.left()))
            }
        }
    }

    /// Takes a `long`.
    #[inline]
    pub fn long(&mut self, what: &str) -> Result<i64, Fault> {
        let start = self.at;
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = self.byte(what)?;
            // The tenth byte has the highest bit of the number.
            if shift == 63 && byte > 1 {
                return fault(start, format!("{what} is an integer of more than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
            shift += 7;
        }
    }

    /// Takes an `int`.
    #[inline]
    pub fn int(&mut self, what: &str) -> Result<i32, Fault> {
        let start = self.at;
        let value = self.long(what)?;
        match i32::try_from(value) {
            Ok(value) => Ok(value),
            Err(_) => fault(start, format!("{what} is {value}, which is no integer of 32 bits")),
        }
    }

    /// Takes the length of a text or of bytes, and then these.
    #[inline]
    pub fn bytes(&mut self, what: &str) -> Result<&'a [u8], Fault> {
        let start = self.at;
        let length = self.long(what)?;
        match usize::try_from(length) {
            Ok(length) => self.take(length, what),
            Err(_) => fault(start, format!("{what} has the length {length}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_have_the_bytes_of_the_specification() {
        for (value, bytes) in [
            (0, &[0][..]),
            (-1, &[1]),
            (1, &[2]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
            (i64::MAX, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
            (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let mut out = Vec::new();
            write_long(value, &mut out);
            assert_eq!(out, bytes, "{value}");
            assert_eq!(Input::new(bytes, 0).long("x"), Ok(value));
        }
    }

    #[test]
    fn what_is_no_integer_and_no_text_is_refused_at_its_first_byte() {
        let words = |fault: Fault| format!("{}: {}", fault.at, fault.words);
        let long = |bytes: &[u8]| Input::new(bytes, 0).long("x").unwrap_err();
        assert_eq!(words(long(&[0xff; 9])), "9: the payload ends before x");
        let mut bytes = [0xff; 10];
        bytes[9] = 2;
        assert_eq!(words(long(&bytes)), "0: x is an integer of more than 64 bits");
        assert_eq!(words(long(&[0x80; 11])), "0: x is an integer of more than 64 bits");
        let mut big = Vec::new();
        write_long(1 << 31, &mut big);
        let int = Input::new(&big, 0).int("x").unwrap_err();
        assert_eq!(words(int), "0: x is 2147483648, which is no integer of 32 bits");
        assert_eq!(words(Input::new(&[3, 9], 0).bytes("x").unwrap_err()), "0: x has the length -2");
        let short = Input::new(&[6, 9], 0).bytes("x").unwrap_err();
        assert_eq!(words(short), "1: x has 3 bytes, but only 1 are left in the payload");
        let mut huge = Vec::new();
        write_long(i64::MAX, &mut huge);
        assert!(words(Input::new(&huge, 0).bytes("x").unwrap_err()).starts_with("10: x has 9223372036854775807 bytes"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value: i64, text: Vec<u8>) {
            let mut out = Vec::new();
            write_long(value, &mut out);
            write_bytes(&text, &mut out);
            write_lossy(&text, &mut out);
            let mut input = Input::new(&out, 0);
            prop_assert_eq!(input.long("x"), Ok(value));
            prop_assert_eq!(input.bytes("x"), Ok(&text[..]));
            let replaced = String::from_utf8_lossy(&text).into_owned();
            prop_assert_eq!(input.bytes("x"), Ok(replaced.as_bytes()));
            prop_assert_eq!(input.left(), 0);
        }
    }
}
