//! Leaves out the sequences that control a terminal: colours, movements of the cursor, titles and links.
//!
//! | sequence | begins | ends |
//! |---|---|---|
//! | CSI (colours, cursor) | `ESC [` | with a byte from `@` to `~`; before it stand bytes from space to `?` |
//! | OSC (titles, links) | `ESC ]` | with BEL, or with `ESC \` |
//! | choice of a character set | `ESC (` and similar | with a byte from `0` to `~`; `tput sgr0` writes one |
//!
//! A sequence that does not end in its record is no sequence, and stays. So does any other use of the character ESC.

use memchr::{memchr, memchr2};

/// The character ESC.
pub const ESCAPE: u8 = 0x1b;

/// Writes `text` to `out` without sequences.
fn strip(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr(ESCAPE, rest) {
        out.extend_from_slice(&rest[..at]);
        let sequence = &rest[at..];
        let length = length(sequence);
        if length == 0 {
            out.push(ESCAPE);
        }
        rest = &sequence[length.max(1)..];
    }
    out.extend_from_slice(rest);
}

/// Returns `text` without sequences. It is written to `buffer` if it has the character ESC.
#[inline]
pub(crate) fn without<'a>(text: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    if memchr(ESCAPE, text).is_none() {
        return text;
    }
    buffer.clear();
    strip(text, buffer);
    buffer
}

/// Returns the number of bytes of the sequence that `text` begins with; 0 if it begins with none.
fn length(text: &[u8]) -> usize {
    let end = |from: usize, middle: std::ops::RangeInclusive<u8>, last: std::ops::RangeInclusive<u8>| {
        let at = from + text[from..].iter().position(|byte| !middle.contains(byte))?;
        last.contains(&text[at]).then_some(at + 1)
    };
    let found = match text.get(1) {
        Some(b'[') => end(2, b' '..=b'?', b'@'..=b'~'),
        Some(b']') => operating_system_command(text),
        Some(b'('..=b'/') => end(2, b' '..=b'/', b'0'..=b'~'),
        _ => None,
    };
    found.unwrap_or(0)
}

fn operating_system_command(text: &[u8]) -> Option<usize> {
    const BELL: u8 = 0x07;
    let at = 2 + memchr2(BELL, ESCAPE, &text[2..])?;
    match (text[at], text.get(at + 1)) {
        (BELL, _) => Some(at + 1),
        (_, Some(b'\\')) => Some(at + 2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(text: &str) -> String {
        let mut out = Vec::new();
        strip(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn sequences_of_a_terminal_are_left_out_and_everything_else_stays() {
        for (text, plain) in [
            ("plain", "plain"),
            ("", ""),
            ("\x1b[31mred\x1b[0m", "red"),
            ("\x1b[1;38;5;208mERROR\x1b[m x", "ERROR x"),
            ("\x1b[38:2::255:0:0mtrue colour\x1b[0m", "true colour"),
            ("\x1b[2K\x1b[1Gprogress", "progress"),
            ("\x1b[?25lhidden\x1b[?25h", "hidden"),
            ("\x1b]0;a title\x07text", "text"),
            ("\x1b]8;;http://example.org/\x1b\\link\x1b]8;;\x1b\\.", "link."),
            ("bold\x1b(B\x1b[m end", "bold end"),
            ("é\x1b[31mü\x1b[0mß", "éüß"),
            // What is no sequence, or has no end, stays.
            ("\x1b", "\x1b"),
            ("a\x1b[", "a\x1b["),
            ("a\x1b[31", "a\x1b[31"),
            ("a\x1b[31\x1b[32mb", "a\x1b[31b"),
            ("\x1b[3é", "\x1b[3é"),
            ("\x1b]0;no end", "\x1b]0;no end"),
            ("\x1b]0;no end\x1b[31m here", "\x1b]0;no end here"),
            ("\x1b\x1b[31mx", "\x1bx"),
            ("key \x1bx", "key \x1bx"),
            ("\x1b(", "\x1b("),
        ] {
            assert_eq!(stripped(text), plain, "{text:?}");
        }
    }

    #[test]
    fn many_sequences_that_do_not_end_take_linear_time() {
        let text = "\x1b]".repeat(1 << 19);
        assert_eq!(stripped(&text), text);
        let text = format!("\x1b[{}", "\x1b[;".repeat(1 << 19));
        assert_eq!(stripped(&text), text);
    }
}
