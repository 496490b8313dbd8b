//! Strings of a JSON text: where they end, and what their escapes stand for.

/// Returns the length of the string whose inside `text` begins with, without its closing quote, and whether it has
/// escapes. `None` if it does not end.
#[inline]
pub(super) fn length(text: &str) -> Option<(usize, bool)> {
    let bytes = text.as_bytes();
    let mut end = memchr::memchr2(b'"', b'\\', bytes)?;
    if bytes[end] == b'"' {
        return Some((end, false));
    }
    loop {
        end += 2;
        end += memchr::memchr2(b'"', b'\\', bytes.get(end..)?)?;
        if bytes[end] == b'"' {
            return Some((end, true));
        }
    }
}

/// Appends the text that `raw`, the inside of a JSON string, stands for. A lone surrogate becomes U+FFFD. Returns whether
/// there was one; `None` if an escape is malformed.
pub(super) fn unescape(raw: &str, out: &mut String) -> Option<bool> {
    let (mut rest, mut is_lone) = (raw, false);
    while let Some((plain, after)) = rest.split_once('\\') {
        out.push_str(plain);
        let (c, length) = match after.as_bytes().first()? {
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            b'n' => ('\n', 1),
            b'r' => ('\r', 1),
            b't' => ('\t', 1),
            kind @ (b'"' | b'\\' | b'/') => (char::from(*kind), 1),
            b'u' => {
                let (c, length) = code_point(&after[1..])?;
                is_lone |= c.is_none();
                (c.unwrap_or(char::REPLACEMENT_CHARACTER), 1 + length)
            }
            _ => return None,
        };
        out.push(c);
        rest = &after[length..];
    }
    out.push_str(rest);
    Some(is_lone)
}

/// Returns the character of the escape whose hexadecimal digits come first in `text`, and its length. A pair of
/// surrogates is one character; a surrogate by itself is none.
fn code_point(text: &str) -> Option<(Option<char>, usize)> {
    let unit = |text: &str| {
        let digits = text.get(..4)?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let first = unit(text)?;
    let low = text[4..].strip_prefix("\\u").and_then(unit);
    Some(match (first, low) {
        (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) => {
            (char::from_u32(0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00)), 10)
        }
        _ => (char::from_u32(first), 4),
    })
}
