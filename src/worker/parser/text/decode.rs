//! Decodes bytes of other encodings than UTF-8. The decoders are those of the Encoding Standard (WHATWG), which browsers use.
//!
//! Each record is decoded by itself, so an encoding with states begins each record in its first state.

use encoding_rs::{DecoderResult, Encoding};

/// The byte that stands for bytes that cannot be decoded. No text in UTF-8 has this byte, so it is handled like any other byte
/// that is no UTF-8: the document has U+FFFD for it, and a tag.
const UNDECODABLE: u8 = 0xff;

/// The least room for more text.
const ROOM: usize = 64;

/// Returns the encoding with this name; `None` if it is unknown, or if the bytes are UTF-8.
pub fn encoding(name: &str) -> Option<&'static Encoding> {
    Encoding::for_label(name.as_bytes()).filter(|encoding| *encoding != encoding_rs::UTF_8)
}

/// Writes the text of `bytes` to `out` in UTF-8.
pub fn decode(encoding: &'static Encoding, mut bytes: &[u8], out: &mut Vec<u8>) {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut written = out.len();
    // The room grows by its own size, so the work is linear also if no byte can be decoded.
    out.resize(written + bytes.len() + ROOM, 0);
    loop {
        let (result, read, length) = decoder.decode_to_utf8_without_replacement(bytes, &mut out[written..], true);
        bytes = &bytes[read..];
        written += length;
        if result == DecoderResult::InputEmpty {
            return out.truncate(written);
        }
        if out.len() - written < ROOM || result == DecoderResult::OutputFull {
            out.resize(2 * out.len(), 0);
        }
        if let DecoderResult::Malformed(..) = result {
            out[written] = UNDECODABLE;
            written += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(label: &str, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        decode(encoding(label).unwrap(), bytes, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn each_encoding_becomes_utf_8_and_what_cannot_be_decoded_is_no_utf_8() {
        for (label, bytes, text) in [
            ("UTF-16LE", &b"a\0\xfc\0\x0a\x0a=\xd8\0\xde"[..], "aü\u{a0a}\u{1f600}"),
            ("UTF-16BE", b"\0a\0\xfc\x0a\x0a\xd8=\xde\0", "aü\u{a0a}\u{1f600}"),
            ("UTF-16LE", b"a\0=\xd8", "a\u{fffd}"),
            ("UTF-16LE", b"=\xd8a\0", "\u{fffd}a"),
            ("UTF-16LE", b"a\0b", "a\u{fffd}"),
            ("windows-1252", b"\x80 caf\xe9", "€ café"),
            ("latin1", b"\x80 caf\xe9", "€ café"),
            ("shift_jis", b"\x83\x8d\x83O", "ログ"),
            ("gbk", b"\xc8\xd5\xd6\xbe", "日志"),
            ("big5", b"\xa4\xe9", "日"),
            ("euc-kr", b"\xb7\xce\xb1\xd7", "로그"),
            ("koi8-r", b"\xcc\xcf\xc7", "лог"),
            ("iso-2022-jp", b"\x1b$B%m%0\x1b(B!", "ログ!"),
            ("shift_jis", b"a\x83", "a\u{fffd}"),
        ] {
            assert_eq!(decoded(label, bytes), text, "{label} {bytes:x?}");
        }
    }

    #[test]
    fn undecodable_bytes_take_linear_time() {
        assert_eq!(decoded("shift_jis", &[0xff; 100_000]).chars().count(), 100_000);
    }

    /// The source cuts lines at the byte `\n`, so no character may hold it. UTF-16 has a line end of its own.
    #[test]
    fn in_no_other_encoding_a_newline_is_a_part_of_a_character() {
        let all = [
            "big5",
            "euc-jp",
            "euc-kr",
            "gb18030",
            "gbk",
            "ibm866",
            "iso-2022-jp",
            "iso-8859-2",
            "iso-8859-3",
            "iso-8859-4",
            "iso-8859-5",
            "iso-8859-6",
            "iso-8859-7",
            "iso-8859-8",
            "iso-8859-8-i",
            "iso-8859-10",
            "iso-8859-13",
            "iso-8859-14",
            "iso-8859-15",
            "iso-8859-16",
            "koi8-r",
            "koi8-u",
            "macintosh",
            "shift_jis",
            "windows-874",
            "windows-1250",
            "windows-1251",
            "windows-1252",
            "windows-1253",
            "windows-1254",
            "windows-1255",
            "windows-1256",
            "windows-1257",
            "windows-1258",
            "x-mac-cyrillic",
            "x-user-defined",
        ];
        for label in all {
            for first in 0..=255_u8 {
                for before in [&[first][..], &[0x81, first], &[0x8f, first], &[0x81, 0x30, first]] {
                    let text = decoded(label, &[before, b"\n"].concat());
                    assert!(text.ends_with('\n'), "{label} {before:x?}: {text:?}");
                }
            }
        }
    }
}
