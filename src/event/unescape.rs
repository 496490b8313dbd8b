//! Escapes in the strings of a JSON text whose syntax is known to be right.

use super::tape::Tape;

/// Appends the text that `raw`, the inside of a JSON string, stands for. A lone surrogate becomes U+FFFD.
pub(super) fn unescape(raw: &str, tape: &mut Tape) {
    let mut rest = raw;
    while let Some((plain, after)) = rest.split_once('\\') {
        tape.unescaped.push_str(plain);
        let mut escape = after.chars();
        let c = match escape.next().unwrap_or_default() {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (c, length) = code_point(escape.as_str());
                escape = escape.as_str()[length..].chars();
                tape.lone_surrogate |= c.is_none();
                c.unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            c => c,
        };
        tape.unescaped.push(c);
        rest = escape.as_str();
    }
    tape.unescaped.push_str(rest);
}

/// Returns the character of the escape whose hexadecimal digits come first in `text`, and its length. A pair of
/// surrogates is one character; a surrogate by itself is none.
fn code_point(text: &str) -> (Option<char>, usize) {
    let unit = |text: &str| text.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let Some(first) = unit(text) else { return (None, 0) };
    let low = text[4..].strip_prefix("\\u").and_then(unit);
    match (first, low) {
        (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) => {
            (char::from_u32(0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00)), 10)
        }
        _ => (char::from_u32(first), 4),
    }
}
