//! [`EncodingRule`]: how the encoding of a content is found, and [`tell`]: what the first bytes of a content tell.
//!
//! The tests come in this order: byte order mark, magic bytes, UTF-16, NULs before text, binary. Compressions are told before
//! (`decompress`). NULs before text are left out by the caller.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::binary::{Binary, EXAMINED, MAGIC_BYTES};
use super::decompress::Compression;
use super::origin::FINGERPRINT_BYTES;
use crate::core::line_end::LineEnd;
use crate::core::option_spec::{Group, OptionSpec};

/// The option of all sources.
pub const OPTION: OptionSpec = OptionSpec::text(
    "encoding",
    "LABEL",
    Group::Input,
    "Encoding of the inputs, such as windows-1252 or utf-16le",
)
.default("auto")
.check(|text| EncodingRule::parse(text).map(drop))
.more(
    "auto is UTF-8, or UTF-16 if a byte order mark or the zero bytes of the first line tell it. LABEL is a label of \
             the Encoding Standard of WHATWG. A byte order mark counts more than the label.",
)
.rare();

/// How the encoding of a content is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EncodingRule {
    /// The first bytes tell it.
    #[default]
    Told,
    /// The user names it, or the source knows it. A byte order mark counts more.
    Given(&'static Encoding),
}

/// The encoding is known, and the bytes are lines of text without a byte order mark.
pub const KNOWN_UTF_8: EncodingRule = EncodingRule::Given(UTF_8);

impl EncodingRule {
    /// Returns the meaning of a value of the option.
    ///
    /// # Errors
    /// The label is unknown. The sentence names some that are known.
    pub fn parse(text: &str) -> Result<EncodingRule, String> {
        if text == "auto" {
            return Ok(EncodingRule::Told);
        }
        Encoding::for_label_no_replacement(text.as_bytes()).map(EncodingRule::Given).ok_or_else(|| {
            "the encoding is unknown; known ones are auto, utf-8, utf-16le, utf-16be, windows-1252, iso-8859-2, shift_jis, \
             euc-jp, iso-2022-jp, gbk, gb18030, big5, euc-kr and koi8-r"
                .to_owned()
        })
    }

    /// Returns the name of the encoding that the user gave, for contents that are messages; `None` for UTF-8, for UTF-16, and
    /// if the user gave none.
    pub fn of_messages(self) -> Option<String> {
        match self {
            EncodingRule::Told => None,
            EncodingRule::Given(encoding) if [UTF_16LE, UTF_16BE].contains(&encoding) => None,
            EncodingRule::Given(encoding) => name(encoding).map(str::to_owned),
        }
    }
}

/// What the first bytes of a content tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// More bytes are needed.
    NotYet,
    /// The content is text in this encoding; `None` stands for UTF-8.
    Text(Option<&'static str>),
    /// The content holds no lines of text.
    Binary(Binary),
}

/// What the first bytes of a content have told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    /// The name of the encoding; `None` for UTF-8.
    pub(super) encoding: Option<&'static str>,
    /// How its lines end.
    pub(super) line_end: LineEnd,
    /// Set if the content holds no lines of text. Its bytes are dropped.
    pub(super) binary: Option<Binary>,
}

impl Text {
    /// A content in UTF-8.
    pub(super) const UTF_8: Text = Text { encoding: None, line_end: LineEnd::Byte, binary: None };
}

/// What a content comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A file.
    File,
    /// A compressed file.
    Compressed,
    /// A pipe or a terminal. Nobody can read it again with another encoding, so a few odd bytes at its beginning do not make it
    /// binary.
    Stream,
}

impl Carrier {
    /// The carrier of a content that was read from a file with this compression.
    pub fn of(compression: Compression) -> Carrier {
        if compression == Compression::None { Carrier::File } else { Carrier::Compressed }
    }
}

/// Finds what a content is from its first bytes. `beginning` starts at `offset` of the content; only NULs stand before it. `is_end`
/// says that no more bytes follow.
///
/// The first line decides about the encoding, or its first [`FINGERPRINT_BYTES`].
pub fn tell(rule: EncodingRule, beginning: &[u8], offset: u64, is_end: bool, carrier: Carrier) -> Told {
    let mark = if offset == 0 { marked(beginning, is_end) } else { Mark::None };
    if mark == Mark::NotYet {
        return Told::NotYet;
    }
    let first = first_line(beginning, is_end);
    // A binary content may have no newline, so magic bytes do not wait for one.
    if first.is_some() || beginning.len() >= MAGIC_BYTES {
        let binary = Binary::by_magic(beginning, carrier == Carrier::Compressed)
            .or_else(|| Binary::after_nuls(beginning, offset));
        if let Some(binary) = binary {
            return Told::Binary(binary);
        }
    }
    let Some(first) = first else { return Told::NotYet };
    match (mark, rule) {
        (Mark::Of(encoding), _) => Told::Text(name(encoding)),
        (_, EncodingRule::Given(encoding)) => Told::Text(name(encoding)),
        (_, EncodingRule::Told) => match utf16(first) {
            Some(encoding) => Told::Text(name(encoding)),
            None if carrier == Carrier::Stream => Told::Text(None),
            None => match Binary::by_bytes(&beginning[..beginning.len().min(EXAMINED)]) {
                Some(binary) => Told::Binary(binary),
                None => Told::Text(None),
            },
        },
    }
}

/// The name of an encoding in contexts; `None` for UTF-8.
fn name(encoding: &'static Encoding) -> Option<&'static str> {
    (encoding != UTF_8).then(|| encoding.name())
}

/// What a byte order mark tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    NotYet,
    None,
    Of(&'static Encoding),
}

fn marked(beginning: &[u8], is_end: bool) -> Mark {
    const MARKS: [(&[u8], &Encoding); 3] = [(b"\xef\xbb\xbf", UTF_8), (b"\xff\xfe", UTF_16LE), (b"\xfe\xff", UTF_16BE)];
    for (mark, encoding) in MARKS {
        if beginning.starts_with(mark) {
            return Mark::Of(encoding);
        }
        if !is_end && mark.starts_with(beginning) {
            return Mark::NotYet;
        }
    }
    Mark::None
}

/// Returns the bytes that decide about the encoding; `None` if more are needed. A line that holds a NUL may be UTF-16, so the
/// byte after its newline belongs to it.
fn first_line(beginning: &[u8], is_end: bool) -> Option<&[u8]> {
    let window = &beginning[..beginning.len().min(FINGERPRINT_BYTES)];
    let Some(newline) = memchr::memchr(b'\n', window) else {
        return (is_end || window.len() == FINGERPRINT_BYTES).then_some(window);
    };
    let line = &window[..=newline];
    if memchr::memchr(0, line).is_none() || line.len().is_multiple_of(2) {
        return Some(line);
    }
    match window.get(..newline + 2) {
        Some(line) => Some(line),
        None => (is_end || window.len() == FINGERPRINT_BYTES).then_some(line),
    }
}

/// Recognises UTF-16 without a byte order mark: nine of ten bytes at even places, or at odd places, are zero, and most bytes at
/// the other places are not.
fn utf16(first: &[u8]) -> Option<&'static Encoding> {
    let (pairs, _) = first.as_chunks::<2>();
    if pairs.len() < 2 || memchr::memchr(0, first).is_none() {
        return None;
    }
    let zeros = |at: usize| pairs.iter().filter(|pair| pair[at] == 0).count();
    let (even, odd, all) = (zeros(0), zeros(1), pairs.len());
    match () {
        () if odd * 10 >= all * 9 && even * 2 < all => Some(UTF_16LE),
        () if even * 10 >= all * 9 && odd * 2 < all => Some(UTF_16BE),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn le(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn be(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_be_bytes).collect()
    }

    /// Tells a content that comes byte by byte, until it is told.
    fn byte_by_byte(rule: EncodingRule, content: &[u8]) -> Told {
        (1..=content.len())
            .map(|length| tell(rule, &content[..length], 0, false, Carrier::File))
            .find(|told| *told != Told::NotYet)
            .unwrap_or_else(|| tell(rule, content, 0, true, Carrier::File))
    }

    #[test]
    fn the_encoding_is_told_by_mark_or_zeros_and_does_not_depend_on_the_reads() {
        for (content, name) in [
            (b"plain\nmore\n".to_vec(), None),
            (b"no newline".to_vec(), None),
            (Vec::new(), None),
            (b"\xef\xbb\xbfplain\n".to_vec(), None),
            (b"\xef\xbb".to_vec(), None),
            (le("\u{feff}text\r\nmore\r\n"), Some("UTF-16LE")),
            (be("\u{feff}text\r\nmore\r\n"), Some("UTF-16BE")),
            (le("\u{feff}日本語\n"), Some("UTF-16LE")),
            (le("text\nmore\n"), Some("UTF-16LE")),
            (be("text\nmore\n"), Some("UTF-16BE")),
            (le("caf\u{e9} 1234567 ł\nmore"), Some("UTF-16LE")),
            (le("\r\nafter an empty line\r\n"), Some("UTF-16LE")),
            (le("text"), Some("UTF-16LE")),
            (be(&"x".repeat(5000)), Some("UTF-16BE")),
            // A byte at the end of the first line is cut.
            (le("text")[..7].to_vec(), Some("UTF-16LE")),
            (b"key\0value of a line\nmore\n".to_vec(), None),
            (b"a\0".to_vec(), None),
            (b"\0text after one NUL\n".to_vec(), None),
            (b"\xff".to_vec(), None),
        ] {
            assert_eq!(tell(EncodingRule::Told, &content, 0, true, Carrier::File), Told::Text(name), "{content:x?}");
            assert_eq!(byte_by_byte(EncodingRule::Told, &content), Told::Text(name), "{content:x?}");
        }
    }

    #[test]
    fn a_label_names_the_encoding_and_a_mark_counts_more() {
        let rule = |label| EncodingRule::parse(label).unwrap();
        for (label, content, name) in [
            ("latin1", b"caf\xe9\n".to_vec(), Some("windows-1252")),
            ("Shift_JIS", b"\x83\x8d\n".to_vec(), Some("Shift_JIS")),
            ("utf-16", le("a\n"), Some("UTF-16LE")),
            ("utf-16be", be("日\n"), Some("UTF-16BE")),
            ("latin1", le("\u{feff}a\n"), Some("UTF-16LE")),
            ("latin1", b"\xef\xbb\xbfa\n".to_vec(), None),
            ("utf-8", le("text\n"), None),
        ] {
            assert_eq!(byte_by_byte(rule(label), &content), Told::Text(name), "{label} {content:x?}");
        }
        for unknown in ["", "utf-99", "hz-gb-2312", "iso-2022-kr", "replacement"] {
            let error = EncodingRule::parse(unknown).unwrap_err();
            assert!(error.contains("windows-1252"), "{error}");
        }
    }

    #[test]
    fn a_first_line_in_plain_text_is_not_held_back() {
        for line in ["a\n", "ab\n", "\n", "\r\n", "text\r\n"] {
            assert_eq!(
                tell(EncodingRule::Told, line.as_bytes(), 0, false, Carrier::File),
                Told::Text(None),
                "{line:?}"
            );
        }
    }

    #[test]
    fn magic_bytes_come_before_the_encoding() {
        assert!(matches!(
            tell(EncodingRule::Told, b"SQLite format 3\0\x10\0\n", 0, true, Carrier::File),
            Told::Binary(_)
        ));
        // A binary content needs no newline to be told, so the end of the content need not come.
        assert!(matches!(
            tell(EncodingRule::Told, b"SQLite format 3\0\x10\0\x01\x01", 0, false, Carrier::File),
            Told::Binary(_)
        ));
        let latin = EncodingRule::parse("latin1").unwrap();
        assert!(matches!(tell(latin, b"PK\x03\x04\n", 0, true, Carrier::File), Told::Binary(_)));
    }
}
