//! Escapes in JSON strings: which bytes need one, and how they are written.

/// Returns whether `byte` must be escaped in a JSON string.
#[inline(always)]
fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Returns whether any of 8 bytes must be escaped. Each test sets the top bit of a byte for which it holds. A borrow
/// can only set bits above a byte for which the test holds, so the result is right.
#[inline(always)]
fn any_of_8(bytes: [u8; 8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(bytes);
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let found = control | (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash);
    found & (ONES << 7) != 0
}

/// Returns whether any of 16 bytes must be escaped. There is no branch per byte, so the compiler makes vector code of
/// it.
#[inline(always)]
fn any_of_16(block: &[u8; 16]) -> bool {
    block.iter().fold(0_u8, |found, &byte| found | u8::from(needs_escape(byte))) != 0
}

/// Returns the length of a beginning of `text` that needs no escape. It counts whole blocks of 16 bytes only, so the
/// actual length may be greater.
#[inline]
pub(crate) fn plain_blocks(text: &[u8]) -> usize {
    text.as_chunks::<16>().0.iter().take_while(|block| !any_of_16(block)).count() * 16
}

/// Returns whether no byte of `text` must be escaped. The last block overlaps the block before it, so that no bytes
/// remain.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    if let Some(last) = text.last_chunk::<16>() {
        return plain_blocks(text) == text.len() / 16 * 16 && !any_of_16(last);
    }
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        return !any_of_8(*first) && !any_of_8(*last);
    }
    !text.iter().any(|&byte| needs_escape(byte))
}

/// Appends `text`, which is UTF-8, as the inside of a JSON string.
#[inline]
pub(crate) fn write_escaped(text: &[u8], out: &mut Vec<u8>) {
    if is_plain(text) { out.extend_from_slice(text) } else { write_with_escapes(text, out) }
}

/// Appends any bytes as the inside of a JSON string. Invalid UTF-8 is replaced by U+FFFD.
#[inline]
pub(crate) fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => write_escaped(text.as_bytes(), out),
        Err(_) => write_replaced(bytes, out),
    }
}

#[cold]
pub(crate) fn write_replaced(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        write_escaped(chunk.valid().as_bytes(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{FFFD}".as_bytes());
        }
    }
}

#[cold]
fn write_with_escapes(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut run = 0;
    for (index, &byte) in text.iter().enumerate() {
        if !needs_escape(byte) {
            continue;
        }
        out.extend_from_slice(&text[run..index]);
        run = index + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
    }
    out.extend_from_slice(&text[run..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_classified_at_every_position_of_every_length() {
        for length in 1..40 {
            for at in 0..length {
                for byte in 0..=255 {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    assert_eq!(is_plain(&text), !needs_escape(byte), "{byte} at {at} of {length}");
                }
            }
        }
    }
}
