//! Text that comes from elsewhere (names of files, replies of servers, lines of logs) on a stream that a person reads.
//!
//! A control character in it could move the cursor, change colours, hide text or begin a line that looks like one of
//! ours; so could the characters that change the direction of writing. They are shown as escapes: `\n`, `\x1b`,
//! `\u{202e}`. What goes to standard output is data and stays as it is.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a terminal might do something else with `c` than show it.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` on one line, every character that acts on a terminal escaped.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if !acts(c) => shown.push(c),
            c if u32::from(c) < 0x80 => {
                let _ = write!(shown, "\\x{:02x}", u32::from(c));
            }
            c => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    Cow::Owned(shown)
}

/// `text` on the lines that it has, each as [`line`](fn@line) shows it: for a block that we have laid out ourselves.
pub fn block(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| acts(c) && c != '\n') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split('\n').map(line).collect::<Vec<_>>().join("\n"))
}

/// A sentence on one line. An error about a pattern ends with two lines more, the pattern and a caret under its fault;
/// they stay.
pub fn sentence(text: &str) -> Cow<'_, str> {
    let Some((before, caret)) = text.rsplit_once('\n') else { return line(text) };
    let Some((words, pattern)) = before.rsplit_once('\n') else { return line(text) };
    let is_caret = caret.starts_with("  ") && caret.trim_start_matches(' ') == "^";
    if !is_caret || !pattern.starts_with("  ") {
        return line(text);
    }
    Cow::Owned(format!("{}\n{}\n{caret}", line(words), line(pattern)))
}

/// JSON text with the characters escaped that JSON lets stand and that act on a terminal.
pub fn json(text: String) -> String {
    if !text.chars().any(acts) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match acts(c) {
            // All of them have four hexadecimal digits at most.
            true => {
                let _ = write!(shown, "\\u{:04x}", u32::from(c));
            }
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_nothing_else() {
        for (text, shown) in [
            ("plain é 日 \"x\" \\n", "plain é 日 \"x\" \\n"),
            ("a\x1b[2Jb", "a\\x1b[2Jb"),
            ("a\nlogator: b\r\t", "a\\nlogator: b\\r\\t"),
            ("\0\x07\x7f", "\\x00\\x07\\x7f"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("gpj\u{202e}.exe\u{2066}\u{2028}", "gpj\\u{202e}.exe\\u{2066}\\u{2028}"),
        ] {
            assert_eq!(line(text), shown);
        }
        assert_eq!(block("a\n\x1bb\n"), "a\n\\x1bb\n");
    }

    #[test]
    fn of_a_sentence_only_the_caret_and_its_line_are_lines_of_their_own() {
        assert_eq!(sentence("x: wrong\n  %{X\x1b\n     ^"), "x: wrong\n  %{X\\x1b\n     ^");
        assert_eq!(sentence("a\nb: wrong\n  %{X\n     ^"), "a\\nb: wrong\n  %{X\n     ^");
        for text in ["a\nlogator: b", "a\n  b\n  c", "a\nb\n  ^", "a\n  b\n^", "\n  ^"] {
            assert!(!sentence(text).contains('\n'), "{text:?}");
        }
    }

    #[test]
    fn json_stays_json_and_means_the_same() {
        for text in ["a\x7f\u{9b}\u{202e}é\u{2028}\n", "plain"] {
            let shown = json(serde_json::json!({"m": text}).to_string());
            assert!(!shown.chars().any(acts), "{shown}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap()["m"], text);
        }
    }
}
